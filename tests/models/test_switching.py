"""Which bundle is live: one write, which nobody overtakes, and a history that is bounded."""

from typing import TYPE_CHECKING

import pytest

from shared.models.switching import FILES, KEPT_SWITCHES, Live, Overtaken, live, switch, whole_bundles
from tests.conftest import BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

AT = "2017-10-01T00:00:00Z"


def test_who_read_before_another_switched_changes_nothing(s3: "S3Client") -> None:
    none = live(s3, BUCKET)
    assert none == Live({})
    switch(s3, BUCKET, none, "a", AT)
    for stale in (none, Live({"bundle_id": "a"}, '"0000"')):
        with pytest.raises(Overtaken):
            switch(s3, BUCKET, stale, "b", AT)
    assert live(s3, BUCKET).bundle_id == "a"


def test_a_bundle_published_again_is_not_its_own_predecessor(s3: "S3Client") -> None:
    for name in ("a", "b", "b"):
        switch(s3, BUCKET, live(s3, BUCKET), name, AT)
    assert live(s3, BUCKET).content["previous"] == "a"


def test_empty_notes_are_left_out_and_old_switches_forgotten(s3: "S3Client") -> None:
    for number in range(KEPT_SWITCHES + 3):
        switch(s3, BUCKET, live(s3, BUCKET), f"b{number}", AT, force_reason=None, rolled_back_from="")
    content = live(s3, BUCKET).content
    assert content["history"][-1] == {"bundle_id": "b202", "published_at": AT, "previous": "b201"}
    assert len(content["history"]) == KEPT_SWITCHES


def test_a_bundle_is_whole_with_all_its_files(s3: "S3Client") -> None:
    for bundle, names in (("whole", [*FILES, "labels.json"]), ("half", [*FILES][:3])):
        for name in names:
            s3.put_object(Bucket=BUCKET, Key=f"models/{bundle}/{name}", Body=b"")
    assert whole_bundles(s3, BUCKET) == ["whole"]
