"""Rows of moves and deliveries, of items as the ledger writes them."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from shared.decisions.audience_moves import AudienceMove
from shared.decisions.grounds import Ground
from shared.decisions.transitions import Cause, Transition
from shared.destinations.deliveries import Deliveries, Delivery
from shared.exports.ledger_rows import deliveries, moves, recorded_ms, whose
from shared.exports.tables import DELIVERIES, MOVES
from shared.ledger.audience_rows import AudienceLedger
from shared.ledger.rows import Ledger
from tests.conftest import TABLE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY = "customer#a"
MOVED = Transition(KEY, 7, None, 2, Cause.EVENTS, 1_000, "m", "steady", "no_action", {"churn_probability": 0.5}, [])
ENTERED = AudienceMove(
    KEY, 8, "gold", 3, True, "control", Cause.RULE, 2_000, "m", "steady", "act", {}, [Ground("tier = 'gold'", "gold")]
)
SENT = Delivery(KEY, "crm", "t", 3_000, "rejected", 4_000, reason="no such address", attempts=2)


@pytest.fixture
def items(dynamodb: "DynamoDBClient") -> list[Any]:
    Ledger(dynamodb, TABLE).record([MOVED], 5_000)
    AudienceLedger(dynamodb, TABLE).record([ENTERED])
    Deliveries(dynamodb, TABLE).put([SENT])
    items = dynamodb.scan(TableName=TABLE)["Items"]
    kept = [item for item in items if item["sk"]["S"].startswith(("transition#", "audience#", "row#"))]
    return sorted(kept, key=recorded_ms)


def test_a_row_says_whose_it_is_and_when_it_was_recorded(items: list[Any]) -> None:
    assert {whose(item) for item in items} == {KEY}
    # Of a move that a release before kept there is but the time at which it happened.
    assert [recorded_ms(item) for item in items] == [2_000, 4_000, 5_000]


def test_moves_of_both_kinds_are_rows_of_one_table(items: list[Any]) -> None:
    made = moves([items[0], items[2]])
    assert {*made} == {*MOVES.names}
    entered, moved = (dict(zip(made, row, strict=True)) for row in zip(*made.values(), strict=True))
    assert (moved["transition_id"], moved["type"], moved["to_segment_id"]) == (MOVED.id, "segment", 2)
    assert (moved["cause"], moved["churn_probability"], moved["recorded_at"]) == ("events", 0.5, 5_000)
    assert np.isnan([moved["from_segment_id"], moved["entered"], entered["to_segment_id"]]).all()
    assert (entered["audience"], entered["arm"], entered["entered"]) == ("gold", "control", 1)
    assert json.loads(entered["reasons"]) == [{"condition": "tier = 'gold'", "value": "gold"}]
    assert np.isnan(entered["recorded_at"])


def test_deliveries_are_rows_as_they_are_now(items: list[Any]) -> None:
    made = deliveries([items[1]])
    assert {*made} == {*DELIVERIES.names}
    assert {name: column[0] for name, column in made.items()} == {
        "customer_id": "a",
        "destination": "crm",
        "transition_id": "t",
        "audience": None,
        "arm": None,
        "happened_at": 3_000,
        "state": "rejected",
        "reason": "no such address",
        "attempts": 2,
        "updated_at": 4_000,
    }
