"""Versions of audiences, whoever publishes meanwhile and wherever it breaks off."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from shared.audiences.audience import NONE, Audience, Audiences
from shared.audiences.live_audiences import CURRENT_KEY, PREFIX
from shared.audiences.publishing import Reason, current, publish, put_back, versions
from shared.aws.versioned_document import EditedMeanwhile, NoSuchVersion, version_key
from tests.audiences.test_audience import audience
from tests.conftest import BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REASON = Reason("2024-05-01T00:00:00Z", "ada", "spring")


def adding(one: Audience) -> Any:
    return lambda before: replace(before, all=(*before.all, one))


def test_every_version_stays_with_who_made_it_and_why(s3: "S3Client") -> None:
    assert current(s3, BUCKET).audiences == NONE
    publish(s3, BUCKET, adding(audience("a")), REASON)
    publish(s3, BUCKET, adding(audience("b")), replace(REASON, by="bob", why="more"))

    live = current(s3, BUCKET)

    assert (live.audiences.version, live.by, live.why) == (2, "bob", "more")
    assert [(one.audiences.version, one.by) for one in versions(s3, BUCKET, live)] == [(2, "bob"), (1, "ada")]


def test_what_changes_nothing_is_not_published(s3: "S3Client") -> None:
    publish(s3, BUCKET, adding(audience("a")), REASON)

    assert publish(s3, BUCKET, lambda before: before, REASON).version == 1


def test_who_publishes_at_the_same_time_loses_nothing_of_the_others(s3: "S3Client") -> None:
    rivals = iter([audience("b"), audience("c")])

    def edit(before: Audiences) -> Audiences:
        rival = next(rivals, None)
        if rival:
            publish(s3, BUCKET, adding(rival), REASON)
        return replace(before, all=(*before.all, audience("a")))

    after = publish(s3, BUCKET, edit, REASON)

    assert {one.key for one in after.all} == {"a", "b", "c"}
    assert after.version == 3


def test_who_never_comes_first_is_told(s3: "S3Client") -> None:
    count = iter(range(100))

    def edit(before: Audiences) -> Audiences:
        publish(s3, BUCKET, adding(audience(f"b{next(count)}")), REASON)
        return replace(before, all=(*before.all, audience("a")))

    with pytest.raises(EditedMeanwhile):
        publish(s3, BUCKET, edit, REASON)


def test_a_version_whose_publisher_broke_off_is_kept_by_the_next(s3: "S3Client") -> None:
    publish(s3, BUCKET, adding(audience("a")), REASON)
    s3.delete_object(Bucket=BUCKET, Key=version_key(PREFIX, 1))

    publish(s3, BUCKET, adding(audience("b")), REASON)

    assert len([*versions(s3, BUCKET, current(s3, BUCKET))]) == 2
    assert s3.get_object(Bucket=BUCKET, Key=CURRENT_KEY)["ContentType"] == "application/json"


def test_an_earlier_version_is_put_back_as_a_new_one(s3: "S3Client") -> None:
    with pytest.raises(NoSuchVersion):
        put_back(s3, BUCKET, REASON)
    for key in "abc":
        publish(s3, BUCKET, adding(audience(key)), REASON)

    assert [one.key for one in put_back(s3, BUCKET, REASON).all] == ["a", "b"]
    assert [one.key for one in put_back(s3, BUCKET, REASON, to=1).all] == ["a"]
    assert current(s3, BUCKET).audiences.version == 5
    with pytest.raises(NoSuchVersion, match="no version 9"):
        put_back(s3, BUCKET, REASON, to=9)


def test_over_a_document_that_is_none_the_last_that_was_one_is_put_back(s3: "S3Client") -> None:
    publish(s3, BUCKET, adding(audience("a")), REASON)
    s3.put_object(Bucket=BUCKET, Key=CURRENT_KEY, Body=b"{")

    assert [one.key for one in put_back(s3, BUCKET, REASON).all] == ["a"]
    assert current(s3, BUCKET).audiences.version == 2
