"""AWS in memory answers as moto does, for the calls that the functions make."""

import random
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import BUCKET, TABLE
from tests.simulation.cloud import Cloud
from tests.simulation.expressions import Item
from tests.simulation.table import Refused

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def cloud() -> Cloud:
    made = Cloud(lambda: 0, random.Random(1), lambda kind: None)
    made.table._page = made.objects._page = 1_000
    made.table._stale = lambda: False
    return made


def both(cloud: Cloud, client: Any, service: str, operation: str, request: Item) -> tuple[Any, Any]:
    """What the world and what moto answer: the code of an error where it is one."""
    try:
        ours: Any = cloud.call(service, operation, request)
    except Refused as refused:
        ours = (refused.code, [reason["Code"] for reason in refused.more.get("CancellationReasons", ())])
    try:
        theirs = client._make_api_call(operation, request)
    except ClientError as error:
        reasons = error.response.get("CancellationReasons", ())
        theirs = (error.response["Error"]["Code"], [reason["Code"] for reason in reasons])
    return ours, theirs


def item(pk: str, sk: str = "profile", **attributes: Any) -> Item:
    return {"pk": {"S": pk}, "sk": {"S": sk}, **attributes}


VERSION = {":seen": {"N": "1"}}
WRITES: list[tuple[str, Item]] = [
    ("PutItem", {"Item": item("a", version={"N": "1"})}),
    ("PutItem", {"Item": item("a"), "ConditionExpression": "attribute_not_exists(pk)"}),
    (
        "UpdateItem",
        {
            "Key": item("a"),
            "UpdateExpression": "ADD given :at",
            "ExpressionAttributeValues": {":at": {"NS": ["5", "7"]}},
        },
    ),
    (
        "UpdateItem",
        {"Key": item("a"), "UpdateExpression": "ADD given :at", "ExpressionAttributeValues": {":at": {"NS": ["7"]}}},
    ),
    (
        "UpdateItem",
        {"Key": item("s"), "UpdateExpression": "ADD n :by", "ExpressionAttributeValues": {":by": {"N": "-2"}}},
    ),
    *[
        (
            "UpdateItem",
            {
                "Key": item("m", "mark"),
                "UpdateExpression": "SET #name = :value",
                "ConditionExpression": "attribute_not_exists(#name) OR #name < :value",
                "ExpressionAttributeNames": {"#name": "ended"},
                "ExpressionAttributeValues": {":value": {"N": value}},
            },
        )
        for value in ("10", "9", "10", "11")
    ],
    (
        "DeleteItem",
        {
            "Key": item("a"),
            "ConditionExpression": "version = :seen",
            "ExpressionAttributeValues": {":seen": {"N": "2"}},
        },
    ),
    ("DeleteItem", {"Key": item("a"), "ConditionExpression": "version = :seen", "ExpressionAttributeValues": VERSION}),
    ("DeleteItem", {"Key": item("a"), "ConditionExpression": "version = :seen", "ExpressionAttributeValues": VERSION}),
]


def test_conditions_and_updates_are_those_of_dynamodb(cloud: Cloud, dynamodb: "DynamoDBClient") -> None:
    for operation, request in WRITES:
        ours, theirs = both(cloud, dynamodb, "dynamodb", operation, {"TableName": TABLE, **request})
        assert isinstance(ours, tuple) is isinstance(theirs, tuple), (operation, request, ours, theirs)
        assert not isinstance(ours, tuple) or ours == theirs
        assert all_items(cloud) == moto_items(dynamodb)


def test_a_transaction_happens_whole_or_not_at_all(cloud: Cloud, dynamodb: "DynamoDBClient") -> None:
    def parts(*keys: str) -> Item:
        puts: list[Any] = [
            {"Put": {"TableName": TABLE, "Item": item(key), "ConditionExpression": "attribute_not_exists(pk)"}}
            for key in keys
        ]
        gain = {":gain": {"N": "1"}}
        key = item("segments", "size#1#1")
        counted = {"TableName": TABLE, "Key": key, "UpdateExpression": "ADD n :gain", "ExpressionAttributeValues": gain}
        return {"TransactItems": [*puts, {"Update": counted}]}

    for keys in (["a"], ["b", "a"], ["b"]):
        ours, theirs = both(cloud, dynamodb, "dynamodb", "TransactWriteItems", parts(*keys))
        assert isinstance(ours, tuple) is isinstance(theirs, tuple)
        assert not isinstance(ours, tuple) or ours == theirs
        assert all_items(cloud) == moto_items(dynamodb)


