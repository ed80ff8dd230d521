"""Files too large for one message: cut into parts, which come in any order, twice, or after the planner was killed."""

import gzip
import json
import random
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from shared.intake.quarantine import Quarantine
from shared.profiles.table import ProfileTable
from tests.conftest import BUCKET
from tests.functions.conftest import Context, announcement, batch_of, body, history_batch, put, quarantined, written
from tests.support.event_files import csv_file, ndjson, parquet, purchase
from tests.support.runs import short_runs

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture(autouse=True, scope="module")
def checkpoints_everywhere() -> Iterator[None]:
    with short_runs():
        yield


EVENTS = [purchase(f"c{i % 2}", i, category=f"a {i}\nof two lines" if i % 5 == 0 else "Hats") for i in range(160)]
BROKEN = [purchase(f"c{i % 2}", 1_000 + i, price=-1) for i in range(10)]
MIXED = [*EVENTS[:80], *BROKEN[:4], *EVENTS[80:], *BROKEN[4:]]
FILES = {
    "ndjson": ndjson(MIXED),
    "csv": csv_file(MIXED),
    "csv.gz": gzip.compress(csv_file(MIXED)),
    "ndjson.gz": gzip.compress(ndjson(MIXED[:50])) + gzip.compress(ndjson(MIXED[50:])),
}


class Queue:
    """The queue of dropped files, and the function behind it."""

    def __init__(self, function: ModuleType) -> None:
        self.function = function
        self.waiting: list[str] = []
        self.random = random.Random(7)

    def send_message(self, QueueUrl: str, MessageBody: str) -> None:
        assert QueueUrl.endswith("/ingest") and len(MessageBody) < 262_144
        self.waiting.append(MessageBody)

    def invoke(self, *messages: str, context: Any = None) -> list[str]:
        records = batch_of(*(json.loads(message) for message in messages))
        answer = self.function.handler(records, context or Context())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def work_off(self, context: Callable[[], Any] = Context) -> int:
        """Takes all messages, some of them twice, in any order; how many there were."""
        count = 0
        while self.waiting:
            message = self.waiting.pop(self.random.randrange(len(self.waiting)))
            assert self.invoke(message, *([message] if self.random.random() < 0.1 else []), context=context()) == []
            count += 1
        return count


