"""What is missing is told from what is forbidden, by a role that may list a part of the bucket alone."""

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from shared.aws.fresh_object import FreshObject, is_absent
from tests.conftest import BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, "GetObject")


@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchVersion", "404"])
def test_what_s3_calls_missing_is(s3: "S3Client", code: str) -> None:
    assert is_absent(s3, BUCKET, "events/a", refusal(code))


def test_what_s3_throttles_is_not_missing(s3: "S3Client") -> None:
    assert not is_absent(s3, BUCKET, "events/a", refusal("SlowDown"))


def test_what_is_forbidden_is_missing_only_if_it_is_not_there(s3: "S3Client") -> None:
    s3.put_object(Bucket=BUCKET, Key="events/a.ndjson", Body=b"")
    assert not is_absent(s3, BUCKET, "events/a.ndjson", refusal("AccessDenied"))
    assert is_absent(s3, BUCKET, "events/a", refusal("AccessDenied"))
    assert is_absent(s3, BUCKET, "events/a.ndjson.gz", refusal("403"))


def test_a_version_is_missing_while_another_is_there(s3: "S3Client") -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=BUCKET, Key="events/a", Body=b"")["VersionId"]
    assert not is_absent(s3, BUCKET, "events/a", refusal("AccessDenied"), version)
    assert is_absent(s3, BUCKET, "events/a", refusal("AccessDenied"), "another")


def test_an_object_is_asked_for_again_only_after_a_while(s3: "S3Client") -> None:
    fresh = FreshObject(s3, BUCKET, "a.toml", check_every=60)
    assert fresh.read(now=0) is None
    s3.put_object(Bucket=BUCKET, Key="a.toml", Body=b"one")
    assert fresh.read(now=59) is None
    assert fresh.read(now=60) == fresh.read(now=121) == b"one"
    s3.put_object(Bucket=BUCKET, Key="a.toml", Body=b"two")
    assert [fresh.read(now=180), fresh.read(now=181)] == [b"one", b"two"]


def test_an_object_that_is_taken_away_is_absent_again(s3: "S3Client") -> None:
    s3.put_object(Bucket=BUCKET, Key="a.toml", Body=b"one")
    fresh = FreshObject(s3, BUCKET, "a.toml", check_every=0)
    assert fresh.read(now=0) == b"one"
    s3.delete_object(Bucket=BUCKET, Key="a.toml")
    assert fresh.read(now=1) is None
