"""Sets of events cut by time; how they unite is in tests/features/test_delivery.py."""

from typing import Any

from shared.features import since, until
from tests.features.histories import folded

SECOND = 1_483_228_800_000


def event(customer: str, second: int) -> dict[str, Any]:
    at = f"2017-01-01T00:00:{second:02}Z"
    return {"event_id": f"{second}", "event_type": "search", "customer_id": customer, "timestamp": at}


STATE = folded([event("a", 0), event("a", 9), event("b", 5)])


def test_what_is_dropped_by_an_instant_leaves_everybody_in() -> None:
    early = until(STATE, SECOND + 5_000)
    assert early.keys == STATE.keys
    assert early.event_counts.tolist() == [1, 0]


def test_who_has_nothing_left_since_an_instant_of_theirs_goes() -> None:
    assert since(STATE, {"customer#b": SECOND + 6_000}).keys == ["customer#a"]
    later = since(STATE, {"customer#a": SECOND + 1})
    assert later.event_counts.tolist() == [1, 1]
    assert later.first_event_ms.tolist() == [SECOND + 9_000, SECOND + 5_000]


def test_some_profiles_are_taken_with_their_rows() -> None:
    only = STATE.take([1])
    assert (only.keys, only.event_counts.tolist(), only.owner.tolist()) == (["customer#b"], [1], [0])
    assert only.last_event_ms.tolist() == [SECOND + 5_000]


def test_nobody_with_few_events_is_a_machine_and_totals_are_exact() -> None:
    assert STATE.automated.tolist() == [False, False]
    assert STATE.event_totals.tolist() == [2, 1]
