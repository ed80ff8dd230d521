from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from shared.audiences.audience import UNKNOWN, Audience
from shared.audiences.live_audiences import CURRENT_KEY as CURRENT_AUDIENCES
from shared.audiences.publishing import Reason
from shared.audiences.publishing import publish as publish_audiences
from shared.audiences.reading import Names, read_rule
from shared.models.bundle import Bundle
from shared.models.live_bundle import LiveBundle
from shared.recommending.layout import CURRENT_KEY as CURRENT_RECOMMENDER
from shared.recommending.layout import Publication
from shared.recommending.publishing import publish as publish_recommender
from tests.conftest import BUCKET
from tests.support.bundles import make_bundle, point_to, publish
from tests.support.recommenders import small_recommender

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OLD = "20170901-aaaaaaaa"
NEW = "20171001-bbbbbbbb"


def test_no_bundle_is_live_before_the_first_is_published(s3: "S3Client") -> None:
    live = LiveBundle(s3, BUCKET)
    assert live.get(now=0) is None
    assert live.problem is None
    publish(s3, make_bundle(OLD))
    assert version(live, 15) == OLD


def test_another_model_is_followed_without_a_redeploy(s3: "S3Client") -> None:
    publish(s3, make_bundle(OLD))
    live = LiveBundle(s3, BUCKET)
    first = live.get(0)
    publish(s3, make_bundle(NEW))
    assert live.get(14) is first
    assert version(live, 15) == NEW
    point_to(s3, OLD)
    assert version(live, 30) == OLD


def test_unchanged_pointer_is_not_sent_again(s3: "S3Client", request: pytest.FixtureRequest) -> None:
    publish(s3, make_bundle(OLD))
    live = LiveBundle(s3, BUCKET)
    statuses: list[int] = []
    asked = ("response-received.s3.GetObject", lambda **given: statuses.append(given["response_dict"]["status_code"]))
    s3.meta.events.register(*asked)
    request.addfinalizer(lambda: s3.meta.events.unregister(*asked))
    first = live.get(0)
    assert live.get(100) is first
    assert live.get(200) is first
    nobodys = [404, 404]  # the user's labels and audiences, of which there are none
    assert statuses == [200, 200, 200, *nobodys, 304, *nobodys, 304, *nobodys]


def test_broken_bundle_never_replaces_one_that_works(s3: "S3Client") -> None:
    publish(s3, make_bundle(OLD))
    live = LiveBundle(s3, BUCKET)
    live.get(0)
    publish(s3, make_bundle(NEW, metadata={"feature_set_hash": "0000"}))
    assert version(live, 20) == OLD
    assert "the hash of its feature set" in str(live.problem)
    assert version(live, 21) == OLD and live.problem
    point_to(s3, OLD)
    assert version(live, 40) == OLD and live.problem is None


@pytest.mark.parametrize("pointer", [b"", b"[]", b"{}", b'{"bundle_id": "never-written"}'])
def test_pointer_to_nothing_is_a_problem_not_a_crash(s3: "S3Client", pointer: bytes) -> None:
    s3.put_object(Bucket=BUCKET, Key="models/current.json", Body=pointer)
    live = LiveBundle(s3, BUCKET)
    assert live.get(0) is None
    assert "models/current.json" in str(live.problem)


def test_manifest_that_is_not_json_is_a_problem_not_a_crash(s3: "S3Client") -> None:
    publish(s3, make_bundle(NEW))
    s3.put_object(Bucket=BUCKET, Key=f"models/{NEW}/manifest.json", Body=b"{")
    live = LiveBundle(s3, BUCKET)
    assert live.get(0) is None
    assert str(live.problem) == f"models/{NEW}: manifest.json is refused: it is not JSON"


def test_a_bundle_that_was_mended_under_its_name_is_taken_within_minutes(s3: "S3Client") -> None:
    publish(s3, make_bundle(NEW))
    s3.put_object(Bucket=BUCKET, Key=f"models/{NEW}/manifest.json", Body=b"{")
    live = LiveBundle(s3, BUCKET)
    assert live.get(0) is None
    publish(s3, make_bundle(NEW))
    assert live.get(299) is None and live.problem
    assert version(live, 300) == NEW and live.problem is None


def test_a_container_that_knew_of_no_bundle_asks_again_after_15_seconds(s3: "S3Client") -> None:
    live = LiveBundle(s3, BUCKET)
    assert live.get(1_000) is None
    publish(s3, make_bundle(OLD))
    assert live.get(1_014.9) is None
    assert version(live, 1_015) == OLD


