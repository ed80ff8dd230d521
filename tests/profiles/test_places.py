"""The index of who stands where: nobody can be read from it, and no entry is lost."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from shared.events import Rejection
from shared.intake.quarantine import Quarantine, people_in
from shared.profiles.places import Places
from shared.profiles.table import CALLS_AT_MOST, TableOverloaded
from tests.conftest import BUCKET, TABLE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def places(dynamodb: "DynamoDBClient") -> Places:
    return places_at(dynamodb, 1_700_000_000_000)


def places_at(dynamodb: "DynamoDBClient", now_ms: int) -> Places:
    return Places(dynamodb, TABLE, lambda: b"secret", lambda: now_ms, lambda _: 370, lambda _seconds: None)


def rejection(line: int, *people: str) -> Rejection:
    return Rejection(line, "broken", b"original", people)


def test_everybody_is_found_where_they_were_noted_and_nowhere_else(places: Places) -> None:
    people = [f"customer#{number}" for number in range(60)]
    places.note("quarantine/a", [*people, *people])
    places.note("quarantine/b", ["customer#7", "visitor#7"])
    assert [*places.of("customer#7")] == ["quarantine/a", "quarantine/b"]
    assert [*places.of("visitor#7")] == ["quarantine/b"]
    assert {tuple(places.of(key)) for key in people if key != "customer#7"} == {("quarantine/a",)}
    assert [*places.of("customer#60")] == []


def test_what_is_forgotten_is_gone_for_that_person_alone_and_only_if_it_was_noted_before(
    places: Places, dynamodb: "DynamoDBClient"
) -> None:
    for object_key in ("quarantine/a", "quarantine/b"):
        places.note(object_key, ["customer#1", "customer#2"])
    places_at(dynamodb, 1_700_000_000_001).note("quarantine/b", ["customer#1"])
    places.forget("customer#1", 1_700_000_000_001)
    assert [*places.of("customer#1")] == ["quarantine/b"]
    assert [*places.of("customer#2")] == ["quarantine/a", "quarantine/b"]


def test_an_entry_tells_nobody_whom_it_is_of_and_goes_in_time(places: Places, dynamodb: "DynamoDBClient") -> None:
    places.note("quarantine/" + "k" * 1_013, ["customer#anna@example.com", "visitor#\udcff"])
    items = dynamodb.scan(TableName=TABLE)["Items"]
    assert len(items) == 2
    assert "anna" not in repr(items)
    assert {item["expires"]["N"] for item in items} == {str(1_700_000_000 + 400 * 86_400)}


def test_what_the_table_did_not_take_is_given_again(
    places: Places, dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    take = dynamodb.batch_write_item
    calls: list[int] = []

    def take_some(**request: Any) -> Any:
        ((table, writes),) = request["RequestItems"].items()
        calls.append(len(writes))
        half = len(writes) // 2 + 1
        some = writes[:half]
        rest = writes[half:]
        return {**take(RequestItems={table: some}), "UnprocessedItems": {table: rest} if rest else {}}

    monkeypatch.setattr(dynamodb, "batch_write_item", take_some)
    people = [f"customer#{number}" for number in range(30)]
    places.note("quarantine/a", people)
    assert calls[:3] == [25, 12, 5]
    assert all([*places.of(key)] == ["quarantine/a"] for key in people)


def test_a_table_that_takes_nothing_ends_in_an_error(
    places: Places, dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = list[Any]()

    def refuse(**request: Any) -> Any:
        calls.append(request)
        return {"UnprocessedItems": request["RequestItems"]}

    monkeypatch.setattr(dynamodb, "batch_write_item", refuse)
    with pytest.raises(TableOverloaded):
        places.note("quarantine/a", ["customer#1"])
    assert len(calls) == CALLS_AT_MOST


def test_people_are_noted_before_the_lines_that_name_them_are_written(
    places: Places, s3: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Quarantine(s3, BUCKET, places).folder("events/a.csv", "v")
    with monkeypatch.context() as broken:
        broken.setattr(s3, "put_object", lambda **_put: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            folder.lines([rejection(3, "customer#1")])
    assert [*places.of("customer#1")] == ["quarantine/events/a.csv/v/lines-000000003.named.ndjson"]


def test_lines_that_name_nobody_stand_apart(places: Places, s3: "S3Client") -> None:
    folder = Quarantine(s3, BUCKET, places).folder("events/a.csv", "v")
    folder.lines([rejection(2), rejection(3, "customer#1", "visitor#1"), rejection(5), rejection(6, "customer#2")])
    kept = {entry["Key"].rsplit("/", 1)[1]: entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]}
    assert kept.keys() == {"lines-000000002.nameless.ndjson", "lines-000000003.named.ndjson"}
    named = s3.get_object(Bucket=BUCKET, Key=kept["lines-000000003.named.ndjson"])["Body"].read()
    assert people_in(named.splitlines()) == {"customer#1", "visitor#1", "customer#2"}
    assert {key for person in people_in(named.splitlines()) for key in places.of(person)} == {
        kept["lines-000000003.named.ndjson"]
    }


@pytest.mark.parametrize(
    ("name", "copy"),
    [
        ("events/lines-000000001.ndjson", "whole.ndjson"),
        ("events/reason.json", "whole.json"),
        ("events/Day.CSV.GZ", "whole.csv.gz"),
        ("events/no ending", "whole"),
        ("events/" + "x" * 890, "whole"),
    ],
)
def test_a_whole_file_is_told_from_files_of_lines_whatever_it_was_called(
    places: Places, s3: "S3Client", name: str, copy: str
) -> None:
    s3.put_object(Bucket=BUCKET, Key=name, Body=b"as it came")
    Quarantine(s3, BUCKET, places).folder(name, "v").whole("unreadable", 10)
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix="quarantine/")["Contents"]
    assert {entry["Key"].rsplit("/", 1)[1] for entry in listed} == {copy, "reason.json"}


def test_beyond_a_bound_the_reasons_and_their_number_are_kept_and_the_originals_stay_in_the_file(
    places: Places, s3: "S3Client"
) -> None:
    folder = Quarantine(s3, BUCKET, places, most_bytes=20).folder("events/a.csv", "v", "version")
    folder.lines([Rejection(n, f"reason {n % 3}", b"12345678", ("customer#1",)) for n in range(1, 8)])
    folder.lines([Rejection(n, f"reason {n}", b"12345678") for n in range(8, 208)])
    kept = {entry["Key"].rsplit("/", 1)[1]: entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]}
    records = {
        name: [json.loads(line) for line in s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().splitlines()]
        for name, key in kept.items()
    }
    first, second = (records.pop(f"lines-{line:09d}.capped.ndjson") for line in (3, 8))
    assert [[record["line"] for record in lines] for lines in records.values()] == [[1, 2]]
    assert [(record["reason"], record["line"], record["lines"]) for record in first] == [
        ("reason 0", 3, 2),
        ("reason 1", 4, 2),
        ("reason 2", 5, 1),
    ]
    assert {record["version_id"] for record in first} == {"version"} and "original" not in repr(first)
    assert len(second) == 101 and sum(record["lines"] for record in second) == 200
    assert folder.capped == 205


def test_a_whole_file_beyond_the_bound_is_not_copied_and_is_told(places: Places, s3: "S3Client") -> None:
    folder = Quarantine(s3, BUCKET, places, most_bytes=9).folder("events/a.csv", "v")
    folder.whole("unreadable", 10)
    (kept,) = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert kept["Key"].endswith("/reason.json") and folder.capped == 1
    assert json.loads(s3.get_object(Bucket=BUCKET, Key=kept["Key"])["Body"].read())["copied"] is False


def test_what_comes_live_is_kept_whatever_it_takes(places: Places, s3: "S3Client") -> None:
    folder = Quarantine(s3, BUCKET, places, most_bytes=1).folder("live/bus", "message")
    folder.lines([Rejection(n, "r", b"12345678") for n in range(9)])
    (kept,) = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert s3.get_object(Bucket=BUCKET, Key=kept["Key"])["Body"].read().count(b"12345678") == 9