def test_pages_of_queries_and_of_indexes_are_those_of_dynamodb(cloud: Cloud, dynamodb: "DynamoDBClient") -> None:
    for number in range(5):
        due: Item = {"due_shard": {"S": "due#00"}, "due_ms": {"N": str(100 - number)}, "state": {"B": b"x"}}
        for one in (item(f"p{number}", **due), item("p", f"transition#{number:03d}", n={"N": "1"})):
            both(cloud, dynamodb, "dynamodb", "PutItem", {"TableName": TABLE, "Item": one})
    ranged = {":key": {"S": "p"}, ":first": {"S": "transition#001"}, ":last": {"S": "transition#003"}}
    rows = {"KeyConditionExpression": "pk = :key AND sk BETWEEN :first AND :last", "ExpressionAttributeValues": ranged}
    shard = {":shard": {"S": "due#00"}, ":now": {"N": "98"}}
    due_ones = {
        "IndexName": "due",
        "KeyConditionExpression": "due_shard = :shard AND due_ms <= :now",
        "ExpressionAttributeValues": shard,
    }
    for asked in (rows, {**rows, "ScanIndexForward": False}, {**rows, "ProjectionExpression": "pk, sk"}, due_ones):
        start: Item = {}
        for _ in range(4):
            request = {"TableName": TABLE, "Limit": 2, **asked, **start}
            ours, theirs = both(cloud, dynamodb, "dynamodb", "Query", request)
            assert ours["Items"] == theirs["Items"]
            assert ours.get("LastEvaluatedKey") == theirs.get("LastEvaluatedKey")
            if "LastEvaluatedKey" not in ours:
                break
            start = {"ExclusiveStartKey": ours["LastEvaluatedKey"]}


def test_versions_and_conditions_are_those_of_s3(cloud: Cloud, s3: "S3Client") -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    put: Item = {"Bucket": BUCKET, "Key": "a", "Body": b"one"}
    ours, theirs = both(cloud, s3, "s3", "PutObject", put)
    assert ours["ETag"] == theirs["ETag"]
    etag = ours["ETag"]
    for operation, request in [
        ("GetObject", {"Key": "a", "IfNoneMatch": etag}),
        ("GetObject", {"Key": "a", "IfMatch": '"other"'}),
        ("GetObject", {"Key": "missing"}),
        ("HeadObject", {"Key": "missing"}),
        ("PutObject", {"Key": "a", "Body": b"two", "IfMatch": '"other"'}),
        ("PutObject", {"Key": "a", "Body": b"two", "IfMatch": etag}),
        ("CopyObject", {"Key": "b", "CopySource": {"Bucket": BUCKET, "Key": "a"}}),
        ("DeleteObject", {"Key": "a"}),
        ("GetObject", {"Key": "a"}),
    ]:
        ours, theirs = both(cloud, s3, "s3", operation, {"Bucket": BUCKET, **request})
        assert isinstance(ours, tuple) is isinstance(theirs, tuple), (operation, request, ours, theirs)
        assert not isinstance(ours, tuple) or ours == theirs
    listed, moto = both(cloud, s3, "s3", "ListObjectVersions", {"Bucket": BUCKET, "Prefix": "a"})
    for kind in ("Versions", "DeleteMarkers"):
        assert [one["IsLatest"] for one in listed[kind]] == [one["IsLatest"] for one in moto[kind]]
    keys, moto = both(cloud, s3, "s3", "ListObjectsV2", {"Bucket": BUCKET, "Prefix": ""})
    assert [one["Key"] for one in keys["Contents"]] == [one["Key"] for one in moto["Contents"]] == ["b"]


def all_items(cloud: Cloud) -> list[Item]:
    return [cloud.table.items[key] for key in sorted(cloud.table.items)]


def moto_items(dynamodb: "DynamoDBClient") -> list[Any]:
    items: list[Any] = dynamodb.scan(TableName=TABLE)["Items"]
    return sorted(items, key=lambda one: (one["pk"]["S"], one["sk"]["S"]))
