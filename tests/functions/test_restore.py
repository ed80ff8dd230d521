"""The table is lost and made anew of what the bucket holds: everybody is as they were, and who was erased is not."""

import importlib
import json
from collections import Counter
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from operations.restore import note_quarantine, put_back
from shared.bulk.backfill import PREFIXES
from shared.clock import Moment
from shared.erasure.profiles import Eraser
from shared.identity.links import LinkState
from shared.intake.claims import unlink
from shared.ledger.rows import Ledger
from shared.profiles.item import Item
from shared.profiles.kept_marks import KeptMarks
from shared.profiles.marks import TableNotRestored
from shared.profiles.members import Members
from shared.profiles.places import Places
from shared.profiles.table import ProfileTable
from tests.conftest import BUCKET, TABLE
from tests.functions.conftest import Context, Unhurried, batch, function, put
from tests.functions.streams import Bus, TableStream
from tests.support.bundles import make_bundle, publish
from tests.support.event_files import csv_file, ndjson, ndjson_gz, parquet, purchase
from tests.support.template import table_definition

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

EPOCH = 1_790_000_000_000
ERASED_MS = 1_509_000_000_000


def visit(visitor: str, number: int = 0) -> dict[str, Any]:
    return {**purchase(visitor, number), "customer_id": None, "anonymous_id": visitor}


def sign_in(visitor: str, customer: str, number: int) -> dict[str, Any]:
    return purchase(customer, number, anonymous_id=visitor)


def orders(customer: str, first: int, last: int) -> list[dict[str, Any]]:
    return [purchase(customer, n, day=1 + n % 28) for n in range(first, last)]


HISTORY = {
    "2016.parquet": parquet([*orders("long known", 0, 12), *orders("gone", 0, 6)]),
    "2017.csv": csv_file(orders("returned", 0, 3)),
}
DROPPED = {
    "events/a.ndjson": ndjson([*orders("long known", 10, 15), *orders("new", 0, 2), visit("phone"), {"broken": 1}]),
    "events/b.ndjson.gz": ndjson_gz([sign_in("phone", "new", 20), visit("tablet"), *orders("gone", 3, 9)]),
    "events/c.ndjson": ndjson([purchase("gone", 30, price=-1), purchase("new", 31, price=-1)]),
    "events/torn.ndjson.gz": ndjson_gz(orders("torn", 0, 2))[:30],
}
LIVE = [
    *orders("live alone", 0, 3),
    {**purchase("no id", 1), "event_id": None, "note": "x"},
    sign_in("undone", "new", 40),
    visit("undone", 1),
    sign_in("phone of gone", "gone", 41),
    {**purchase("refused", 1, day=3), "consent": False},
    {**purchase("returned", 50, day=5), "consent": False},
    {**purchase("returned", 51, day=9), "consent": True},
    purchase("returned", 52, day=12),
    purchase("gone", 43, price=-1),
]


class Life:
    """The functions of a stack whose table was made at an epoch, each in a new container."""

    def __init__(self, epoch: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TABLE_EPOCH", str(epoch) if epoch else "")
        self.start: Callable[[str], ModuleType] = cache(lambda name: function(name, monkeypatch))
        self.stream = TableStream()
        self.live = self.start("ingest_live_events")
        self.table: ProfileTable = self.live.table

    def drop(self, files: dict[str, bytes]) -> None:
        for key, body in files.items():
            boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)
        answer = self.start("ingest_events").handler(batch(*files), Context())
        assert answer == {"batchItemFailures": []}

    def send(self, *events: dict[str, Any]) -> None:
        sent = {"SentTimestamp": "1509494390000"}
        records = [
            {"messageId": f"m-{events[0].get('event_id')}-{i}", "body": json.dumps(event), "attributes": sent}
            for i, event in enumerate(events)
        ]
        assert self.live.handler({"Records": records}, Context()) == {"batchItemFailures": []}

    def back_fill(self, **given: Any) -> None:
        planned = self.start("plan_backfill").handler({"execution": f"e{id(self)}", "input": given}, Context())
        plan = json.loads(boto3.client("s3").get_object(Bucket=BUCKET, Key=planned["plan"])["Body"].read())
        for one in plan:
            assert self.start("backfill_events").handler({"run": planned["run"], "batch": one}, Unhurried())["done"]

    def decide(self) -> None:
        segment = {"run": "r", "since": "2026-11-21T22:00:00.000Z", "segment": 0, "segments": 1}
        assert self.start("rescore_customers").handler(segment, Unhurried()) == {"done": True}

    def publish(self) -> None:
        publisher = importlib.reload(importlib.import_module("functions.publish_transitions.app"))
        assert publisher.handler({"Records": self.stream.records()}, Context()) == {"batchItemFailures": []}


def profiles(dynamodb: "DynamoDBClient") -> dict[str, Item]:
    """Every profile's item but for what says when and how often it was written."""
    items: dict[str, Item] = {}
    for page in dynamodb.get_paginator("scan").paginate(TableName=TABLE):
        for item in page["Items"]:
            if item["sk"]["S"] != "profile":
                continue
            kept: Any = {name: value for name, value in item.items() if name not in {"version", "moved"}}
            if "decision" in kept:
                kept["decision"] = {k: v for k, v in kept["decision"]["M"].items() if k != "scored_at_ms"}
            kept["visitors"] = {v: c["M"].get("state") for v, c in kept.get("visitors", {"M": {}})["M"].items()}
            items[item["pk"]["S"]] = kept
    return items


