"""Time alone moves customers: those who are due, once, as everyone's scoring would, whatever comes between."""

from collections.abc import Callable, Iterator, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.bulk.refresh import DuePage, Position, Refreshed, refresh_shard, refresh_shards
from shared.bulk.rescore import Rescorer
from shared.clock import Moment
from shared.decisions.deciding import decide
from shared.decisions.transitions import Cause
from shared.durations import DAY_MS
from shared.intake.claims import unlink
from shared.intake.ingest import ingest
from shared.models.bundle import Bundle
from shared.profiles.due import due_shard, due_shards
from shared.profiles.histories import histories
from shared.profiles.table import ProfileTable, TableOverloaded
from tests.support.bundles import make_bundle
from tests.support.event_files import profiles, purchase
from tests.support.examples import at_most
from tests.support.memory_table import Cut, CutTable, MemoryTable, every_interleaving, interleaved, writes
from tests.support.visitors import deliver, no_sleep

NOVEMBER_MS = 1_509_494_400_000
CENTROIDS = {"live": (0.0, 1.0, 3.0), "newer": (0.0, 4.0, 20.0)}
BUNDLES = {
    name: Bundle.from_files(*make_bundle(name, feature="visits_30d", centroids=centroids))
    for name, centroids in CENTROIDS.items()
}
LIVE = BUNDLES["live"]

type Orders = Mapping[str, list[int]]
"""Days of October of each customer's orders."""

shops: st.SearchStrategy[Orders] = st.dictionaries(
    st.sampled_from([f"c{number}" for number in range(12)]), st.lists(st.integers(1, 31), min_size=1, max_size=6)
)
SHOP: Orders = {"regular": [3, 9, 16, 23, 30], "once": [5], "late": [31], "twice": [12, 28]}


def after(days: float) -> Moment:
    now_ms = NOVEMBER_MS + round(days * DAY_MS)
    return Moment(as_of_ms=now_ms, scored_at_ms=now_ms)


def shop(orders: Orders) -> MemoryTable:
    table = MemoryTable()
    bought = [purchase(customer, number, day) for customer, days in orders.items() for number, day in enumerate(days)]
    if bought:
        ingest(profiles(*bought), table, LIVE, after(0), no_sleep)
    return table


def due_of(table: MemoryTable, shard: str, now_ms: int, limit: int) -> Callable[[Position | None], DuePage]:
    def due(position: Position | None) -> DuePage:
        entries = sorted(
            (int(item["due_ms"]["N"]), key)
            for key, item in table.items.items()
            if "due_ms" in item and item["due_shard"]["S"] == shard and int(item["due_ms"]["N"]) <= now_ms
        )
        rest = [entry for entry in entries if position is None or entry > position["entry"]]
        page = rest[:limit]
        more: Position | None = {"entry": page[-1]} if len(rest) > limit else None
        return DuePage([key for _, key in page], page[0][0] if page else None, more)

    return due


def refresh(
    table: MemoryTable, moment: Moment, page_size: int = 2, by: str = "live", go_on: Callable[[], bool] = lambda: True
) -> Refreshed:
    rescorer = Rescorer(table, BUNDLES[by], moment, no_sleep)
    parts = [refresh_shard(due_of(table, shard, moment.as_of_ms, page_size), rescorer, go_on) for shard in due_shards()]
    return sum((done for done, _ in parts), Refreshed())


def decisions(table: MemoryTable) -> dict[str, tuple[int, str]]:
    stored = {key: profile.decision for key, profile in table.all().items()}
    return {key: (decision.segment, decision.intent) for key, decision in stored.items() if decision}


def offline(table: MemoryTable, moment: Moment) -> dict[str, tuple[int, str]]:
    decided = decide(histories(table.all().values()), {}, LIVE, moment)
    return {key: (decision.segment, decision.intent) for key, decision in decided.items()}


def due(table: MemoryTable, moment: Moment) -> set[str]:
    return {
        key for key, item in table.items.items() if "due_ms" in item and int(item["due_ms"]["N"]) <= moment.as_of_ms
    }


@settings(max_examples=at_most(60))
@given(orders=shops, steps=st.lists(st.integers(1, 60), min_size=1, max_size=4), page_size=st.integers(1, 5))
def test_after_any_time_everyone_is_where_scoring_everyone_puts_them(
    orders: Orders, steps: list[int], page_size: int
) -> None:
    table = shop(orders)
    for day in [sum(steps[: i + 1]) for i in range(len(steps))]:
        expected, before = due(table, after(day)), table.all()
        done = refresh(table, after(day), page_size)
        assert decisions(table) == offline(table, after(day))
        assert done.read == done.decided == len(expected)
        assert {key for key, profile in table.all().items() if profile != before[key]} == expected
        assert not due(table, after(day))


