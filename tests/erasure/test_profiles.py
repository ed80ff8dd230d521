"""Erasures against writers that come between any two of their requests: nobody who was erased is there in the end."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.clock import Moment
from shared.decisions.decision import iso
from shared.erasure.profiles import Eraser
from shared.identity.consents import Mark
from shared.identity.keys import anonymous
from shared.identity.links import NOBODY, LinkState
from shared.intake.gathering import Intake
from shared.profiles.histories import histories
from shared.profiles.marks import Admission, Marks
from shared.profiles.table import ProfileTable
from tests.support.event_files import Event, chunks, purchase
from tests.support.examples import at_most
from tests.support.memory_table import Job, MemoryTable, Writer, every_interleaving, interleaved

AS_OF = Moment(as_of_ms=1_509_494_400_000, scored_at_ms=1_509_494_400_250)


def no_sleep(_seconds: float) -> None:
    return


class MemoryMarks(Marks):
    """Marks in memory; `turn` is called before each request."""

    def __init__(self, known: dict[str, Mark], turn: Callable[[], None] = lambda: None) -> None:
        self.known, self._turn = known, turn

    def load(self, keys: Iterable[str]) -> dict[str, Mark]:
        self._turn()
        return {key: self.known[key] for key in keys if key in self.known}

    def refuse(self, key: str, at_ms: int) -> None:
        self._turn()
        mark = self.known.get(key, Mark())
        self.known[key] = replace(mark, refused_ms=max(mark.refused_ms or 0, at_ms))

    def agree(self, key: str, at_ms: int) -> None:
        self._turn()
        mark = self.known.get(key, Mark())
        self.known[key] = replace(mark, given_ms=mark.given_ms | {at_ms})

    def end(self, key: str, version: int) -> None:
        self._turn()
        mark = self.known.get(key, Mark())
        self.known[key] = replace(mark, ended=max(mark.ended, version))


@dataclass
class World:
    """A table with its marks, and the erasures that writers ask for."""

    table: MemoryTable = field(default_factory=MemoryTable)
    marks: dict[str, Mark] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)

    def delivery(self, *events: Event) -> Job:
        def deliver(table: ProfileTable) -> None:
            ask: Any = lambda key, moment: self.asked.append((key, moment.as_of_ms))  # noqa: E731
            intake = Intake(table, None, AS_OF, admission=Admission(self._marks(table), ask))
            for chunk in chunks(events):
                intake.add(chunk, lambda _refused: None)
            intake.flush()

        return deliver

    def erasure(self, *people: str) -> Job:
        def erase(table: ProfileTable) -> None:
            eraser = Eraser(table, self._marks(table), no_sleep)
            for key in people:
                eraser.erase(key, AS_OF.as_of_ms)

        return erase

    def work(self) -> None:
        """Does the erasures that were asked for."""
        while self.asked:
            key, at_ms = self.asked.pop(0)
            Eraser(self.table, MemoryMarks(self.marks), no_sleep).erase(key, at_ms)

    def finish(self, *people: str) -> None:
        """What comes once everybody who began before has ended: what writers asked for, and the second time."""
        self.work()
        self.erasure(*people)(self.table)

    def _marks(self, table: ProfileTable) -> Marks:
        return MemoryMarks(self.marks, table._wait if isinstance(table, Writer) else lambda: None)

    def says(self, *names: str) -> list[str]:
        """The items that name any of these people."""
        hashes = [anonymous(f"customer#{name}") for name in names]
        return [key for key, item in self.table.items.items() if any(n in repr((key, item)) for n in (*names, *hashes))]


def visit(visitor: str, number: int = 0) -> Event:
    return {**purchase(visitor, number), "customer_id": None, "anonymous_id": visitor}


def sign_in(visitor: str, customer: str, number: int = 0) -> Event:
    return {**purchase(f"{visitor}-{customer}", number), "customer_id": customer, "anonymous_id": visitor}


@pytest.mark.parametrize(("known", "ways"), [([], 8), ([purchase("aa")], 28)])
def test_one_event_and_an_erasure_may_meet_at_any_request(known: list[Event], ways: int) -> None:
    came_back = 0

    def play(turns: Iterator[int]) -> list[tuple[int, int]]:
        nonlocal came_back
        world = World()
        world.delivery(*known)(world.table)
        made = interleaved(world.table, [world.erasure("customer#aa"), world.delivery(purchase("aa", 1))], turns)
        came_back += bool(world.table.items)
        world.finish("customer#aa")
        world.delivery(*known, purchase("aa", 1))(world.table)
        assert world.table.items == {}
        return made

    assert every_interleaving(play) == ways
    # Only who was not stored before can be brought back, until the second time.
    assert bool(came_back) is not bool(known)


DELIVERIES = [
    [purchase("aaa", 1)],
    [visit("phone", 1)],
    [sign_in("phone", "aaa", 1)],
    [sign_in("laptop", "aaa", 2), visit("laptop", 3)],
    [sign_in("tablet", "aaa", 4), sign_in("tablet", "bbb", 5), visit("tablet", 6)],
]


@settings(max_examples=at_most(60))
@given(st.permutations(DELIVERIES), st.integers(0, 4), st.lists(st.integers(0, 5), min_size=60, max_size=60))
def test_no_order_of_deliveries_and_erasures_leaves_a_trace(
    deliveries: list[list[Event]], before: int, turns: list[int]
) -> None:
    world = World()
    for known in deliveries[:before]:
        world.delivery(*known)(world.table)
    who = ["customer#aaa", "visitor#phone"]
    jobs = [world.erasure(*who), *(world.delivery(*events) for events in deliveries)]
    interleaved(world.table, jobs, iter(turns))
    world.finish(*who)
    for again in deliveries:
        world.delivery(*again)(world.table)
    world.finish()
    left = world.says("aaa", "phone")
    assert [key for key in left if key != "visitor#tablet"] == []
    assert "customer#bbb" in world.table.items
    tablet = world.table.all().get("visitor#tablet")
    assert tablet is None or tablet.link is None or tablet.link.customer in ("customer#bbb", NOBODY)


@pytest.mark.parametrize("first", ["aaa", "bbb"])
def test_a_device_that_others_use_too_forgets_the_customer_and_stays_shared(first: str) -> None:
    world = World()
    others = [name for name in ("aaa", "bbb", "ccc") if name != first]
    world.delivery(sign_in("tablet", first))(world.table)
    for name in others:
        world.delivery(sign_in("tablet", name))(world.table)
    eraser = Eraser(world.table, MemoryMarks(world.marks), no_sleep)
    eraser.erase("customer#aaa", AS_OF.as_of_ms)
    eraser.forget(["visitor#tablet"], "customer#aaa")
    link = world.table.all()["visitor#tablet"].link
    assert world.says("aaa") == []
    assert link is not None and link.state is LinkState.SHARED
    assert eraser.removed.links == 1
    world.delivery(visit("tablet", 1), sign_in("tablet", "ddd"))(world.table)
    assert world.table.all()["visitor#tablet"].link == link
    assert "erased" not in world.table.items


def test_an_erasure_that_broke_off_anywhere_is_finished_by_the_next() -> None:
    steps = 0
    while True:
        world, steps = World(), steps + 1
        world.delivery(visit("phone"), sign_in("phone", "aaa"), purchase("aaa"), purchase("b"))(world.table)
        broken = Writer(world.table, world.erasure("customer#aaa"))
        for _ in range(steps):
            broken.step()
            if not broken.alive:
                break
        if not broken.alive:
            break
        broken.crash()
        world.erasure("customer#aaa")(world.table)
        assert {*world.table.items} == {"customer#b"}
    assert steps > 10


HOURS = st.integers(0, 30)


@st.composite
def spoken(draw: st.DrawFn) -> list[Event]:
    """Events of two people, some of which say whether they agree; each person's at distinct hours."""
    counted = []
    for who in ("aaa", "bbb"):
        for hour in draw(st.sets(HOURS, min_size=1, max_size=12)):
            consent = draw(st.sampled_from([None, None, None, True, False]))
            timestamp = f"2017-10-{1 + hour // 24:02d}T{hour % 24:02d}:00:00Z"
            counted.append(
                {**purchase(who, hour), "timestamp": timestamp, **({} if consent is None else {"consent": consent})}
            )
    return counted


