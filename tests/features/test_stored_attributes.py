"""What is stored of attributes: when they were said by the event that said so, where the profile holds it."""

import numpy as np
import pytest

from shared.features import since, until
from shared.features.bodies import BrokenState, StoredAttributes
from shared.features.stored_attributes import attributes_from, attributes_of
from tests.features.histories import folded

EVENTS = [
    {"event_id": f"{second}", "event_type": "search", "customer_id": customer, "timestamp": second, **said}
    for customer, second, said in (
        ("a", 10, {"region": "DE", "attributes": {"tier": "gold"}}),
        ("a", 20, {"region": "AT"}),
        ("a", 30, {}),
        ("b", 10, {}),
        ("c", 40, {"attributes": {"born": 1987}}),
    )
]
STATE = folded(EVENTS)


def test_a_value_is_known_since_the_event_that_many_before_the_last() -> None:
    stored = attributes_of(STATE)
    assert stored.counts.tolist() == [2, 0, 1]
    assert [*zip(stored.names, stored.values, stored.said.tolist(), strict=True)] == [
        (b"region", b'"AT"', 2), (b"tier", b'"gold"', 4), (b"born", b"1987", 0),
    ]  # fmt: skip


def test_a_value_whose_event_is_not_held_keeps_its_time() -> None:
    assert attributes_of(folded([{**EVENTS[4], "timestamp": 50, "attributes": {}}, EVENTS[4]])).said.tolist() == [
        40_000 << 1 | 1
    ]


def test_attributes_come_back() -> None:
    read = attributes_from(attributes_of(STATE), STATE.rows.time_ms, STATE.starts)
    assert [*read.entries()] == [*STATE.attributes.entries()]
    nothing = attributes_of(until(STATE, 1))
    assert len(attributes_from(nothing, np.zeros(0, np.int64), np.zeros(4, np.int64))) == 0


@pytest.mark.parametrize("said", [4, 2**62, -2])
def test_a_value_of_an_event_that_no_profile_holds_is_refused(said: int) -> None:
    stored = StoredAttributes(np.array([1, 0]), np.array([said]), [b"a"], [b"1"])
    with pytest.raises(BrokenState):
        attributes_from(stored, np.arange(3), np.array([0, 1, 3]))


def test_who_counts_anew_is_known_by_what_was_said_since() -> None:
    left = since(STATE, {"customer#a": 15_000})
    assert [*left.attributes.entries()] == [(0, "region", 20_000, '"AT"'), (2, "born", 40_000, "1987")]


def test_before_an_instant_only_what_was_said_before_it_is_known() -> None:
    early = until(STATE, 20_000)
    assert [*early.attributes.entries()] == [(0, "tier", 10_000, '"gold"')]