def test_refusal_by_s3_is_raised_rather_than_taken_for_no_model(s3: "S3Client") -> None:
    with pytest.raises(ClientError):
        LiveBundle(s3, "no-such-bucket").get(0)


def test_loaded_bundle_outlives_s3(s3: "S3Client") -> None:
    publish(s3, make_bundle(OLD))
    live = LiveBundle(s3, BUCKET)
    live.get(0)
    s3.delete_object(Bucket=BUCKET, Key="models/current.json")
    assert version(live, 20) == OLD


@pytest.mark.parametrize("fault", ["audiences", "recommender"])
def test_where_s3_does_not_tell_who_is_in_an_audience_nobody_leaves(s3: "S3Client", fault: str) -> None:
    publish(s3, make_bundle(OLD))
    publish_audience(s3, "'a1' in buy_again" if fault == "recommender" else "tenure > 3")
    publish_recommender(s3, BUCKET, small_recommender().to_bytes(), b"{}", Publication(0, "", ""))
    asked = CURRENT_AUDIENCES if fault == "audiences" else CURRENT_RECOMMENDER
    broken: Any = FailsOn(s3, asked)
    live = LiveBundle(broken, BUCKET)
    assert got(live, 0).audiences is UNKNOWN
    assert live.problem == "S3 does not answer: ClientError: SlowDown of GetObject"
    live = LiveBundle(s3, BUCKET)
    assert got(live, 0).audiences.version == 1


def test_a_recommender_comes_with_the_bundle_where_a_rule_asks_for_it(s3: "S3Client") -> None:
    publish(s3, make_bundle(OLD))
    publish_recommender(s3, BUCKET, small_recommender().to_bytes(), b"{}", Publication(0, "", ""))
    live = LiveBundle(s3, BUCKET)
    assert got(live, 0).recommender is None
    publish_audience(s3, "'a1' in buy_again")
    asking = got(live, 15)
    assert asking.recommender is not None and asking.audiences.version == 1
    s3.put_object(Bucket=BUCKET, Key=CURRENT_RECOMMENDER, Body=b"{")
    assert got(live, 30).recommender is asking.recommender
    refused = LiveBundle(s3, BUCKET)
    assert got(refused, 0).audiences is UNKNOWN
    assert counted(refused)["RecommenderRefused"] == 1
    assert counted(live)["RecommenderRefused"] == 1
    s3.delete_object(Bucket=BUCKET, Key=CURRENT_RECOMMENDER)
    none = got(LiveBundle(s3, BUCKET), 0)
    assert none.recommender is None and none.audiences.version == 1
    unasked = LiveBundle(s3, BUCKET)
    s3.delete_object(Bucket=BUCKET, Key=CURRENT_AUDIENCES)
    assert "RecommenderRefused" not in counted(unasked)


def counted(live: LiveBundle) -> dict[str, float]:
    counts: dict[str, float] = {}
    metrics: Any = SimpleNamespace(add_metric=lambda name, unit, value: counts.update({name: value}))
    logger: Any = SimpleNamespace(error=lambda *_, **__: None, warning=lambda *_: None)
    live.watched(logger, metrics)
    return counts


class FailsOn:
    """S3 that does not answer about one key."""

    def __init__(self, s3: "S3Client", key: str) -> None:
        self._s3, self._key = s3, key

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def get_object(self, **request: Any) -> Any:
        if request["Key"] == self._key:
            raise ClientError({"Error": {"Code": "SlowDown", "Message": ""}}, "GetObject")
        return self._s3.get_object(**request)


def publish_audience(s3: "S3Client", rule: str) -> None:
    audience = Audience("a", "A", rule, read_rule(rule, Names.of((), ())), 0)
    publish_audiences(s3, BUCKET, lambda before: replace(before, all=(audience,)), Reason("", "", ""))


def got(live: LiveBundle, now: float) -> Bundle:
    bundle = live.get(now)
    assert bundle is not None
    return bundle


def version(live: LiveBundle, now: float) -> str | None:
    bundle = live.get(now)
    return bundle.bundle_id if bundle else None


def test_a_bundle_for_days_in_another_time_zone_is_refused_and_the_one_before_stays(s3: "S3Client") -> None:
    publish(s3, make_bundle(OLD))
    live = LiveBundle(s3, BUCKET, time_zone="UTC")
    live.get(0)
    publish(s3, make_bundle(NEW, zone="Europe/Berlin"))
    assert version(live, 20) == OLD
    assert "it was trained for days in Europe/Berlin, and this stack's are those of UTC" in str(live.problem)
    assert version(LiveBundle(s3, BUCKET, time_zone="Europe/Berlin"), 0) == NEW
