"""Versions of journeys."""

from dataclasses import replace
from typing import TYPE_CHECKING

from shared.audiences.publishing import Reason
from shared.journeys.journey import NONE, Cap
from shared.journeys.publishing import current, publish, versions
from tests.conftest import BUCKET
from tests.journeys.test_journey import SHOP

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REASON = Reason("2024-05-01T00:00:00Z", "ada", "spring")


def test_every_version_stays_with_its_file_and_who_made_it_and_why(s3: "S3Client") -> None:
    assert current(s3, BUCKET).journeys == NONE
    publish(s3, BUCKET, SHOP, "first", REASON)
    publish(s3, BUCKET, replace(SHOP, cap=Cap(1, 1)), "second", replace(REASON, by="bob"))

    live = current(s3, BUCKET)

    assert (live.journeys.version, live.text, live.by) == (2, "second", "bob")
    assert [journey.version for journey in live.journeys.all] == [1]
    assert [(one.journeys.version, one.text, one.why) for one in versions(s3, BUCKET, live)] == [
        (2, "second", "spring"),
        (1, "first", "spring"),
    ]


def test_what_changes_nothing_is_not_published(s3: "S3Client") -> None:
    publish(s3, BUCKET, SHOP, "first", REASON)

    assert publish(s3, BUCKET, SHOP, "# says the same", REASON).version == 1
    assert current(s3, BUCKET).text == "first"
