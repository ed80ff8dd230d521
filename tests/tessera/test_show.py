from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from operations.stack import DeployedStack
from shared.features import encode
from shared.features.codec import VERSION
from shared.identity.keys import customer_key, visitor_key
from shared.identity.links import Link
from shared.profiles.kept_marks import KeptMarks
from shared.profiles.marks import Marks
from shared.profiles.stored_profile import StoredProfile
from shared.profiles.table import ProfileTable
from tessera.show import main
from tests.conftest import BUCKET, TABLE
from tests.support.bundles import make_bundle, publish
from tests.support.event_files import profiles, purchase
from tests.tessera.test_words import DECISION, PROFILE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

type Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def stack(s3: "S3Client", dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch) -> None:
    resources = {"DataBucket": BUCKET, "ProfileTable": TABLE, "MarkSecret": "marks"}
    monkeypatch.setattr(DeployedStack, "resources", resources)
    monkeypatch.setattr(DeployedStack, "parameters", {"Currency": "EUR"})
    monkeypatch.setenv("COLUMNS", "160")


@pytest.fixture
def table(dynamodb: "DynamoDBClient") -> ProfileTable:
    return ProfileTable(dynamodb, TABLE)


@pytest.fixture
def marks(s3: "S3Client", dynamodb: "DynamoDBClient") -> Marks:
    return Marks(dynamodb, TABLE, lambda: b"a secret of marks", KeptMarks(s3, BUCKET))


def shown(capsys: Captured) -> list[str]:
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_a_customer_is_shown_with_the_names_of_the_bundle(
    s3: "S3Client", table: ProfileTable, capsys: Captured
) -> None:
    publish(s3, make_bundle())
    table.save([replace(PROFILE, decision=DECISION)])
    assert main(["889"]) == 0
    lines = shown(capsys)
    assert lines[:2] == ["Customer 889", "Events 3 kept"]
    assert "Net spend 29.97 EUR" in lines
    assert "Segment About 10 (2), since 2017-11-04 00:00 UTC" in lines


def test_showing_writes_nothing(
    s3: "S3Client", dynamodb: "DynamoDBClient", table: ProfileTable, capsys: Captured
) -> None:
    table.save([PROFILE])
    before = dynamodb.scan(TableName=TABLE)["Items"]
    assert main(["889"]) == 0
    assert dynamodb.scan(TableName=TABLE)["Items"] == before
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET)


def test_a_visitor_is_asked_for_by_its_own_id(table: ProfileTable, capsys: Captured) -> None:
    table.save([replace(PROFILE, key=visitor_key("phone"), link=Link(customer_key("889")))])
    assert main(["phone", "--visitor"]) == 0
    lines = shown(capsys)
    assert lines[0] == "Visitor phone"
    assert "Link is customer 889" in lines


def test_one_who_was_erased_has_a_mark_and_no_profile(marks: Marks, capsys: Captured) -> None:
    marks.refuse(customer_key("889"), 1_509_753_600_000)
    assert main(["889"]) == 0
    assert shown(capsys) == [
        "Customer 889",
        "No profile is stored.",
        "Refused at 2017-11-04 00:00 UTC, by an erasure or an event",
        "Counts from never, unless consent is given",
    ]


def test_one_who_came_back_has_both(table: ProfileTable, marks: Marks, capsys: Captured) -> None:
    table.save([PROFILE])
    marks.refuse(customer_key("889"), 1_509_753_600_000)
    marks.agree(customer_key("889"), 1_509_840_000_000)
    assert main(["889"]) == 0
    lines = shown(capsys)
    assert "Events 3 kept" in lines
    assert "Counts from 2017-11-05 00:00 UTC, for earlier events were refused" in lines


def test_one_who_is_unknown_is_one_line_and_status_2(capsys: Captured) -> None:
    assert main(["nobody"]) == 2
    assert capsys.readouterr().err == "error: nothing is stored of customer nobody\n"


@pytest.mark.parametrize(
    ("state", "says"),
    [(b"\xff" * 40, "newer release"), (bytes([VERSION]) + b"\xff" * 40, "cannot be read")],
    ids=["newer", "broken"],
)
def test_events_that_cannot_be_read_are_one_line_and_status_2(
    table: ProfileTable, capsys: Captured, state: bytes, says: str
) -> None:
    table.save([replace(PROFILE, state=state)])
    assert main(["889"]) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1


def test_an_item_that_is_no_profile_is_one_line_and_status_2(dynamodb: "DynamoDBClient", capsys: Captured) -> None:
    dynamodb.put_item(TableName=TABLE, Item={"pk": {"S": customer_key("889")}, "sk": {"S": "profile"}})
    assert main(["889"]) == 2
    assert "1 profiles cannot be read" in capsys.readouterr().err


def test_an_id_moves_no_cursor_and_marks_nothing_up(table: ProfileTable, capsys: Captured) -> None:
    name = "[red]\x1b[2J\r"
    (state,) = encode(profiles(purchase(name)))
    table.save([StoredProfile(customer_key(name), 1, state, 1, None)])
    assert main([name]) == 0
    assert capsys.readouterr().out.startswith("Customer [red]\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}\n")
