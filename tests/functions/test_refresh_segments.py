"""The function behind the schedule: it reads who is due and nobody else, and hands over what is too much for a tick."""

import importlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType, Item

from shared.clock import Moment
from shared.decisions.deciding import decide
from shared.durations import DAY_MS
from shared.events.event import parse_timestamp
from shared.features import encode, fold
from shared.models.bundle import Bundle
from shared.profiles.due import due_shard, due_shards
from shared.profiles.item import encode_profile
from shared.profiles.stored_profile import StoredProfile
from shared.profiles.table import ProfileTable, TableOverloaded
from tests.conftest import TABLE
from tests.functions.conftest import Context
from tests.support.bundles import make_bundle, publish
from tests.support.event_files import chunks, ndjson, purchase

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

type Drop = Callable[..., list[str]]

NOW = "2017-11-01T00:00:00Z"
NOW_MS = parse_timestamp(NOW)
BUNDLE = make_bundle(feature="visits_30d")
STORED, DUE = 10_000, 37


class Unhurried(Context):
    """An invocation at its beginning."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 300_000


@pytest.fixture
def sqs(aws: None) -> "SQSClient":
    return boto3.client("sqs")


@pytest.fixture
def refresh_segments(
    s3: "S3Client", dynamodb: "DynamoDBClient", sqs: "SQSClient", monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    """The function in a new container, on 1 November 2017."""
    monkeypatch.setenv("FROZEN_TIME", NOW)
    monkeypatch.setenv("REFRESH_QUEUE_URL", sqs.create_queue(QueueName="refresh")["QueueUrl"])
    return importlib.reload(importlib.import_module("functions.refresh_segments.app"))


def store(customers: int, due: int) -> None:
    """Customers with one order each, of whom the first `due` are due by now and the others from tomorrow on.

    They are put where moto keeps them: each request of so many would take as long as a test.
    """
    kept: Any = dynamodb_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"].tables[TABLE].items
    history = fold(*[chunk.events for chunk in chunks([purchase("one")])])
    (state,) = encode(history)
    long_ago = Moment(NOW_MS - 20 * DAY_MS, NOW_MS - 20 * DAY_MS)
    (decision,) = decide(history, {}, Bundle.from_files(*BUNDLE), long_ago).values()
    for number in range(customers):
        due_ms = NOW_MS - number * DAY_MS // due if number < due else NOW_MS + (1 + number % 90) * DAY_MS
        profile = StoredProfile(f"customer#{number}", 1, state, 1, replace(decision, due_ms=due_ms))
        item: Any = encode_profile(profile)
        first, second = DynamoType(item["pk"]), DynamoType(item["sk"])
        kept[first][second] = Item(first, second, item)


@pytest.fixture
def requests(refresh_segments: ModuleType) -> Iterator[Counter[str]]:
    """Counts the function's requests of the table from now on, and the items that DynamoDB reads for them."""
    requests = Counter[str]()

    def count(parsed: Any, model: Any, **_: Any) -> None:
        requests[model.name] += 1
        requests["items"] += parsed.get("ScannedCount", 0)
        requests["items"] += sum(map(len, parsed.get("Responses", {}).values())) if model.name == "BatchGetItem" else 0

    events = refresh_segments.dynamodb.meta.events
    events.register("after-call.dynamodb", count)
    yield requests
    events.unregister("after-call.dynamodb", count)


def queued(sqs: "SQSClient", function: ModuleType) -> int:
    answer = sqs.get_queue_attributes(QueueUrl=function.queue, AttributeNames=["ApproximateNumberOfMessages"])
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def message(shard: str) -> dict[str, Any]:
    return {"Records": [{"messageId": "1", "body": shard, "eventSource": "aws:sqs"}]}


def due_dates(table: ProfileTable, customers: int) -> list[int]:
    stored = table.load([f"customer#{number}" for number in range(customers)])
    return [profile.decision.due_ms or 0 for profile in stored.values() if profile.decision]


def test_of_10000_stored_the_37_due_are_read_and_nobody_else(
    s3: "S3Client",
    dynamodb: "DynamoDBClient",
    table: ProfileTable,
    refresh_segments: ModuleType,
    requests: Counter[str],
    measured: Callable[[], dict[str, int]],
) -> None:
    publish(s3, BUNDLE)
    store(STORED, DUE)
    requests.clear()
    answer = refresh_segments.handler({}, Unhurried())
    late = (DUE - 1) * DAY_MS // DUE // 1_000
    assert answer == {
        "DueRead": DUE, "DueDecided": DUE, "SegmentsChanged": 0, "DueSince": late, "ShardsWaiting": 0
    }  # fmt: skip
    assert requests["Query"] == len(due_shards())
    assert requests["items"] == 2 * DUE  # an entry of the index and the profile it leads to
    assert measured()["DueRead"] == DUE
    assert min(due_dates(table, DUE)) > NOW_MS

    requests.clear()
    assert refresh_segments.handler({}, Unhurried())["DueRead"] == 0
    assert requests == {"Query": len(due_shards()), "items": 0}