def test_sixty_days_at_once_end_where_sixty_single_days_do_in_one_move() -> None:
    at_once, daily = shop(SHOP), shop(SHOP)
    moves_at_once = refresh(at_once, after(60)).moved
    moves_daily = sum(refresh(daily, after(day)).moved for day in range(1, 61))
    assert decisions(at_once) == decisions(daily) == offline(daily, after(60))
    assert 0 < moves_at_once <= len(SHOP) < moves_daily


def test_movers_say_that_it_was_time_and_since_when() -> None:
    table = shop(SHOP)
    before = decisions(table)
    refresh(table, after(60))
    movers = {key for key, (segment, _) in decisions(table).items() if segment != before[key][0]}
    assert movers
    for key, profile in table.all().items():
        assert profile.moved is (Cause.TIME if key in movers else None)
        assert profile.decision and (profile.decision.since_ms == after(60).as_of_ms) is (key in movers)


def test_who_does_not_change_gets_a_new_due_date_and_no_move() -> None:
    table = shop({"once": [5]})
    refresh(table, after(89))
    before = table.all()["customer#once"]
    assert before.decision and before.decision.next_change is None
    days = (before.decision.due_ms or 0) // DAY_MS - NOVEMBER_MS // DAY_MS
    assert refresh(table, after(days - 1)) == Refreshed()
    assert (done := refresh(table, after(days))).decided == 1 and done.moved == 0
    again = table.all()["customer#once"]
    assert again.decision and again.decision.due_ms == before.decision.due_ms + 90 * DAY_MS  # type: ignore[operator]
    assert (again.decision.segment, again.decision.since_ms) == (before.decision.segment, before.decision.since_ms)
    assert (again.moved, again.version) == (None, before.version + 1)


def test_who_is_decided_by_another_model_says_that_it_was_the_model() -> None:
    table = shop(SHOP)
    refresh(table, after(12), by="newer")
    causes = {profile.moved for profile in table.all().values() if writes(profile) == 2}
    assert Cause.MODEL in causes and Cause.TIME not in causes


def test_a_repetition_reads_nobody() -> None:
    table = shop(SHOP)
    refresh(table, after(30))
    before, table.requests = table.all(), 0
    assert refresh(table, after(30)) == Refreshed()
    assert (table.all(), table.requests) == (before, 0)


def test_an_index_that_lags_behind_decides_on_nobody_twice() -> None:
    table = shop(SHOP)
    stale = MemoryTable({**table.items})
    refresh(table, after(30))
    before = table.all()
    for shard in due_shards():
        late = due_of(stale, shard, after(30).as_of_ms, 2)
        done, _ = refresh_shard(late, Rescorer(table, LIVE, after(30), no_sleep), lambda: True)
        assert done.decided == 0
    assert table.all() == before


def test_without_time_a_page_is_done_and_the_rest_waits() -> None:
    same_shard = [name for number in range(400) if due_shard(f"customer#{(name := f'c{number}')}") == due_shards()[0]]
    table = shop({name: [5] for name in same_shard[:5]})
    due_now = due_of(table, due_shards()[0], after(60).as_of_ms, 2)
    rescorer = Rescorer(table, LIVE, after(60), no_sleep)
    rounds = [refresh_shard(due_now, rescorer, lambda: False) for _ in range(3)]
    assert [(done.decided, ended) for done, ended in rounds] == [(2, False), (2, False), (1, True)]
    assert decisions(table) == offline(table, after(60))


def test_two_runs_at_once_decide_on_everyone_once() -> None:
    def play(turns: Iterator[int]) -> list[tuple[int, int]]:
        table = shop({"once": [5]})
        made = interleaved(table, [_refresh_on, _refresh_on], turns)
        assert {writes(profile) for profile in table.all().values()} == {2}
        assert decisions(table) == offline(table, after(60))
        return made

    assert every_interleaving(play) > 3


def test_whatever_comes_between_the_requests_of_a_run_and_of_new_events_nothing_is_lost() -> None:
    news = profiles(purchase("once", number=7, timestamp="2017-12-30T12:00:00Z"), purchase("new", day=9))

    def play(turns: Iterator[int]) -> list[tuple[int, int]]:
        table = shop({"once": [5]})
        made = interleaved(table, [_refresh_on, lambda writer: ingest(news, writer, LIVE, after(60))], turns)
        assert {key: profile.events for key, profile in table.all().items()} == {"customer#once": 2, "customer#new": 1}
        assert decisions(table) == offline(table, after(60))
        return made

    assert every_interleaving(play) > 3


