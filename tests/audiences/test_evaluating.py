"""Rules over columns: what is unknown, rounded or said later."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from shared.audiences.evaluating import Customers, Histories, as_number
from shared.audiences.reading import read_rule
from shared.features import features
from tests.audiences.random_rules import NAMES
from tests.features.histories import folded

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
AT_MS = round(NOON.timestamp() * 1_000)


def _customers(later_ms: int = 1) -> Customers:
    said = {"tier": "gold", "born": 1987, "subscribed": True, "code": "007"}
    event = {"event_id": "e", "event_type": "page_view", "timestamp": NOON.isoformat(), "attributes": said}
    earlier = {"event_id": "f", "event_type": "page_view", "timestamp": (NOON - timedelta(days=1)).isoformat()}
    profiles = folded([{**event, "customer_id": "a"}, {**earlier, "customer_id": "b"}])
    at_ms = AT_MS + later_ms
    decided = {"churn_probability": np.array([0.6, 0.7], np.float32), "intent": np.array(["loyal", "steady"], object)}
    histories = Histories(profiles, {"buy_again": [("p1", "p2"), ()], "new_for_you": [(), ("p1",)]})
    return Customers(features(profiles, at_ms), decided, histories, np.arange(2), at_ms)


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("churn_probability > 0.6", [False, True]),
        ("churn_probability = 0.6", [True, False]),
        ("intent = 'loyal'", [True, False]),
        ("intent in ('loyal', 'steady')", [True, True]),
        ("tier = 'gold'", [True, False]),
        ("tier <> 'silver'", [True, False]),
        ("not tier = 'silver'", [True, False]),
        ("tier is null", [False, True]),
        ("tier = 'gold' or tier is null", [True, True]),
        ("born > 1980", [True, False]),
        ("born = '1987'", [True, False]),
        ("born between 1980 and 1987", [True, False]),
        ("tier > 1980", [False, False]),
        ("subscribed = true", [True, False]),
        ("code = 7", [True, False]),
        ("code = '7'", [False, False]),
        ("days_since_order > 3", [False, False]),
        ("not days_since_order > 3", [False, False]),
        ("days_since_order is null", [True, True]),
        ("expected_ltv is null", [True, True]),
        ("views(7) = 0", [True, True]),
        ("'p2' in buy_again", [True, False]),
        ("'p2' not in buy_again", [False, True]),
        ("'p1' in buy_again or 'p1' in new_for_you", [True, True]),
        ("'p3' in new_for_you", [False, False]),
        ("events(7) >= 1 and events(1) >= 1", [True, False]),
    ],
)
def test_a_rule_holds_of_those_of_whom_it_is_true(text: str, held: list[bool]) -> None:
    assert _customers().holds(read_rule(text, NAMES)).tolist() == held


def test_where_there_is_no_recommender_nothing_is_recommended() -> None:
    known = _customers()
    customers = replace(known, histories=Histories(folded([])))
    assert customers.holds(read_rule("'p1' in buy_again", NAMES)).tolist() == [False, False]
    assert customers.holds(read_rule("'p1' not in buy_again", NAMES)).tolist() == [True, True]


def test_what_is_said_later_is_not_known_yet() -> None:
    assert _customers(later_ms=0).holds(read_rule("tier is null", NAMES)).tolist() == [True, True]


@pytest.mark.parametrize("text", ["nan", "inf", "1_000", " 1", "1 ", "0x1", "", "\u0661", "1e", None])
def test_what_only_python_takes_for_a_number_is_none(text: str | None) -> None:
    assert np.isnan(as_number(text))
