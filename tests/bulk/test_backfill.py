"""Files in batches, and batches that break off; tests/functions/test_backfill_events.py plays the whole function."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from shared.bulk.backfill import (
    Batch,
    BatchProgress,
    NothingToDo,
    batches,
    list_files,
    plan,
    read_plan,
    report,
    take_batch,
)
from shared.clock import Moment
from shared.events import Rules, read_lines
from shared.intake.dropped_file import FileReport
from shared.intake.gathering import Intake
from shared.intake.object_parts import Part
from tests.conftest import BUCKET
from tests.simulation.objects import Objects
from tests.support.event_files import ndjson, purchase
from tests.support.memory_client import Client
from tests.support.memory_table import MemoryTable

NOVEMBER = Moment(as_of_ms=1_509_494_400_000, scored_at_ms=1_509_494_400_250)


@pytest.fixture
def s3() -> Any:
    client = Client(Objects(lambda: 0))
    for key in ("history/2016/a.csv", "history/2016/b.csv", "history/2016/", "history/2017/c.csv", "reports/d.csv"):
        client.put_object(Bucket=BUCKET, Key=key, Body=b"four")
    return client


@given(st.lists(st.integers(0, 10), max_size=20), st.integers(1, 4), st.integers(1, 20))
def test_batches_hold_every_file_once_in_order_within_both_bounds(sizes: list[int], files: int, size: int) -> None:
    known = {str(number): size for number, size in enumerate(sizes)}
    made = list(batches(iter(known.items()), files, size))
    assert [key for batch in made for key in batch.keys] == [*known]
    assert [batch.number for batch in made] == [*range(len(made))]
    for batch in made:
        assert 1 <= len(batch.keys) <= files
        assert len(batch.keys) == 1 or sum(known[key] for key in batch.keys) <= size


def test_folders_are_no_files(s3: Any) -> None:
    assert [*list_files(s3, BUCKET, "history/2016/")] == [("history/2016/a.csv", 4), ("history/2016/b.csv", 4)]


def test_a_plan_has_the_files_of_all_prefixes(s3: Any) -> None:
    [batch] = plan(s3, BUCKET, ["history/2017/", "history/2016/"], decides=False)
    assert batch == Batch(0, ["history/2017/c.csv", "history/2016/a.csv", "history/2016/b.csv"], decides=False)


@pytest.mark.parametrize(("prefix", "why"), [("reports/", "events stand below"), ("history/2015/", "no file below")])
def test_there_is_nothing_to_do_where_there_are_no_files(s3: Any, prefix: str, why: str) -> None:
    with pytest.raises(NothingToDo, match=why):
        plan(s3, BUCKET, [prefix], decides=True)


def test_the_plan_of_a_run_that_began_is_read_and_that_of_another_is_none(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="plan", Body=msgspec.json.encode([Batch(0, ["a"])]))
    assert read_plan(s3, BUCKET, "plan") == [Batch(0, ["a"])]
    assert read_plan(s3, BUCKET, "another") is None


def take(progress: BatchProgress, broken: str = "", go_on: Callable[[], bool] = lambda: True) -> int:
    """Takes files in that hold a customer's order each, and says how often progress was kept."""
    table, kept = MemoryTable(), list[int]()

    def take_in(file: Part, intake: Intake) -> FileReport:
        if file.key in broken:
            raise ClientError({"Error": {"Code": "SlowDown"}}, "GetObject")
        intake.add(read_lines(ndjson([purchase(file.key)]).splitlines(), Rules()), lambda _: None)
        return FileReport(accepted=1)

    seconds: Iterator[float] = iter(range(1_000))
    take_batch(
        progress,
        take_in,
        lambda: Intake(table, None, NOVEMBER),
        lambda progress: kept.append(progress.files),
        lambda: next(seconds),
        go_on,
    )
    return len(kept)


def test_all_files_of_a_batch_are_in_at_its_end() -> None:
    progress = BatchProgress(["a", "b", "c"], 0, 0)
    assert take(progress) == 1
    assert (progress.done, progress.files, progress.counted) == (True, 3, 3)


def test_without_time_one_file_is_in_and_the_others_wait() -> None:
    progress = BatchProgress(["a", "b", "c"], 0, 0)
    assert take(progress, go_on=lambda: False) == 1
    assert (progress.files, progress.todo) == (1, ["b", "c"])


def test_a_file_that_fails_stops_no_other_and_is_tried_by_the_next_attempt() -> None:
    progress = BatchProgress(["a", "b"], 0, 0)
    take(progress, broken="a")
    assert ([*progress.failed], progress.files, progress.done) == (["a"], 1, False)
    take(progress)
    assert (progress.files, progress.done) == (2, True)


def test_a_report_counts_batches_that_never_began_as_unfinished() -> None:
    done = BatchProgress([], 1_000, 3_000, files=2, accepted=9, counted=5, forgotten=1, customers=4)
    summed = report([done], 2)
    assert (summed["unfinished"], summed["files"], summed["events_duplicate"], summed["seconds"]) == (1, 2, 3, 2.0)
