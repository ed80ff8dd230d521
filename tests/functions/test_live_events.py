"""From POST /events, the bus, Kinesis and Kafka to profiles."""

import json
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from shared.erasure.objects import SearchedObjects
from shared.features.codec import VERSION
from shared.intake.live_events import packed
from shared.profiles.item import encode_profile
from shared.profiles.stored_profile import StoredProfile
from shared.profiles.table import ProfileNotWritten, ProfileTable
from shared.telemetry.errors import AnonymousError
from tests.conftest import BUCKET, TABLE
from tests.functions.conftest import Context, Unhurried, batch, kept
from tests.functions.live import archived, in_kafka, in_kinesis, on_the_bus, queued
from tests.support.event_files import ndjson, purchase

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


@pytest.mark.parametrize(
    "invocation",
    [
        pytest.param(on_the_bus(purchase("889")), id="bus"),
        pytest.param(on_the_bus({"events": [purchase("889")]}), id="bus, a list"),
        pytest.param(queued(packed([json.dumps(purchase("889")).encode()])), id="api"),
        pytest.param(in_kinesis(json.dumps(purchase("889"), indent=1).encode()), id="kinesis"),
        pytest.param(in_kinesis(ndjson([purchase("889"), purchase("889")])), id="kinesis, lines"),
        pytest.param(in_kinesis(json.dumps([purchase("889")]).encode()), id="kinesis, a list"),
        pytest.param(in_kafka(json.dumps(purchase("889")).encode(), None), id="kafka"),
    ],
)
def test_events_of_every_source_are_decided_on(
    ingest: ModuleType, table: ProfileTable, invocation: dict[str, Any]
) -> None:
    for _ in range(2):
        assert ingest.handler(invocation, Context()) == {"batchItemFailures": []}
    profile = table.get("customer#889")
    assert profile is not None and profile.events == 1
    assert profile.decision is not None and profile.decision.segment == 0


@pytest.mark.parametrize(
    ("invocation", "prefix"),
    [
        pytest.param(on_the_bus({"event_type": "purchase"}), "bus/message-0/", id="bus"),
        pytest.param(in_kinesis(b"\xff\x00"), "kinesis/0/", id="kinesis"),
        pytest.param(in_kinesis(b'{"events": 5}'), "kinesis/0/", id="no list"),
        pytest.param(in_kafka(b"not json"), "kafka/events-0-0/", id="kafka"),
        pytest.param(in_kinesis(b""), "kinesis/0/", id="nothing"),
    ],
)
def test_bad_events_are_kept_and_hold_nothing_up(
    ingest: ModuleType, s3: "S3Client", invocation: dict[str, Any], prefix: str
) -> None:
    for _ in range(2):
        assert ingest.handler(invocation, Context()) == {"batchItemFailures": []}
    (record,) = kept(s3, prefix)
    assert record["reason"]


