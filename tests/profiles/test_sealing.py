"""A history in parts is the same history: in any order, at any threshold, and wherever a write breaks off."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.features import Profiles, decode, encode, fold, merge, rows_in, since
from shared.features import state as state_module
from shared.identity.consents import Mark
from shared.identity.links import LinkState
from shared.intake.claims import unlink
from shared.profiles.histories import own, whole_state
from shared.profiles.incoming import Incoming
from shared.profiles.sealed import SEALED
from shared.profiles.sealing import HEAD_BYTES, VOLUME_BYTES, beside
from shared.profiles.stored_profile import StoredProfile
from shared.profiles.update import Updater
from tests.features.histories import corrected_histories, folded, histories
from tests.support.event_files import Event, profiles, purchase
from tests.support.memory_table import MemoryTable, Writer, every_interleaving, interleaved
from tests.support.seals import sealing_soon
from tests.support.visitors import (
    AS_OF,
    deliver,
    deliveries,
    delivery,
    no_sleep,
    offline,
    online,
    shuffled_with_repeats,
)

thresholds = st.sampled_from([0, 60, 200])


def update(table: MemoryTable, new: Profiles, **more: Any) -> list[StoredProfile]:
    return Updater(table, None, AS_OF, no_sleep, **more).update(new.keys, Incoming(new))


def volumes(table: MemoryTable) -> list[str]:
    return [name for name in table.items if SEALED in name]


@given(deliveries(), st.data(), thresholds, st.sampled_from([60, 120, 1_000]))
def test_any_order_batches_and_thresholds_end_in_what_training_sees(
    events: list[Event], data: st.DataObject, head: int, volume: int
) -> None:
    table = MemoryTable()
    for batch in shuffled_with_repeats(data, events):
        with sealing_soon(head, volume):
            deliver(table, *batch)
    assert online(table) == offline(*events)


@given(deliveries(12), st.data(), thresholds)
def test_writers_at_once_crashing_and_delivered_again_end_in_what_training_sees(
    events: list[Event], data: st.DataObject, head: int
) -> None:
    with sealing_soon(head):
        table = MemoryTable()
        deliver(table, *events[::2])
        writers = [Writer(table, delivery(*batch)) for batch in shuffled_with_repeats(data, events)]
        for at, crashes in data.draw(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([False] * 4 + [True])))):
            writer = writers[at % len(writers)]
            if not writer.alive:
                continue
            if crashes:
                writer.crash()
                writers.append(Writer(table, writer.job))
            else:
                writer.step()
        while alive := [writer for writer in writers if writer.alive]:
            alive[0].step()
        assert online(table) == offline(*events)


def test_a_crash_between_the_two_writes_changes_nothing_of_the_history() -> None:
    with sealing_soon():
        table = MemoryTable()
        deliver(table, purchase("a"))
        deliver(table, purchase("a", 1))
        before = table.all()["customer#a"]
        broken = Writer(table, delivery(purchase("a", 2)))
        broken.step()  # reads the profile
        broken.step()  # finds no volume
        assert not volumes(table)
        broken.step()  # writes one
        broken.crash()
        assert volumes(table) == ["customer#a sealed#0"]
        after = table.all()["customer#a"]
        assert (whole_state(after), after.events, after.version) == (whole_state(before), 2, before.version)
        deliver(table, purchase("a", 2))
        assert online(table) == offline(*[purchase("a", number) for number in range(3)])
        assert table.all()["customer#a"].events == 3


def test_two_who_seal_at_once_may_meet_at_any_request() -> None:
    events = [[purchase("a", i)] for i in range(5)]
    expected = offline(*[event for some in events for event in some])

    def play(turns: Iterator[int]) -> list[tuple[int, int]]:
        table = MemoryTable()
        for some in events[:3]:
            deliver(table, *some)
        made = interleaved(table, [delivery(*some) for some in events[3:]], turns)
        assert online(table) == expected
        return made

    with sealing_soon():
        assert every_interleaving(play) > 20


@given(histories(30), histories(30))
def test_what_stands_beside_the_sealed_events_makes_the_whole_again(one: list[Any], other: list[Any]) -> None:
    sealed, new = folded(one), folded(other)
    whole = merge(sealed, new)
    rest = beside(whole, sealed)
    assert rest.keys == whole.keys
    assert encode(merge(rest, sealed)) == encode(whole)
    assert len(rest.rows) <= len(new.rows) + len(whole)


@given(corrected_histories(), st.data())
def test_one_id_with_other_contents_ends_alike_sealed_or_not(events: list[Event], data: st.DataObject) -> None:
    table = MemoryTable()
    with sealing_soon():
        for batch in shuffled_with_repeats(data, events):
            if batch:
                update(table, folded(batch))
    assert encode(own(table.all())) == encode(folded(events))


def test_a_sealed_volume_that_is_full_is_not_written_any_more() -> None:
    table = MemoryTable()
    versions: list[tuple[str, str]] = []
    for day in range(120):
        new = [purchase("a", 8 * day + i, 1 + day % 28, session_id=f"s{day}", price=i + day / 7) for i in range(8)]
        update(table, profiles(*new))
        versions += [(name, table.items[name]["version"]["N"]) for name in volumes(table)]
    stored = table.all()["customer#a"]
    assert stored.events == 960
    assert len(stored.key) + len(stored.state) <= HEAD_BYTES
    sizes = [len(table.items[name]["state"]["B"]) for name in sorted(volumes(table))]
    assert len(sizes) > 2
    assert max(sizes) <= VOLUME_BYTES < min(sizes[:-1]) + HEAD_BYTES
    assert len({version for name, version in versions if name.endswith("#0")}) < 20


def test_a_long_first_delivery_is_sealed_with_the_third_write() -> None:
    table = MemoryTable()
    for first, last in ((0, 300), (300, 305), (305, 310)):
        assert not volumes(table)
        update(table, profiles(*[purchase("a", i, 1 + i % 28, price=i + 1 / 7) for i in range(first, last)]))
    assert volumes(table) == ["customer#a sealed#0"]
    assert rows_in(table.heads(["customer#a"])["customer#a"].state) == 5


def test_a_new_customer_takes_one_item_and_a_small_one_always() -> None:
    table = MemoryTable()
    for number in range(5):
        update(table, profiles(purchase("a", number)))
    assert [*table.items] == ["customer#a"]
    assert "sealed" not in table.items["customer#a"]


@given(histories(40), st.data())
def test_who_agreed_again_keeps_what_came_after_in_every_part(events: list[Event], data: st.DataObject) -> None:
    table = MemoryTable()
    whole = folded(events)
    with sealing_soon():
        for at in range(0, len(events), 3):
            update(table, folded(events[at : at + 3]))
        times = whole.rows.time_ms
        given_ms = data.draw(st.integers(int(times.min()) - 1, int(times.max()) + 1))
        mark = Mark(refused_ms=given_ms - 1, given_ms=frozenset({given_ms}))
        recorded = dict.fromkeys(whole.keys, mark)
        Updater(table, None, AS_OF, no_sleep, recorded=recorded).update(whole.keys, Incoming(Profiles.empty()))
    left = since(whole, dict.fromkeys(whole.keys, given_ms))
    assert encode(own(table.all())) == encode(left)
    kept = dict(zip(left.keys, left.event_counts.tolist(), strict=True))
    assert {key: profile.events for key, profile in table.all().items()} == {k: kept.get(k, 0) for k in whole.keys}
    # Not only do they not count: they are nowhere.
    states = [item["state"]["B"] for item in table.items.values() if item["state"]["B"]]
    assert all((decode([""], [state]).rows.time_ms >= given_ms).all() for state in states)


def test_a_full_profile_seals_no_end_of_volumes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_module, "MOST_EVENTS", 300)
    table = MemoryTable()
    begin = datetime(2015, 1, 1, tzinfo=UTC)
    events = [purchase("bot", i, timestamp=(begin + timedelta(hours=7 * i)).isoformat()) for i in range(2_000)]
    whole = Profiles.empty()
    counts = []
    with sealing_soon(300, 2_500):
        for at in range(0, len(events), 25):
            new = profiles(*events[at : at + 25])
            whole = merge(whole, new)
            update(table, new)
            assert encode(own(table.all())) == encode(whole)
            counts.append(len(volumes(table)))
        for at in (0, 1_000, 1_900):  # once more, and late
            update(table, profiles(*events[at : at + 60]))
    stored = table.all()
    assert encode(own(stored)) == encode(whole)
    assert stored["customer#bot"].events == int(whole.event_totals[0])
    assert counts[-1] == counts[len(counts) // 2]


def test_what_a_visitor_did_goes_to_the_customer_whole_and_back_again() -> None:
    visits = [[{**purchase("phone", i), "customer_id": None, "anonymous_id": "phone"}] for i in range(5)]
    claim = [{**purchase("a", 9), "anonymous_id": "phone"}]
    with sealing_soon():
        table = MemoryTable()
        for some in (*visits[:4], claim, visits[4]):
            deliver(table, *some)
        assert volumes(table)
        assert online(table) == offline(*[event for some in (*visits, claim) for event in some])
        unlink(table, "phone", AS_OF, sleep=no_sleep)
    stored = table.all()
    assert stored["visitor#phone"].link and stored["visitor#phone"].link.state is LinkState.UNLINKED
    assert encode(own(stored)) == encode(fold_all(*claim, *[e for some in visits for e in some]))


def fold_all(*events: Event) -> Profiles:
    from tests.support.event_files import chunks

    return merge(*[fold(chunk.events) for chunk in chunks(events)])


def test_half_a_history_passes_for_none() -> None:
    table = MemoryTable()
    with sealing_soon():
        for number in range(3):
            update(table, profiles(purchase("a", number)))
    (head,) = table.heads(["customer#a"]).values()
    with pytest.raises(ValueError, match="was not read"):
        own({head.key: head})


def test_beside_nothing_sealed_is_the_whole() -> None:
    whole = profiles(purchase("a"), purchase("b"))
    assert beside(whole, Profiles.empty()) is whole
    assert np.array_equal(beside(whole, whole).event_counts, [1, 1])
