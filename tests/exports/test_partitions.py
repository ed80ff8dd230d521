"""A partition exported object by object: whatever breaks off, going on writes the same."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from shared.exports import partitions
from shared.exports.partitions import Exporter, PartitionProgress, run_mark
from shared.exports.plan import Plan
from shared.exports.reading import Counts
from shared.exports.rows import Rows
from shared.exports.tables import DELIVERIES
from tests.exports.columns import filled

PLAN = Plan("r", "2017-11-01", 1_509_500_000_000, recorded_until_ms=1)
PAGES = [["a", "b"], ["c"], [], ["d", "e"]]


class Kept:
    """Objects in memory."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}

    def put(self, key: str, body: bytes) -> None:
        self.bodies[key] = body

    def drop(self, key: str) -> None:
        del self.bodies[key]


class OneRowEach:
    """Reads a delivery of each name of a page."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def rows(self, names: Sequence[Any]) -> Iterator[tuple[str, Rows]]:
        self._counts.read += len(names)
        yield DELIVERIES.name, filled(DELIVERIES, names)


def scan(after: Any) -> tuple[list[Any], Any]:
    number = 0 if after is None else int(after[1]) + 1
    return PAGES[number], ("page", str(number)) if number + 1 < len(PAGES) else None


def exporter(kept: Kept, **changes: Any) -> Exporter:
    given: dict[str, Any] = {
        "plan": PLAN,
        "scan": scan,
        "reader": OneRowEach,
        "objects": kept,
        "is_superseded": lambda: False,
        "now_ms": lambda: 5,
        "go_on": lambda: True,
    }
    return Exporter(**given | changes)


def export(kept: Kept, *, keep: Callable[[PartitionProgress], None] = lambda _: None, **changes: Any) -> Any:
    return exporter(kept, **changes).export(PartitionProgress.begin(3, 8, 1), keep)


@pytest.fixture
def an_object_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "BYTES_AT_ONCE", 1)


def test_pages_are_gathered_into_one_object_of_each_table() -> None:
    kept = Kept()
    progress, counts = export(kept)
    (written,) = progress.objects[DELIVERIES.name]
    assert written.key == f"exports/deliveries/date=2017-11-01/{run_mark('r')}-0003-000000.parquet"
    assert (written.rows, written.bytes) == (5, len(kept.bodies[written.key]))
    assert (progress.done, progress.read, counts.read, progress.cursor) == (True, 5, 5, None)


@pytest.mark.usefixtures("an_object_a_page")
@pytest.mark.parametrize("breaks_at", range(3))
def test_going_on_after_it_broke_off_anywhere_writes_the_same_objects(breaks_at: int) -> None:
    whole = Kept()
    export(whole)
    kept = Kept()
    last = [PartitionProgress.begin(3, 8, 1)]

    def keep(progress: PartitionProgress) -> None:
        if len(last) > breaks_at:
            raise TimeoutError
        last.append(progress)

    with pytest.raises(TimeoutError):
        export(kept, keep=keep)
    progress, _ = exporter(kept).export(last[-1], lambda _: None)
    assert (progress.done, progress.read) == (True, 5)
    assert kept.bodies == whole.bodies
    assert len(kept.bodies) == 3  # an empty page is no object


def test_an_invocation_without_time_does_a_page_and_says_that_there_are_more() -> None:
    kept = Kept()
    progress, counts = export(kept, go_on=lambda: False)
    assert (progress.done, progress.read, counts.read, progress.cursor) == (False, 2, 2, ("page", "0"))


@pytest.mark.usefixtures("an_object_a_page")
def test_who_is_overtaken_takes_away_what_they_wrote() -> None:
    kept = Kept()
    overtaken = iter([False, True])
    progress, _ = export(kept, is_superseded=lambda: next(overtaken))
    assert (progress.done, progress.superseded, kept.bodies) == (True, True, {})


def test_objects_of_two_runs_never_have_one_name() -> None:
    assert run_mark("a") != run_mark("b")
    assert run_mark("a/../../'x") == run_mark("a/../../'x")
    assert set(run_mark("a/../../'x")) <= set("run-0123456789abcdef")
