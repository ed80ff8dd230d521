"""Versions of a document, whoever publishes meanwhile and wherever it breaks off."""

from typing import TYPE_CHECKING

import pytest

from shared.aws.versioned_document import EditedMeanwhile, VersionedDocument, current_key, version_key
from tests.conftest import BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def numbers(s3: "S3Client") -> VersionedDocument[int]:
    return VersionedDocument(s3, BUCKET, "numbers/", lambda n: str(n).encode(), int, lambda n: n)


def following(before: int | None) -> int:
    return (before or 0) + 1


def test_one_is_live_and_every_one_stays(s3: "S3Client") -> None:
    document = numbers(s3)
    assert document.current() == (None, None)
    assert [document.publish(following) for _ in range(3)] == [1, 2, 3]
    assert document.publish(lambda _: None) is None
    assert document.current()[0] == 3
    assert [*document.before(3)] == [2, 1]


def test_who_is_overtaken_edits_what_the_other_published(s3: "S3Client") -> None:
    document = numbers(s3)
    others = iter([True, False])

    def edit(before: int | None) -> int:
        if next(others):
            document.publish(following)
        return following(before)

    assert document.publish(edit) == 2


def test_who_never_comes_first_is_told(s3: "S3Client") -> None:
    document = numbers(s3)

    def edit(before: int | None) -> int:
        document.publish(following)
        return following(before)

    with pytest.raises(EditedMeanwhile):
        document.publish(edit)


def test_a_version_whose_publisher_broke_off_is_kept_by_the_next(s3: "S3Client") -> None:
    document = numbers(s3)
    document.publish(following)
    s3.delete_object(Bucket=BUCKET, Key=version_key("numbers/", 1))
    document.publish(following)
    assert [*document.before(2)] == [1]
    assert s3.get_object(Bucket=BUCKET, Key=current_key("numbers/"))["ContentType"] == "application/json"
