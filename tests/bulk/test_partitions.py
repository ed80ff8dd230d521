"""A new model decides on everyone once, whatever breaks off, comes between or is published meanwhile."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.bulk.partitions import Cursor, Page, PartitionProgress, report, rescore_partition
from shared.bulk.rescore import Rescorer
from shared.clock import Moment
from shared.decisions.deciding import decide
from shared.decisions.transitions import Cause
from shared.intake.ingest import ingest
from shared.models.bundle import Bundle
from shared.profiles.histories import histories
from shared.profiles.stored_profile import StoredProfile
from shared.profiles.table import ProfileTable
from tests.support.bundles import make_bundle
from tests.support.event_files import profiles, purchase
from tests.support.examples import at_most
from tests.support.memory_table import Cut, CutTable, MemoryTable, every_interleaving, interleaved, writes

OCTOBER = Moment(as_of_ms=1_509_494_400_000, scored_at_ms=1_509_494_400_250)
NOVEMBER = Moment(as_of_ms=1_512_086_400_000, scored_at_ms=1_512_086_400_250)


@cache
def bundle(name: str) -> Bundle:
    centroids = {"old": (0.0, 2.0, 10.0), "new": (1.0, 3.0, 4.0), "newest": (0.0, 1.0, 2.0)}
    return Bundle.from_files(*make_bundle(name, centroids=centroids[name]))


def shop(customers: int, by: str = "old") -> MemoryTable:
    """Customer i has i % 6 + 1 orders."""
    table = MemoryTable()
    orders = [purchase(str(i), number=n, day=1 + n) for i in range(customers) for n in range(i % 6 + 1)]
    if orders:
        ingest(profiles(*orders), table, bundle(by), OCTOBER, no_sleep)
    return table


def begun(partition: int = 0, partitions: int = 1) -> PartitionProgress:
    return PartitionProgress(partition, partitions, since_ms=NOVEMBER.as_of_ms, started_ms=0, updated_ms=0)


def no_sleep(_seconds: float) -> None:
    return


def scan_of(
    table: MemoryTable, page_size: int, partition: int = 0, partitions: int = 1
) -> Callable[[Cursor | None], Page]:
    def scan(after: Cursor | None) -> Page:
        table.load([])  # a request, at which writers may take turns
        mine = sorted(key for key in table.items if zlib.crc32(key.encode()) % partitions == partition)
        rest = [key for key in mine if after is None or key > after[0]]
        page = rest[:page_size]
        return [table.all()[key] for key in page], (page[-1], "profile") if len(rest) > page_size else None

    return scan


def run(
    table: MemoryTable,
    model: Callable[[], str] = lambda: "new",
    progress: PartitionProgress | None = None,
    keep: Callable[[PartitionProgress], None] = lambda _: None,
    go_on: Callable[[], bool] = lambda: True,
    page_size: int = 3,
) -> PartitionProgress:
    progress = progress or begun()
    scan = scan_of(table, page_size, progress.partition, progress.partitions)
    rescorer = lambda: Rescorer(table, bundle(model()), NOVEMBER, no_sleep)  # noqa: E731
    return rescore_partition(progress, scan, rescorer, keep, go_on)


def assert_decided(table: MemoryTable, by: str) -> None:
    stored = table.all()
    expected = decide(histories(stored.values()), {}, bundle(by), NOVEMBER)
    for key, profile in stored.items():
        decision = profile.decision
        assert decision is not None and decision.model_version == by
        wanted = expected[key]
        assert (decision.segment, decision.runner_up, decision.predictions, decision.intent) == (
            wanted.segment,
            wanted.runner_up,
            wanted.predictions,
            wanted.intent,
        )


def test_everyone_is_decided_once_and_movers_say_that_it_was_the_model() -> None:
    table = shop(20)
    before = table.all()
    done = run(table)
    after = table.all()
    assert_decided(table, by="new")
    assert {writes(profile) for profile in after.values()} == {2}
    movers = [key for key in after if _segment(before[key]) != _segment(after[key])]
    assert 0 < len(movers) < len(after)
    assert {key for key, profile in after.items() if profile.moved is Cause.MODEL} == {*movers}
    assert {after[key].moved for key in after.keys() - movers} == {None}
    assert (done.read, done.decided, done.moved, done.done) == (20, 20, len(movers), True)


def test_a_repetition_only_reads() -> None:
    table = shop(10)
    run(table)
    before, table.requests = table.all(), 0
    again = run(table)
    assert (again.read, again.decided, again.moved) == (10, 0, 0)
    assert table.all() == before


def test_those_who_are_nobody_yet_or_any_more_stay_undecided() -> None:
    table = MemoryTable()
    ingest(profiles(purchase("v", customer_id=None, anonymous_id="phone")), table, None, OCTOBER, no_sleep)
    table.items["customer#gone"] = {
        "pk": {"S": "customer#gone"},
        "sk": {"S": "profile"},
        "version": {"N": "3"},
        "state": {"B": b""},
        "events": {"N": "0"},
    }
    done = run(table)
    assert (done.read, done.decided) == (2, 1)
    assert table.all()["customer#gone"].decision is None


@settings(max_examples=at_most(60))
@given(
    customers=st.integers(0, 12),
    page_size=st.integers(1, 5),
    partitions=st.integers(1, 3),
    cuts=st.lists(st.tuples(st.integers(0, 6), st.booleans(), st.integers(0, 3)), max_size=6),
)
def test_a_run_cut_anywhere_and_resumed_decides_on_everyone_once(
    customers: int, page_size: int, partitions: int, cuts: list[tuple[int, bool, int]]
) -> None:
    table = shop(customers)
    kept: dict[int, PartitionProgress] = {}
    attempts = iter(cuts)
    for partition in range(partitions):
        while partition not in kept or not kept[partition].done:
            requests, forgets, pages = next(attempts, (1_000, False, 1_000))
            cut_table, left = CutTable(table, requests), iter(range(pages))

            def keep(progress: PartitionProgress, partition: int = partition, forgets: bool = forgets) -> None:
                if forgets:
                    raise Cut  # the page is written, and that it is was not
                kept[partition] = progress

            progress = kept.get(partition, begun(partition, partitions))
            try:
                run(cut_table, progress=progress, keep=keep, go_on=lambda: next(left, None) is not None)  # noqa: B023
            except Cut:
                continue
    assert_decided(table, by="new")
    assert {writes(profile) for profile in table.all().values()} <= {2}
    summed = report([*kept.values()], partitions)
    assert (summed["unfinished"], summed["read"]) == (0, customers)
    assert summed["decided"] <= customers


def test_invocations_without_time_do_a_page_each() -> None:
    table, progress, invocations = shop(10), None, 0
    while progress is None or not progress.done:
        progress, invocations = run(table, progress=progress, go_on=lambda: False), invocations + 1
    assert invocations == 4
    assert_decided(table, by="new")


def test_whatever_comes_between_the_requests_of_a_run_and_of_new_events_nothing_is_lost() -> None:
    news = profiles(purchase("0", number=7, day=9), purchase("new", day=9))

    def play(turns: Iterator[int]) -> list[tuple[int, int]]:
        table = shop(1)
        made = interleaved(table, [_run_on, lambda writer: ingest(news, writer, bundle("new"), NOVEMBER)], turns)
        run(table)
        assert_decided(table, by="new")
        assert {key: profile.events for key, profile in table.all().items()} == {"customer#0": 2, "customer#new": 1}
        return made

    assert every_interleaving(play) > 10


def test_a_second_sweep_finds_those_whom_a_function_with_the_model_before_decided_on_meanwhile() -> None:
    news = profiles(purchase("0", number=7, day=9), purchase("late", day=9))
    late = list[int]()

    def play(turns: Iterator[int]) -> list[tuple[int, int]]:
        table = shop(2)
        made = interleaved(table, [_run_on, lambda writer: ingest(news, writer, bundle("old"), NOVEMBER)], turns)
        late.append(run(table).decided)
        assert_decided(table, by="new")
        return made

    every_interleaving(play)
    assert 0 in late and max(late) > 0


def test_of_two_models_published_in_quick_succession_the_later_wins() -> None:
    table = shop(10)
    live = iter(["new", "new", *["newest"] * 10])
    earlier = run(table, model=lambda: next(live))
    assert (earlier.superseded, earlier.done, earlier.model_version, earlier.read) == (True, True, "new", 6)
    later = run(table, model=lambda: "newest")
    assert (later.superseded, later.decided) == (False, 10)
    assert_decided(table, by="newest")


def test_two_runs_of_one_model_at_once_decide_on_everyone_once() -> None:
    def play(turns: Iterator[int]) -> list[tuple[int, int]]:
        table = shop(2)
        made = interleaved(table, [_run_on, _run_on], turns)
        assert {writes(profile) for profile in table.all().values()} == {2}
        assert_decided(table, by="new")
        return made

    assert every_interleaving(play) > 10


def test_a_report_counts_partitions_that_never_began_as_unfinished() -> None:
    begun: Sequence[PartitionProgress] = [PartitionProgress(0, 3, 0, 1_000, 3_500, "new", 5, 4, 1, done=True)]
    summed = report(begun, 3)
    assert (summed["unfinished"], summed["read"], summed["decided"], summed["moved"], summed["seconds"]) == (
        2,
        5,
        4,
        1,
        2.5,
    )
    assert summed["model_versions"] == ["new"]
    assert report([], 1)["unfinished"] == 1


def _run_on(writer: ProfileTable) -> None:
    assert isinstance(writer, MemoryTable)
    run(writer)


def _segment(profile: StoredProfile) -> int | None:
    return profile.decision.segment if profile.decision else None