def lose_the_table(dynamodb: "DynamoDBClient") -> None:
    dynamodb.delete_table(TableName=TABLE)
    definition: Any = table_definition("ProfileTable", TABLE)
    dynamodb.create_table(**definition)


@pytest.fixture
def before(
    s3: "S3Client", dynamodb: "DynamoDBClient", bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> tuple[Life, dict[str, Item], set[str]]:
    """A shop's table with all that happens to one, its profiles, and the moves it told of."""
    queue = boto3.client("sqs").create_queue(QueueName="erasures")["QueueUrl"]
    monkeypatch.setenv("ERASURE_QUEUE_URL", queue)
    publish(s3, make_bundle())
    life = Life(0, monkeypatch)
    put(s3, HISTORY)
    life.back_fill(prefix="history/")
    life.drop(DROPPED)
    for event in LIVE:
        life.send(event)
    # An erasure by the API, and those that refusals asked for; what they search in objects is told of elsewhere.
    life.live.marks.refuse("customer#gone", ERASED_MS)
    for key in ("customer#gone", "customer#refused"):
        Eraser(life.table, life.live.marks).erase(key, ERASED_MS)
    unlink(life.table, "undone", Moment(1_509_494_400_000, 1_509_494_400_000), life.live.live_bundle.get(0.0))
    life.live.marks.unlink("visitor#undone")
    life.send(*orders("live alone", 3, 12))
    life.drop(DROPPED)
    life.publish()
    return life, profiles(dynamodb), {detail["transition_id"] for detail in bus.details()}


@pytest.fixture
def after(before: Any, s3: "S3Client", dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch) -> Life:
    """The same shop once its table was lost and made anew."""
    lose_the_table(dynamodb)
    kept = KeptMarks(s3, BUCKET)
    kept.begin(EPOCH)
    life = Life(EPOCH, monkeypatch)
    with pytest.raises(TableNotRestored):
        life.send(purchase("gone", 99))
    assert profiles(dynamodb) == {}
    assert put_back(life.live.marks, kept.all()) > 0
    life.live.marks.complete()
    note_quarantine(s3, BUCKET, life.live.places)
    life.back_fill(prefixes=[*PREFIXES], decide=False)
    life.decide()
    life.publish()
    return life


def test_a_table_made_anew_is_byte_by_byte_what_it_was_and_no_id_comes_twice(
    before: tuple[Life, dict[str, Item], set[str]], after: Life, dynamodb: "DynamoDBClient", bus: Bus
) -> None:
    was, now = before[1], profiles(dynamodb)
    assert {"customer#gone", "customer#refused"}.isdisjoint(was)
    assert len(was) >= 8 and now.keys() == was.keys()
    # A link that was undone stays undone, and no longer says whose it was.
    assert was["visitor#undone"].pop("link")["M"]["state"] == now["visitor#undone"].pop("link")["M"]["state"]
    assert was["customer#new"]["visitors"].pop("undone") is None
    for key in was:
        assert now[key] == was[key], key
    assert now["customer#returned"]["counts_from_ms"] and now["customer#new"]["visitors"]["phone"]

    told_before, details = before[2], bus.details()
    published = Counter(detail["transition_id"] for detail in details)
    assert told_before and published and told_before.isdisjoint(published) and set(published.values()) == {1}
    decided = {
        key: int(item["decision"]["segment"]["N"])
        for key, item in profiles(dynamodb).items()
        if "decision" in item and key.startswith("customer#")
    }
    assert {(f"customer#{d['customer_id']}", d["to"]) for d in details} == {*decided.items()}
    assert +Members(dynamodb, TABLE).sizes() == Counter(decided.values())
    after.send(*orders("new", 5, 12))
    after.publish()
    (moved,) = bus.details()
    assert (moved["customer_id"], moved["to"]) == ("new", 2)
    assert moved["transition_id"] not in told_before | {*published}
    rows, _ = Ledger(dynamodb, TABLE).history("customer#new", 10)
    assert [row.entered for row in rows] == [2, moved["from"]] and rows[0].id == moved["transition_id"]


def test_who_was_erased_does_not_come_back_nor_a_link_that_was_undone(
    before: tuple[Life, dict[str, Item], set[str]], after: Life, s3: "S3Client", dynamodb: "DynamoDBClient"
) -> None:
    after.send(purchase("gone", 99), purchase("refused", 99))
    after.drop(DROPPED)
    assert {"customer#gone", "customer#refused"}.isdisjoint(profiles(dynamodb))
    places: Places = after.live.places
    keys = [*places.of("customer#new")]
    assert any(key.startswith("archive/") for key in keys)
    assert any(key.startswith("quarantine/events/") for key in keys)
    assert any(key.startswith("quarantine/live/") for key in places.of("customer#gone"))

    after.send(sign_in("undone", "new", 60), visit("undone", 61))
    stored = after.table.load(["visitor#undone", "customer#new"])
    link = stored["visitor#undone"].link
    assert link is not None and link.state is LinkState.UNLINKED
    assert "visitor#undone" not in stored["customer#new"].visitors
