from typing import TYPE_CHECKING

import pytest

from shared.identity.consents import Mark
from shared.profiles.kept_marks import KeptMarks
from tests.conftest import BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def kept(s3: "S3Client") -> KeptMarks:
    return KeptMarks(s3, BUCKET)


def test_what_a_mark_says_comes_back(kept: KeptMarks) -> None:
    mark = Mark(refused_ms=5, given_ms=frozenset({3, 9}), unlinked=True)
    kept.keep("abc1", mark)
    assert list(kept.all()) == [("abc1", mark)]


def test_any_order_and_repetition_keep_the_latest_refusal(kept: KeptMarks) -> None:
    for at_ms in (5, 9, 2, 9):
        kept.refused("abc1", at_ms)
    kept.given("abc2", 4)
    assert dict(kept.all()) == {"abc1": Mark(refused_ms=9), "abc2": Mark(given_ms=frozenset({4}))}


def test_the_latest_table_is_the_one_that_counts(kept: KeptMarks) -> None:
    assert kept.epoch() == 0
    kept.begin(7)
    kept.begin(3)
    assert kept.epoch() == 7
    assert list(kept.all()) == []


def test_objects_of_others_are_passed_over(kept: KeptMarks, s3: "S3Client") -> None:
    s3.put_object(Bucket=BUCKET, Key="marks/read me", Body=b"")
    assert list(kept.all()) == []