@settings(max_examples=at_most(40))
@given(spoken(), st.data())
def test_in_any_order_only_what_people_agreed_to_counts(events: list[Event], data: st.DataObject) -> None:
    world, order = World(), data.draw(st.permutations(events))
    for number, event in enumerate(order, 1):
        world.delivery(event)(world.table)
        if data.draw(st.booleans()):
            world.work()
            for key, left in counted(world.table).items():
                assert left <= permitted(order[:number]).get(key, set())
    world.work()
    for event in data.draw(st.permutations(events)):
        world.delivery(event)(world.table)
        world.work()
    assert counted(world.table) == permitted(events)


def permitted(events: list[Event]) -> dict[str, set[str]]:
    """The times of the events that count, by who did them."""
    times: dict[str, set[str]] = {}
    for event in events:
        own = [other for other in events if other["customer_id"] == event["customer_id"]]
        refusals = [other["timestamp"] for other in own if other.get("consent") is False]
        agreed = [o["timestamp"] for o in own if o.get("consent") and o["timestamp"] > max(refusals, default="")]
        if not refusals or (agreed and event["timestamp"] >= min(agreed)):
            times.setdefault(f"customer#{event['customer_id']}", set()).add(event["timestamp"])
    return times


def counted(table: MemoryTable) -> dict[str, set[str]]:
    stored = histories(table.all().values())
    times = [iso(at) for at in stored.rows.time_ms.tolist()]
    parts = zip(stored.keys, stored.starts[:-1], stored.starts[1:], strict=True)
    return {key: {*times[begin:end]} for key, begin, end in parts}
