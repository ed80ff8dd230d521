"""The bundles of a stack, whatever stands in the files that say of them."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from shared.api.published_models import published
from shared.models.manifests import Manifests
from tests.conftest import BUCKET
from tests.support.bundles import make_bundle, publish

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def told(s3: "S3Client") -> Any:
    answer = published(s3, BUCKET, Manifests(s3, BUCKET, 0))
    return json.loads(json.dumps(answer, allow_nan=False))


def test_a_roll_back_and_a_forced_publication_are_told(s3: "S3Client") -> None:
    publish(s3, make_bundle())
    body = json.loads(s3.get_object(Bucket=BUCKET, Key="models/current.json")["Body"].read())
    history = [{"bundle_id": "a", "force_reason": "sale"}, {"bundle_id": "b", "rolled_back_from": "a"}]
    s3.put_object(Bucket=BUCKET, Key="models/current.json", Body=json.dumps({**body, "history": history}).encode())
    assert [(one["forced"], one["rolled_back_from"]) for one in told(s3)["published"]] == [(None, "a"), ("sale", None)]


@pytest.mark.parametrize("history", [7, [7], "x", [{}], None])
def test_a_history_that_is_none_is_passed_over(s3: "S3Client", history: Any) -> None:
    publish(s3, make_bundle())
    body = json.loads(s3.get_object(Bucket=BUCKET, Key="models/current.json")["Body"].read())
    s3.put_object(Bucket=BUCKET, Key="models/current.json", Body=json.dumps({**body, "history": history}).encode())
    assert isinstance(told(s3)["published"], list)