@settings(max_examples=at_most(60))
@given(orders=shops, cuts=st.lists(st.integers(0, 5), max_size=4))
def test_a_run_cut_anywhere_and_begun_again_decides_on_everyone_once(orders: Orders, cuts: list[int]) -> None:
    table = shop(orders)
    expected = {key: profile.version + (key in due(table, after(45))) for key, profile in table.all().items()}
    for requests in cuts:
        try:
            refresh(CutTable(table, requests), after(45))
        except Cut:
            continue
    refresh(table, after(45))
    assert {key: profile.version for key, profile in table.all().items()} == expected
    assert decisions(table) == offline(table, after(45))


@pytest.mark.parametrize("hours", [0, 11.5])
def test_who_is_due_at_midnight_is_not_before_it(hours: float) -> None:
    table = shop(SHOP)
    first = min(decision.due_ms for p in table.all().values() if (decision := p.decision) and decision.due_ms)
    days = (first - NOVEMBER_MS) / DAY_MS
    assert refresh(table, after(days - 1 / DAY_MS)).read == 0
    assert refresh(table, after(days + hours / 24)).decided > 0


def _refresh_on(writer: ProfileTable) -> None:
    assert isinstance(writer, MemoryTable)
    refresh(writer, after(60))


@settings(max_examples=at_most(60))
@given(
    writes=st.lists(
        st.tuples(st.sampled_from(["once", "regular", "new"]), st.integers(1, 31), st.booleans()),
        min_size=1,
        max_size=6,
    )
)
def test_whoever_a_writer_without_a_model_stored_is_decided_on_by_the_next_tick(
    writes: list[tuple[str, int, bool]],
) -> None:
    table = shop(SHOP)
    for number, (customer, day, knows) in enumerate(writes, 100):
        news = profiles(purchase(customer, number, day), purchase("witness", number, day))
        ingest(news, table, LIVE if knows else None, after(1), no_sleep)
    waiting = {key for key, profile in table.all().items() if profile.waits_since_ms is not None}
    assert ("customer#witness" in waiting) is not writes[-1][2]
    assert waiting <= due(table, after(1))
    refresh(table, after(1))
    assert decisions(table) == offline(table, after(1))
    assert not due(table, after(1))


def test_who_moves_by_events_that_waited_for_a_model_says_that_it_was_the_events() -> None:
    table = shop(SHOP)
    news = profiles(*(purchase("once", day, day) for day in (28, 29, 30)), purchase("new", 1, 30))
    ingest(news, table, None, after(1), no_sleep)
    assert decisions(table)["customer#once"] != offline(table, after(1))["customer#once"]
    refresh(table, after(1))
    assert decisions(table)["customer#once"] == offline(table, after(1))["customer#once"]
    stored = table.all()
    assert (stored["customer#once"].moved, stored["customer#new"].moved) == (Cause.EVENTS, Cause.MODEL)


def test_waiting_is_kept_from_the_first_write_on_and_writes_the_index_once() -> None:
    table = MemoryTable()
    for day in range(3):
        ingest(profiles(purchase("once", day)), table, None, after(day), no_sleep)
    assert table.all()["customer#once"].waits_since_ms == after(0).as_of_ms


def test_a_visitor_who_is_unlinked_without_a_model_waits_for_one() -> None:
    table = MemoryTable()
    visit = purchase("v", customer_id=None, anonymous_id="phone")
    for event in (visit, purchase("once", anonymous_id="phone")):
        deliver(table, event, bundle=LIVE)
    unlink(table, "phone", after(1), None, no_sleep)
    refresh(table, after(1))
    assert decisions(table) == offline(table, after(1))
    assert set(decisions(table)) == {"customer#once", "visitor#phone"}


def test_a_shard_that_breaks_off_is_told_of_and_stops_no_other() -> None:
    table, broken, broke_off = shop(SHOP), due_shard("customer#once"), list[str]()

    def due(shard: str, position: Position | None) -> DuePage:
        if shard == broken:
            raise TableOverloaded("still throttled")
        return due_of(table, shard, after(60).as_of_ms, 2)(position)

    rescorer = Rescorer(table, LIVE, after(60), no_sleep)
    total, waiting = refresh_shards(due_shards(), due, rescorer, lambda: True, lambda shard, _: broke_off.append(shard))
    assert (broke_off, waiting, total.decided) == ([broken], [], len(SHOP) - 1)
