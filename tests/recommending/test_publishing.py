"""Recommenders published, and put back."""

from typing import TYPE_CHECKING

import pytest

from shared.aws.versioned_document import NoSuchVersion
from shared.recommending.layout import FILE, REPORT, Publication, recommender_key
from shared.recommending.publishing import current, publish, put_back
from shared.recommending.recommender import NoRecommender
from tests.conftest import BUCKET
from tests.support.recommenders import recommender_of, small_recommender, small_shop

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

WHY = Publication(0, "", "", "2017-10-01T00:00:00Z", "somebody", "a test")


def test_each_stays_and_one_is_live_and_an_earlier_one_comes_back(s3: "S3Client") -> None:
    assert current(s3, BUCKET) is None
    some = [small_recommender(), recommender_of(small_shop()[:-30])]
    for version, one in enumerate(some, 1):
        live = publish(s3, BUCKET, one.to_bytes(), b"{}", WHY)
        assert (live.version, live.recommender_id, live.why) == (version, one.recommender_id, "a test")
        for name in (FILE, REPORT):
            s3.head_object(Bucket=BUCKET, Key=recommender_key(one.recommender_id, name))
    back = put_back(s3, BUCKET, WHY)
    assert (back.version, back.recommender_id) == (3, some[0].recommender_id)
    assert current(s3, BUCKET) == back
    assert put_back(s3, BUCKET, WHY, to=2).recommender_id == some[1].recommender_id
    with pytest.raises(NoSuchVersion):
        put_back(s3, BUCKET, WHY, to=9)


def test_what_functions_could_not_read_is_not_published(s3: "S3Client") -> None:
    with pytest.raises(NoRecommender):
        publish(s3, BUCKET, b"nothing", b"{}", WHY)
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
