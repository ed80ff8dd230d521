"""The live recommender, whatever stands in the files that say of it."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from shared.api.published_recommender import published_recommender
from shared.recommending.layout import CURRENT_KEY, Publication
from shared.recommending.publishing import publish
from tests.conftest import BUCKET
from tests.support.recommenders import AS_OF_MS, shop_of, small_recommender, small_shop
from training.recommending.training import encoded, train

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def put_live(s3: "S3Client", report: bytes) -> None:
    why = Publication(0, "", "", "2017-10-01T00:00:00Z", "ada", "spring")
    publish(s3, BUCKET, small_recommender().to_bytes(), report, why)


def test_it_is_told_with_what_training_found_on_the_days_held_back(s3: "S3Client") -> None:
    assert published_recommender(s3, BUCKET) is None
    trained = train(shop_of(small_shop()), AS_OF_MS)
    put_live(s3, encoded(trained.report()))
    published = published_recommender(s3, BUCKET)
    assert published
    assert (published["recommender_id"], published["version"], published["why"]) == (
        small_recommender().recommender_id,
        1,
        "spring",
    )
    assert (published["as_of"], published["horizon_days"], published["products"]) == ("2017-10-01T00:00:00Z", 30, 4)
    judged = published["evaluation"]["all"]
    assert judged["customers"] == 12
    assert judged["hit_at_10"].keys() == {"popularity", "own frequency", "item cosine", "TF-IDF neighbours", "Tessera"}
    assert all(len(figure) == 3 for figure in judged["precision_at_10"].values())
    assert published["evaluation"]["from"] == "2017-09-01T00:00:00Z"


@pytest.mark.parametrize(
    "report",
    [b"", b"[", b"7", b"{}", b'{"as_of_ms": 1e400}', b'{"as_of_ms": 1, "horizon_days": 1}', b" " * 1_000_001],
    ids=lambda report: repr(report[:20]),
)  # fmt: skip
def test_of_a_damaged_report_nothing_is_told(s3: "S3Client", report: bytes) -> None:
    put_live(s3, report)
    published: Any = published_recommender(s3, BUCKET)
    assert published["recommender_id"] == small_recommender().recommender_id
    assert (published["as_of"], published["products"], published["evaluation"]) == (None, None, None)


def test_an_evaluation_of_another_shape_is_none(s3: "S3Client") -> None:
    report = {"as_of_ms": 2**53, "horizon_days": 1, "products": 1, "available": 1, "evaluation": None}
    others: tuple[Any, ...] = (7, [], {"all": {}}, {"cutoff_ms": 1, "end_ms": 2**60, "all": {}, "new": {}})
    for evaluation in others:
        put_live(s3, json.dumps({**report, "as_of_ms": 0, "evaluation": evaluation}).encode())
        assert (published_recommender(s3, BUCKET) or {})["evaluation"] is None
    put_live(s3, json.dumps(report).encode())
    assert (published_recommender(s3, BUCKET) or {})["as_of"] is None  # no year that there is


def test_a_damaged_pointer_is_no_recommender(s3: "S3Client") -> None:
    s3.put_object(Bucket=BUCKET, Key=CURRENT_KEY, Body=b"{")
    assert published_recommender(s3, BUCKET) is None