def test_shards_with_more_than_a_page_are_queued_once_and_worked_off(
    s3: "S3Client",
    sqs: "SQSClient",
    dynamodb: "DynamoDBClient",
    table: ProfileTable,
    refresh_segments: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = refresh_segments.due_page
    monkeypatch.setattr(refresh_segments, "due_page", lambda *asked: whole(*asked, limit=3))
    publish(s3, BUNDLE)
    store(100, 100)
    crowded = sorted(
        shard for shard, count in Counter(due_shard(f"customer#{number}") for number in range(100)).items() if count > 3
    )
    assert refresh_segments.handler({}, Unhurried())["ShardsWaiting"] == len(crowded) > 10
    assert queued(sqs, refresh_segments) == len(crowded)
    refresh_segments.handler({}, Unhurried())
    assert queued(sqs, refresh_segments) == len(crowded)
    for shard in crowded:
        assert refresh_segments.handler(message(shard), Unhurried())["ShardsWaiting"] == 0
    assert min(due_dates(table, 100)) > NOW_MS


def test_nobody_is_decided_on_before_a_bundle_is_published(
    refresh_segments: ModuleType, requests: Counter[str]
) -> None:
    store(3, 3)
    requests.clear()
    assert refresh_segments.handler({}, Unhurried()) == {}
    assert not requests


def test_who_was_stored_by_a_container_that_knew_no_bundle_is_decided_on_by_the_next_tick(
    s3: "S3Client", ingest_events: ModuleType, drop: Drop, table: ProfileTable, refresh_segments: ModuleType
) -> None:
    assert ingest_events.live_bundle.get(time.monotonic()) is None
    publish(s3, BUNDLE)
    assert drop({"events/day.ndjson": ndjson([purchase("889")])}) == []
    stored = table.get("customer#889")
    assert stored and stored.decision is None
    assert refresh_segments.handler({}, Unhurried())["DueDecided"] == 1
    decided = table.get("customer#889")
    assert decided and decided.decision and decided.waits_since_ms is None
    assert refresh_segments.handler({}, Unhurried())["DueRead"] == 0


def test_a_shard_that_breaks_off_stops_no_other(
    s3: "S3Client",
    dynamodb: "DynamoDBClient",
    table: ProfileTable,
    refresh_segments: ModuleType,
    measured: Callable[[], dict[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish(s3, BUNDLE)
    store(100, 100)
    whole = refresh_segments.due_page

    def overloaded(client: Any, name: str, shard: str, *rest: Any) -> Any:
        if shard == due_shards()[3]:
            raise TableOverloaded("still throttled")
        return whole(client, name, shard, *rest)

    monkeypatch.setattr(refresh_segments, "due_page", overloaded)
    refresh_segments.handler({}, Unhurried())
    left = [number for number in range(100) if due_shard(f"customer#{number}") == due_shards()[3]]
    assert sum(due_ms <= NOW_MS for due_ms in due_dates(table, 100)) == len(left) > 0
    assert measured()["RefreshFailures"] == 1


@pytest.mark.parametrize(
    "spoiled", [{"state": {"B": b"\x09\x00"}}, {"state": {"B": b"\x02"}}, {"events": {"S": "many"}}]
)
def test_a_profile_that_cannot_be_read_stops_nobody_else(
    s3: "S3Client",
    dynamodb: "DynamoDBClient",
    table: ProfileTable,
    refresh_segments: ModuleType,
    measured: Callable[[], dict[str, int]],
    spoiled: dict[str, Any],
) -> None:
    publish(s3, BUNDLE)
    store(100, 100)
    broken = encode_profile(table.load(["customer#50"])["customer#50"]) | spoiled
    dynamodb.put_item(TableName=TABLE, Item=broken)
    answer = refresh_segments.handler({}, Unhurried())
    assert (answer["DueRead"], answer["DueDecided"]) == (100, 99)
    assert dynamodb.get_item(TableName=TABLE, Key={"pk": broken["pk"], "sk": broken["sk"]})["Item"] == broken
    counts = measured()
    assert counts["ProfilesUnreadable"] == 1 and "RefreshFailures" not in counts
