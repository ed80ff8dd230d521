"""A link is undone by one command, and every other case is one clear line."""

import time
from typing import TYPE_CHECKING

import pytest

from shared.clock import Moment
from shared.features import fold
from shared.intake.claims import Claims
from shared.intake.ingest import ingest
from shared.profiles.table import ProfileTable
from tests.conftest import BUCKET, TABLE
from tests.support.bundles import make_bundle, publish
from tests.support.event_files import chunks, purchase
from training.unlink import main

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def table(dynamodb: "DynamoDBClient") -> ProfileTable:
    """A table that knows the visitor "phone" as customer 889."""
    table = ProfileTable(dynamodb, TABLE)
    now = Moment(time.time_ns() // 1_000_000, 0)
    visit = purchase("visit", customer_id=None, anonymous_id="phone")
    (chunk,) = chunks([visit, purchase("889", anonymous_id="phone")])
    ingest(fold(chunk.events), table, None, now, claims=Claims(chunk.claims, table))
    return table


def test_a_visitor_is_their_own_again(table: ProfileTable, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--table", TABLE, "--visitor", "phone"]) == 0
    assert capsys.readouterr().out.startswith("phone is a visitor of their own again")
    assert table.load(["customer#889"])["customer#889"].visitors["visitor#phone"].state is None
    assert main(["--table", TABLE, "--visitor", "phone"]) == 0
    assert capsys.readouterr().out == "phone was unlinked before; nothing to do\n"


def test_both_are_decided_on_at_once_where_the_bucket_is_given(table: ProfileTable, s3: "S3Client") -> None:
    publish(s3, make_bundle())
    assert main(["--table", TABLE, "--visitor", "phone", "--bucket", BUCKET]) == 0
    assert all(profile.decision for profile in table.load(["customer#889", "visitor#phone"]).values())


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--table", TABLE, "--visitor", "unknown"], "error: unknown: the visitor is linked to nobody\n"),
        (["--table", "other", "--visitor", "phone"], "error: table other: "),
        (["--table", TABLE, "--visitor", "phone", "--bucket", BUCKET], f"error: bucket {BUCKET}: no bundle"),
        (["--table", TABLE, "--visitor", "phone", "--bucket", "other"], "error: bucket other: "),
    ],
)
def test_what_cannot_be_done_is_one_line(
    table: ProfileTable, s3: "S3Client", capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(line) and error.count("\n") == 1