class Hurried(Context):
    """An invocation that has time for one piece."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 4_000


@pytest.fixture
def queue(ingest_events: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Queue:
    monkeypatch.setenv("PART_BYTES", "8192")
    queue = Queue(ingest_events)
    monkeypatch.setattr(ingest_events, "sqs", queue)
    return queue


def lines(s3: "S3Client") -> list[tuple[int, str]]:
    """Lines in quarantine with their originals."""
    records = [json.loads(line) for key in quarantined(s3) for line in body(s3, key).splitlines()]
    assert all("original" in record for record in records), [r for r in records if "original" not in r]
    return sorted((record["line"], record["original"]) for record in records)


def drop(s3: "S3Client", queue: Queue, key: str, content: bytes) -> str:
    s3.put_object(Bucket=BUCKET, Key=key, Body=content)
    message = json.dumps(announcement(key))
    queue.waiting.append(message)
    return message


def everybody(table: ProfileTable) -> dict[str, int]:
    return {key: profile.events for key, profile in table.load([f"customer#c{i}" for i in range(2)]).items()}


COUNTS = {f"customer#c{i}": sum(event["customer_id"] == f"c{i}" for event in EVENTS) for i in range(2)}


@pytest.mark.parametrize(
    ("ending", "context"), [*((ending, Context) for ending in FILES), ("csv", Hurried), ("ndjson.gz", Hurried)]
)
def test_a_large_file_is_counted_exactly_once(
    s3: "S3Client", queue: Queue, table: ProfileTable, ending: str, context: Callable[[], Any]
) -> None:
    content = FILES[ending]
    drop(s3, queue, f"events/day.{ending}", content)
    assert queue.work_off(context) > 2
    assert everybody(table) == COUNTS
    cut = lines(s3)
    for key in quarantined(s3):
        s3.delete_object(Bucket=BUCKET, Key=key)
    queue.function.os.environ["PART_BYTES"] = str(64 << 20)
    drop(s3, queue, f"events/day.{ending}", content)
    assert queue.work_off() == 1
    assert cut == lines(s3)
    assert everybody(table) == COUNTS


def test_groups_of_rows_are_parts_of_parquet(
    s3: "S3Client", queue: Queue, table: ProfileTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    import pyarrow
    from pyarrow.parquet import write_table

    buffer = io.BytesIO()
    write_table(pyarrow.Table.from_pylist(MIXED), buffer, row_group_size=30)
    drop(s3, queue, "events/day.parquet", buffer.getvalue())
    assert queue.work_off() > 1
    assert everybody(table) == COUNTS
    assert [number for number, _ in lines(s3)] == [81, 82, 83, 84, *range(165, 171)]
    drop(s3, queue, "events/one.parquet", parquet(EVENTS))
    queue.work_off()
    assert everybody(table) == COUNTS


def test_a_planner_that_is_killed_begins_again(s3: "S3Client", queue: Queue, table: ProfileTable) -> None:
    message = drop(s3, queue, "events/day.ndjson", FILES["ndjson"])
    queue.waiting.clear()
    send = queue.send_message

    def killed(QueueUrl: str, MessageBody: str) -> None:
        if len(queue.waiting) == 2:
            raise KeyboardInterrupt
        send(QueueUrl, MessageBody)

    queue.send_message = killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        queue.invoke(message)
    queue.send_message = send  # type: ignore[method-assign]
    queue.waiting.append(message)
    queue.work_off()
    assert everybody(table) == COUNTS


def test_parts_of_an_object_that_was_replaced_are_told_of(s3: "S3Client", queue: Queue, table: ProfileTable) -> None:
    message = drop(s3, queue, "events/day.ndjson", FILES["ndjson"])
    queue.waiting.clear()
    queue.invoke(message)
    assert len(queue.waiting) > 3
    s3.put_object(Bucket=BUCKET, Key="events/day.ndjson", Body=ndjson([purchase("new")]))
    queue.work_off()
    assert everybody(table) == {}
    [reason] = [json.loads(body(s3, key))["reason"] for key in quarantined(s3)]
    assert reason == "the object was replaced before all of it was read"


def test_a_version_that_was_replaced_counts(s3: "S3Client", queue: Queue, table: ProfileTable) -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=BUCKET, Key="events/day.ndjson", Body=FILES["ndjson"])["VersionId"]
    s3.put_object(Bucket=BUCKET, Key="events/day.ndjson", Body=ndjson([purchase("new")]))
    queue.waiting.append(json.dumps(announcement("events/day.ndjson", version)))
    queue.work_off()
    assert everybody(table) == COUNTS


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("day.csv", b"a,b\n" + b"1,2\n" * 5_000, "no column event_type"),
        ("day.txt", b"1,2\n" * 5_000, "the name must end in"),
        ("day.ndjson.gz", gzip.compress(random.Random(1).randbytes(30_000)), ""),
        ("torn.ndjson.gz", FILES["ndjson.gz"][:-5], "not a whole gzip file"),
        ("day.parquet", b"no Parquet" * 2_000, "it is damaged, or no Parquet"),
    ],
)
def test_a_large_file_that_cannot_be_read_is_quarantined_whole(
    s3: "S3Client", queue: Queue, name: str, content: bytes, reason: str
) -> None:
    drop(s3, queue, f"events/{name}", content)
    queue.work_off()
    reasons = [key for key in quarantined(s3) if key.endswith("reason.json")]
    assert bool(reasons) == bool(reason)
    if reason:
        assert reason in json.loads(body(s3, reasons[0]))["reason"]
        assert any("/whole" in key for key in quarantined(s3))


def test_quarantine_of_all_parts_is_bounded_as_that_of_a_file(
    s3: "S3Client", queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounded = Quarantine(s3, BUCKET, queue.function.places, most_bytes=10_000)
    monkeypatch.setattr(queue.function, "quarantine", bounded)
    content = ndjson([purchase("c1", i, price=-1) for i in range(400)])
    drop(s3, queue, "events/day.ndjson", content)
    queue.work_off()
    records = [json.loads(line) for key in quarantined(s3) for line in body(s3, key).splitlines()]
    originals = [record["original"] for record in records if "original" in record]
    assert 8_000 < sum(map(len, originals)) <= 10_100
    assert len(originals) + sum(record.get("lines", 0) for record in records) == 400


def test_what_there_is_no_time_for_goes_back_into_the_queue(s3: "S3Client", queue: Queue, table: ProfileTable) -> None:
    messages = [drop(s3, queue, f"events/{i}.ndjson", ndjson([purchase(f"c{i}")])) for i in range(2)]
    queue.waiting.clear()
    assert queue.invoke(*messages, context=Hurried()) == []
    assert len(queue.waiting) == 1 and everybody(table) == {"customer#c0": 1}
    queue.work_off()
    assert len(everybody(table)) == 2


@pytest.mark.parametrize("ending", FILES)
def test_a_history_goes_on_where_it_was_in_a_large_file(
    s3: "S3Client", backfill_events: ModuleType, table: ProfileTable, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PART_BYTES", "8192")
    put(s3, {f"a.{ending}": FILES[ending], "b.ndjson": ndjson([purchase("last")])})
    given = history_batch(f"a.{ending}", "b.ndjson")
    rounds = 0
    while not backfill_events.handler(given, Hurried())["done"]:
        rounds += 1
        progress = written(s3, "reports/backfill/r/part-000000.json")
        assert "Hats" not in json.dumps(progress)
    assert rounds > 2
    assert everybody(table) == COUNTS and table.get("customer#last")
    progress = written(s3, "reports/backfill/r/part-000000.json")
    assert (progress["files"], progress["accepted"], progress["counted"], progress["quarantined"]) == (2, 161, 161, 10)


def test_a_history_begins_again_with_a_file_that_was_replaced(
    s3: "S3Client", backfill_events: ModuleType, table: ProfileTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PART_BYTES", "8192")
    put(s3, {"a.ndjson": FILES["ndjson"]})
    assert not backfill_events.handler(history_batch("a.ndjson"), Hurried())["done"]
    put(s3, {"a.ndjson": FILES["ndjson"] + ndjson([purchase("last")])})
    while not backfill_events.handler(history_batch("a.ndjson"), Hurried())["done"]:
        pass
    assert everybody(table) == COUNTS and table.get("customer#last")


class Ending(Context):
    """An invocation whose time runs out after some calls."""

    def __init__(self, calls: int) -> None:
        self._left = calls

    def get_remaining_time_in_millis(self) -> int:  # type: ignore[override]
        self._left -= 1
        return 60_000 if self._left >= 0 else 4_000


def test_what_there_is_no_time_to_write_is_gone_on_with_at_once(
    s3: "S3Client", queue: Queue, table: ProfileTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.intake.ingest.PROFILES_AT_ONCE", 2)
    lines = ndjson([purchase(f"c{i}") for i in range(8)])
    drop(s3, queue, "events/day.ndjson", lines)
    invocations = 0
    while queue.waiting:
        message = queue.waiting.pop()
        assert queue.invoke(message, context=Ending(2)) == []
        invocations += 1
    assert 2 <= invocations <= 4
    assert len(table.load([f"customer#c{i}" for i in range(8)])) == 8
    assert {profile.events for profile in table.load([f"customer#c{i}" for i in range(8)]).values()} == {1}


def test_a_history_that_there_is_no_time_to_write_goes_on(
    s3: "S3Client", backfill_events: ModuleType, table: ProfileTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.intake.ingest.PROFILES_AT_ONCE", 2)
    put(s3, {"a.ndjson": ndjson([purchase(f"c{i}") for i in range(8)])})
    answers = [backfill_events.handler(history_batch("a.ndjson"), Ending(1)) for _ in range(2)]
    assert answers[0] == {"done": False}
    while not backfill_events.handler(history_batch("a.ndjson"), Context())["done"]:
        pass
    assert len(table.load([f"customer#c{i}" for i in range(8)])) == 8
