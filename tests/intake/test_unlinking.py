"""Links undone by hand: what remains is as if they had never been, whoever writes at the same time."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.features import codec, state
from shared.identity.links import NoSuchLink
from shared.intake.claims import unlink
from shared.profiles.change import Ingested
from shared.profiles.histories import histories
from shared.profiles.table import ProfileTable
from tests.support.event_files import Event, purchase
from tests.support.memory_table import MemoryTable, Writer, every_interleaving, interleaved
from tests.support.visitors import (
    AS_OF,
    LINK,
    OWNERS,
    TABLET,
    VISITS,
    deliver,
    deliveries,
    delivery,
    no_sleep,
    offline,
    online,
    profile,
    shuffled_with_repeats,
    sign_in,
    visit,
)


@pytest.fixture
def table() -> MemoryTable:
    return MemoryTable()


def undo(table: ProfileTable) -> None:
    unlink(table, "phone", AS_OF, sleep=no_sleep)


def unclaimed(visitor: str, *events: Event) -> list[Event]:
    """The same events without a word on who the visitor is."""
    return [{**e, "anonymous_id": None} if e["customer_id"] and e.get("anonymous_id") == visitor else e for e in events]


@pytest.mark.parametrize("news", [[VISITS[1]], [sign_in("phone", "a", 1)], [sign_in("phone", "b")], []])
def test_no_writer_brings_back_what_is_unlinked(news: list[Event]) -> None:
    expected = offline(*unclaimed("phone", *LINK, VISITS[0], *news))

    def play(turns: Iterator[int]) -> list[tuple[int, int]]:
        table = MemoryTable()
        deliver(table, *LINK, VISITS[0])
        made = interleaved(table, [undo, delivery(*news) if news else undo], turns)
        assert online(table) == expected
        return made

    assert every_interleaving(play) > 30


@given(st.lists(st.integers(0, 2), min_size=20, max_size=20))
def test_nor_do_several_writers(turns: list[int]) -> None:
    table = MemoryTable()
    deliver(table, *LINK, VISITS[0])
    interleaved(table, [undo, delivery(VISITS[1]), delivery(*LINK, sign_in("phone", "a", 1))], iter(turns))
    assert online(table) == offline(*unclaimed("phone", *LINK, *VISITS, sign_in("phone", "a", 1)))


def test_undoing_a_link_whose_customer_is_not_stored_yet_undoes_it_for_good() -> None:
    table = MemoryTable()
    linker = Writer(table, delivery(*LINK, *VISITS))
    while "visitor#phone" not in table.items:
        linker.step()
    undo(table)
    while linker.alive:
        linker.step()
    assert online(table) == {**offline(*LINK), **offline(*VISITS)}


@given(deliveries(), st.sampled_from([visitor for visitor, owner in OWNERS.items() if owner]), st.data())
def test_unlinking_leaves_just_what_came_with_the_customers_id(
    events: list[Event], visitor: str, data: st.DataObject
) -> None:
    table, batches = MemoryTable(), shuffled_with_repeats(data, events)
    for batch in batches:
        deliver(table, *batch)
    is_linked = any(event["anonymous_id"] == visitor and event["customer_id"] for event in events)
    if is_linked:
        unlink(table, visitor, AS_OF, sleep=no_sleep)
    else:
        with pytest.raises(NoSuchLink):
            unlink(table, visitor, AS_OF, sleep=no_sleep)
    expected = offline(*unclaimed(visitor, *events))
    assert online(table) == expected
    for batch in batches:
        deliver(table, *batch)
    assert online(table) == expected


@given(deliveries(), st.data())
def test_histories_that_are_full_are_no_exception(events: list[Event], data: st.DataObject) -> None:
    # Which of several contents of one id stands, a full history cannot always know; but ids may come both ways.
    content = {event["event_id"]: {**event, "anonymous_id": None, "customer_id": None} for event in events}
    ids = ("anonymous_id", "customer_id")
    events = [{**content[event["event_id"]], **{name: event[name] for name in ids}} for event in events]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state, "MOST_EVENTS", 4)
        patch.setattr(state, "SKETCHED", 2)
        patch.setattr(codec, "SKETCHED", 2)
        table = MemoryTable()
        for batch in shuffled_with_repeats(data, events):
            deliver(table, *batch)
        assert online(table) == offline(*events)
        for visitor in OWNERS:
            if any(event["anonymous_id"] == visitor and event["customer_id"] for event in events):
                unlink(table, visitor, AS_OF, sleep=no_sleep)
                events = unclaimed(visitor, *events)
        assert online(table) == offline(*events)


def test_an_event_of_both_the_visitor_and_the_customer_counts_once_and_survives_the_undoing(table: MemoryTable) -> None:
    both: dict[str, Any] = {"event_id": "both", "price": 5.0}
    deliver(table, visit("phone", **both), visit("phone", 1), sign_in("phone", "a"), purchase("a", **both))
    assert histories([profile(table, "customer#a")]).event_counts.tolist() == [3]
    unlink(table, "phone", AS_OF, sleep=no_sleep)
    assert histories([profile(table, "customer#a")]).event_counts.tolist() == [2]
    assert profile(table, "visitor#phone").events == 2


def test_unlinking_again_changes_nothing_and_later_claims_are_refused(table: MemoryTable) -> None:
    deliver(table, *LINK, *VISITS)
    unlink(table, "phone", AS_OF, sleep=no_sleep)
    before = table.all()
    assert unlink(table, "phone", AS_OF, sleep=no_sleep) == Ingested()
    for customer in ("a", "b"):
        _, (reason,) = deliver(table, sign_in("phone", customer, 5))
        assert "undone by hand" in reason
    assert table.all()["visitor#phone"] == before["visitor#phone"]


@pytest.mark.parametrize("visitor", ["unknown", "nobody", TABLET])
def test_nothing_to_unlink_is_an_error(table: MemoryTable, visitor: str) -> None:
    deliver(table, visit("nobody"), *(sign_in(TABLET, customer) for customer in "abc"))
    with pytest.raises(NoSuchLink, match="linked to nobody"):
        unlink(table, visitor, AS_OF, sleep=no_sleep)
