from typing import TYPE_CHECKING, Any

import pytest

from shared.decisions.transitions import Cause, Transition, into_segment, out_of_segments
from shared.ledger.rows import CALLS_AT_MOST, Ledger, LedgerOverloaded
from shared.profiles.members import Members
from tests.conftest import TABLE
from tests.support.stored_profiles import decision

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FIRST = into_segment("customer#1", 1, None, decision(segment=0), Cause.EVENTS, [{"feature": "tenure"}])
SECOND = into_segment("customer#1", 2, decision(segment=0), decision(segment=2), Cause.TIME)
LAST = out_of_segments("customer#1", 3, decision(segment=2), Cause.IDENTITY, 1_500_000_000_009)


@pytest.fixture
def ledger(dynamodb: "DynamoDBClient") -> Ledger:
    return Ledger(dynamodb, TABLE, sleep=lambda _seconds: None)


def sizes(dynamodb: "DynamoDBClient") -> dict[int, int]:
    return {segment: size for segment, size in Members(dynamodb, TABLE).sizes().items() if size}


def test_rows_come_back_as_they_were_kept_the_newest_first(ledger: Ledger) -> None:
    assert ledger.record([FIRST, SECOND, LAST]) == 3
    rows, more = ledger.history("customer#1", 10)
    assert [row.version for row in rows] == [3, 2, 1]
    assert rows[2].reasons == [{"feature": "tenure"}] and rows[2].predictions == {"churn_probability": 0.25}
    assert (rows[0].entered, rows[0].cause, rows[0].intent, more) == (None, Cause.IDENTITY, None, None)


def test_a_history_is_read_page_by_page(ledger: Ledger) -> None:
    ledger.record([FIRST, SECOND, LAST])
    rows, more = ledger.history("customer#1", 2)
    assert ([row.version for row in rows], more) == ([3, 2], 2)
    assert ledger.history("customer#1", 2, before=more)[0][0].version == 1


def test_sizes_count_who_is_in_each_segment_once(ledger: Ledger, dynamodb: "DynamoDBClient") -> None:
    ledger.record([FIRST, FIRST])
    assert sizes(dynamodb) == {0: 1}
    assert ledger.record([FIRST, SECOND]) == 1
    assert sizes(dynamodb) == {2: 1}


def test_more_moves_than_one_transaction_takes_are_all_kept(ledger: Ledger, dynamodb: "DynamoDBClient") -> None:
    moves = [into_segment(f"customer#{i}", 1, None, decision(segment=i % 3), Cause.MODEL) for i in range(50)]
    assert ledger.record(moves) == 50
    assert sum(sizes(dynamodb).values()) == 50


def test_what_is_forgotten_is_gone_up_to_a_version(ledger: Ledger) -> None:
    ledger.record([FIRST, SECOND, LAST])
    ledger.forget("customer#1", 2)
    assert [row.version for row in ledger.history("customer#1", 10)[0]] == [3]


def test_an_erasure_is_counted_out_once(ledger: Ledger, dynamodb: "DynamoDBClient") -> None:
    ledger.record([FIRST])
    item = {"pk": {"S": "mark"}, "sk": {"S": "mark"}}
    once = {"Put": {"TableName": TABLE, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}}
    ledger.close(0, once)
    ledger.close(0, once)
    assert sizes(dynamodb) == {}


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError"])
def test_what_collides_every_time_is_an_error_in_the_end(dynamodb: "DynamoDBClient", code: str) -> None:
    client = Colliding(dynamodb, code)
    with pytest.raises(LedgerOverloaded, match="1 transitions still unrecorded"):
        Ledger(client, TABLE, sleep=lambda _seconds: None).record([FIRST])  # type: ignore[arg-type]
    assert client.calls == CALLS_AT_MOST


def test_a_refusal_for_good_is_raised_at_once(dynamodb: "DynamoDBClient") -> None:
    client = Colliding(dynamodb, "ValidationError")
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
        Ledger(client, TABLE, sleep=lambda _seconds: None).record([FIRST])  # type: ignore[arg-type]
    assert client.calls == 1


class Colliding:
    """A client whose transactions are all cancelled."""

    def __init__(self, client: "DynamoDBClient", code: str) -> None:
        self.exceptions = client.exceptions
        self._code = code
        self.calls = 0

    def transact_write_items(self, TransactItems: list[Any]) -> None:
        self.calls += 1
        reasons: Any = [{"Code": self._code} for _ in TransactItems]
        raise self.exceptions.TransactionCanceledException(
            {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons},
            "TransactWriteItems",
        )


def test_moves_of_others_are_not_in_a_history(ledger: Ledger) -> None:
    other: Transition = into_segment("customer#10", 1, None, decision(), Cause.EVENTS)
    ledger.record([FIRST, other])
    assert [row.key for row in ledger.history("customer#1", 10)[0]] == ["customer#1"]
