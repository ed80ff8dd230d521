"""The live recommender is followed, and never by one that does not load."""

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from shared.recommending.layout import CURRENT_KEY, FILE, Publication, recommender_key
from shared.recommending.live_recommender import LiveRecommender
from shared.recommending.publishing import publish
from tests.conftest import BUCKET
from tests.support.recommenders import recommender_of, small_recommender, small_shop

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

WHY = Publication(0, "", "")


def test_it_is_followed_and_there_is_none_before_one_is_published(s3: "S3Client") -> None:
    live = LiveRecommender(s3, BUCKET, check_every=10)
    assert live.get(0) is None
    publish(s3, BUCKET, small_recommender().to_bytes(), b"{}", WHY)
    assert live.get(5) is None
    first = live.get(11)
    assert first is not None
    assert first.recommender_id == small_recommender().recommender_id
    assert live.get(22) is first
    other = recommender_of(small_shop()[:-30])
    publish(s3, BUCKET, other.to_bytes(), b"{}", WHY)
    second = live.get(33)
    assert second is not None
    assert second.recommender_id == other.recommender_id
    s3.delete_object(Bucket=BUCKET, Key=CURRENT_KEY)
    assert live.get(44) is None


@pytest.mark.parametrize("broken", ["pointer", "file", "gone", "other"])
def test_one_that_does_not_load_never_replaces_one_that_does(s3: "S3Client", broken: str) -> None:
    live = LiveRecommender(s3, BUCKET, check_every=10)
    publish(s3, BUCKET, small_recommender().to_bytes(), b"{}", WHY)
    first = live.get(0)
    other = recommender_of(small_shop()[:-30])
    publish(s3, BUCKET, other.to_bytes(), b"{}", WHY)
    key = recommender_key(other.recommender_id, FILE)
    match broken:
        case "pointer":
            s3.put_object(Bucket=BUCKET, Key=CURRENT_KEY, Body=b"{")
        case "gone":
            s3.delete_object(Bucket=BUCKET, Key=key)
        case _:
            body = b"nothing" if broken == "file" else small_recommender().to_bytes()
            s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    assert live.get(11) is first
    assert live.problem
    s3.put_object(Bucket=BUCKET, Key=key, Body=other.to_bytes())
    publish(s3, BUCKET, other.to_bytes(), b"{}", WHY) if broken != "pointer" else s3.delete_object(
        Bucket=BUCKET, Key=CURRENT_KEY
    )
    live.get(400)
    assert live.problem is None


def test_where_s3_refuses_the_one_before_goes_on_and_without_one_it_is_an_error(
    s3: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(s3, BUCKET, small_recommender().to_bytes(), b"{}", WHY)
    live, fresh = LiveRecommender(s3, BUCKET, check_every=10), LiveRecommender(s3, BUCKET, check_every=10)
    first = live.get(0)

    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": "SlowDown"}}, "GetObject")

    monkeypatch.setattr(s3, "get_object", refuse)
    assert live.get(11) is first
    assert live.problem == "S3 does not answer: ClientError: SlowDown of GetObject"
    with pytest.raises(ClientError):
        fresh.get(0)