def test_what_the_table_never_takes_is_kept_and_the_rest_counts(
    ingest: ModuleType, s3: "S3Client", table: ProfileTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = ingest.table.save

    def refuse(profiles: Any) -> Any:
        if any(profile.key == "customer#poison" for profile in profiles):
            raise ProfileNotWritten("a profile was refused")
        return save(profiles)

    monkeypatch.setattr(ingest.table, "save", refuse)
    events = [json.dumps(purchase(customer)) for customer in ("889", "poison", "890")]
    assert ingest.handler(queued(events), Context()) == {"batchItemFailures": []}
    assert {*table.load(["customer#889", "customer#890"])} == {"customer#889", "customer#890"}
    (record,) = kept(s3, "")
    assert record["reason"] == "it can never be taken in: ProfileNotWritten: a profile was refused"
    assert record["original"] == events[1] and record["people"] == ["customer#poison"]


@pytest.mark.parametrize(
    "deliver",
    [lambda *bodies: queued(body.decode() for body in bodies), in_kinesis, in_kafka],
    ids=["sqs", "kinesis", "kafka"],
)
def test_what_is_valid_is_archived_by_the_hour_it_was_sent_in(
    ingest: ModuleType, s3: "S3Client", deliver: Callable[..., dict[str, Any]]
) -> None:
    good = [json.dumps(purchase("889"), indent=1).encode(), json.dumps([purchase("890"), purchase("", 2)]).encode()]
    for _ in range(2):
        ingest.handler(deliver(*good, b"{broken"), Context())
    ((key, body),) = archived(s3).items()
    assert key.startswith("archive/2017/10/31/23/") and key.endswith(".ndjson.gz")
    assert [json.loads(line) for line in body.splitlines()] == [purchase("889"), purchase("890")]
    assert {*ingest.places.of("customer#889")} == {*ingest.places.of("customer#890")} == {key}


def test_the_archive_taken_in_by_a_back_fill_gives_the_same_profiles(
    ingest: ModuleType, s3: "S3Client", table: ProfileTable, backfill_events: ModuleType, dynamodb: "DynamoDBClient"
) -> None:
    segment = {"type": "track", "messageId": "m", "event": "Product Viewed", "userId": "seg", "timestamp": "2017-10-01"}
    plain = {**purchase("889", 3), "event_id": None, "note": "no id"}
    visit = {**purchase("v"), "customer_id": None, "anonymous_id": "v"}
    events = [purchase("889"), plain, visit, {**purchase("889", 4), "anonymous_id": "v"}, segment]
    ingest.handler(queued(json.dumps(event, indent=2) for event in events), Context())
    people = ["customer#889", "visitor#v", "customer#seg"]
    before = table.load(people)
    assert {*before} == {*people}
    for key in people:
        dynamodb.delete_item(TableName=TABLE, Key={"pk": {"S": key}, "sk": {"S": "profile"}})
        ingest.places.forget(key, before_ms=2**60)
    batch = {"run": "r", "batch": {"number": 0, "keys": [*archived(s3)]}}
    assert backfill_events.handler(batch, Unhurried()) == {"done": True}

    def histories(profiles: dict[str, StoredProfile]) -> dict[str, tuple[bytes, int, object, object]]:
        copies = {key: {v: copy.state for v, copy in profile.visitors.items()} for key, profile in profiles.items()}
        return {key: (profile.state, profile.events, profile.link, copies[key]) for key, profile in profiles.items()}

    assert histories(table.load(people)) == histories(before)
    assert all([*ingest.places.of(key)] == [*archived(s3)] for key in people)


def test_who_was_erased_is_not_archived_and_who_is_erased_later_is_taken_out(
    ingest: ModuleType, s3: "S3Client", dynamodb: "DynamoDBClient"
) -> None:
    ingest.marks.refuse("customer#gone", 1_509_494_400_000)
    events = [purchase("gone"), purchase("889"), {**purchase("889", 2), "anonymous_id": "phone"}, purchase("890")]
    ingest.handler(queued(map(json.dumps, events)), Context())
    ((key, body),) = archived(s3).items()
    assert b"gone" not in body and len(body.splitlines()) == 3
    assert [*ingest.places.of("customer#gone")] == []
    searched = SearchedObjects(s3, BUCKET, ingest.places, ["customer#889", "visitor#phone"]).search(key)
    assert searched.lines == 2 and searched.doubt is None
    assert [json.loads(line)["customer_id"] for line in archived(s3)[key].splitlines()] == ["890"]


def test_an_event_longer_than_a_line_of_a_file_does_not_spoil_the_others(ingest: ModuleType, s3: "S3Client") -> None:
    long = {**purchase("889"), "note": "x" * 1_100_000}
    ingest.handler(in_kinesis(json.dumps(long).encode(), json.dumps(purchase("890")).encode()), Context())
    (body,) = archived(s3).values()
    assert [json.loads(line)["customer_id"] for line in body.splitlines()] == ["890"]


def in_a_newer_state(dynamodb: "DynamoDBClient", table: ProfileTable, key: str) -> StoredProfile:
    """Spoils a profile for this release, and gives what it was."""
    profile = table.load([key])[key]
    newer = replace(profile, state=bytes([VERSION + 1]) + profile.state[1:])
    dynamodb.put_item(TableName=TABLE, Item=encode_profile(newer))
    return profile


def test_only_messages_that_name_a_profile_of_a_newer_release_come_again(
    ingest: ModuleType, s3: "S3Client", dynamodb: "DynamoDBClient", table: ProfileTable
) -> None:
    ingest.handler(queued([json.dumps(purchase("newer"))]), Context())
    profile = in_a_newer_state(dynamodb, table, "customer#newer")
    batch = queued([json.dumps(purchase(customer, 1)) for customer in ("889", "newer", "890")])
    for _ in range(2):
        assert ingest.handler(batch, Context()) == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    assert {*table.load(["customer#889", "customer#890"])} == {"customer#889", "customer#890"}
    assert kept(s3, "") == []
    dynamodb.put_item(TableName=TABLE, Item=encode_profile(profile))
    assert ingest.handler(batch, Context()) == {"batchItemFailures": []}
    stored = table.get("customer#newer")
    assert stored and stored.events == 2


def test_kafka_waits_for_the_newer_release(ingest: ModuleType, dynamodb: "DynamoDBClient", table: ProfileTable) -> None:
    ingest.handler(queued([json.dumps(purchase("newer"))]), Context())
    in_a_newer_state(dynamodb, table, "customer#newer")
    with pytest.raises(AnonymousError, match="newer release"):
        ingest.handler(in_kafka(json.dumps(purchase("newer", 1)).encode()), Context())
    assert ingest.handler(in_kafka(json.dumps(purchase("889")).encode()), Context()) == {"batchItemFailures": []}


MAPPING = b"""
[columns]
timestamp = "at"
customer_id = "who"
anonymous_id = "device"
product_id = "items[].sku"
price = "items[].paid"
[constants]
event_type = "purchase"
"""
ROWS: list[dict[str, Any]] = [
    {
        "at": "2017-10-01T10:00:00Z",
        "who": "889",
        "device": "phone",
        "items": [{"sku": "a", "paid": 3}, {"paid": "2,000"}],
    },
    {"at": "2017-10-02T10:00:00Z", "who": "889", "items": []},
    {"at": "2017-10-03T10:00:00Z", "items": [{"sku": "a", "paid": 3}]},
]


@pytest.mark.parametrize(
    "invocation",
    [
        pytest.param(on_the_bus({"mapping": "shop-a", "events": ROWS}), id="bus"),
        pytest.param(queued(packed([json.dumps(row).encode() for row in ROWS], "shop-a")), id="api"),
        pytest.param(in_kinesis(json.dumps({"mapping": "shop-a", "events": ROWS}).encode()), id="kinesis"),
        pytest.param(in_kafka(json.dumps({"events": ROWS, "mapping": "shop-a"}).encode()), id="kafka"),
    ],
)
def test_events_in_a_shops_own_columns_end_as_a_file_of_them_and_as_their_archive_does(
    ingest: ModuleType,
    ingest_events: ModuleType,
    backfill_events: ModuleType,
    s3: "S3Client",
    dynamodb: "DynamoDBClient",
    table: ProfileTable,
    invocation: dict[str, Any],
) -> None:
    mapping: Any = {"Bucket": BUCKET, "Key": "mappings/shop-a.toml"}
    s3.put_object(**mapping, Body=b'files = "events/a/*"' + MAPPING)
    for _ in range(2):
        assert ingest.handler(invocation, Context()) == {"batchItemFailures": []}
    live = states(table)
    assert {key: events for key, (events, _) in live.items()} == {"customer#889": 3, "visitor#phone": 0}
    assert {(record["reason"], record["line"]) for record in kept(s3, "")} == {("who and device are missing", 3)}
    empty(dynamodb)
    s3.put_object(Bucket=BUCKET, Key="events/a/rows.ndjson", Body=ndjson(ROWS))
    ingest_events.handler(batch("events/a/rows.ndjson"), Context())
    assert states(table) == live
    # What was archived says the same, by whatever mapping it came.
    empty(dynamodb)
    s3.put_object(**mapping, Body=b'files = "*"' + MAPPING.replace(b"paid", b"other"))
    run = {"run": "r", "batch": {"number": 0, "keys": [*archived(s3)]}}
    assert backfill_events.handler(run, Unhurried()) == {"done": True}
    assert states(table) == live


def states(table: ProfileTable) -> dict[str, tuple[int, bytes]]:
    return {key: (stored.events, stored.state) for key, stored in table.load(["customer#889", "visitor#phone"]).items()}


def empty(dynamodb: "DynamoDBClient") -> None:
    for item in dynamodb.scan(TableName=TABLE)["Items"]:
        dynamodb.delete_item(TableName=TABLE, Key={"pk": item["pk"], "sk": item["sk"]})


def test_a_message_whose_mapping_is_not_there_is_kept_whole(ingest: ModuleType, s3: "S3Client") -> None:
    invocation = on_the_bus({"mapping": "shop-b", "events": ROWS})
    assert ingest.handler(invocation, Context()) == {"batchItemFailures": []}
    [record] = kept(s3, "bus/message-0/")
    assert record["reason"] == "the mapping that it names is none of the bucket's, or cannot be used"
    assert json.loads(record["original"]) == {"mapping": "shop-b", "events": ROWS}
    assert archived(s3) == {}
