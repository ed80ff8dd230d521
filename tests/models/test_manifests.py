import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from shared.models.labels import labels_key
from shared.models.layout import MANIFEST_FILE, POINTER_KEY, bundle_key
from shared.models.manifests import (
    CHECK_EVERY_SECONDS,
    TARGETS,
    Manifests,
    is_free,
    is_probability,
    live_bundle_id,
    outputs,
    predicted,
    step_name,
)
from shared.shapes import Misfit
from tests.conftest import BUCKET
from tests.support.bundles import make_bundle, publish

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUNDLE_ID = "20171001-aaaaaaaa"

type Put = Callable[[str, bytes], None]


@pytest.fixture
def put(s3: "S3Client") -> Put:
    publish(s3, make_bundle(BUNDLE_ID))
    return lambda key, body: s3.put_object(Bucket=BUCKET, Key=key, Body=body) and None


def names(manifest: Any) -> list[str]:
    return [segment["name"] for segment in manifest["segments"]]


def test_the_live_manifest_is_that_of_the_bundle_that_the_pointer_names(s3: "S3Client", put: Put) -> None:
    assert Manifests(s3, BUCKET).live(0)["bundle_id"] == BUNDLE_ID
    put(POINTER_KEY, b"no JSON")
    assert Manifests(s3, BUCKET).live(0) == {}


def test_there_is_none_before_the_first_is_published(s3: "S3Client") -> None:
    assert Manifests(s3, BUCKET).live(0) == Manifests(s3, BUCKET).get(BUNDLE_ID, 0) == {}


def test_names_of_the_users_show_once_it_is_time_to_ask_again(s3: "S3Client", put: Put) -> None:
    manifests = Manifests(s3, BUCKET)
    assert names(manifests.get(BUNDLE_ID, 0))[0] == "About 0"
    put(labels_key(BUNDLE_ID), json.dumps({"segments": {"0": {"name": "Strangers"}}}).encode())
    assert names(manifests.get(BUNDLE_ID, CHECK_EVERY_SECONDS - 1))[0] == "About 0"
    assert names(manifests.get(BUNDLE_ID, CHECK_EVERY_SECONDS))[0] == "Strangers"


def test_one_that_is_broken_counts_as_none(s3: "S3Client", put: Put) -> None:
    put(bundle_key(BUNDLE_ID, MANIFEST_FILE), b"{")
    assert Manifests(s3, BUCKET).get(BUNDLE_ID, 0) == {}


def test_the_shops_own_predictions_stand_after_ours_in_the_order_of_the_manifest() -> None:
    targets = {
        "b": {"output": "b_probability"},
        "churn": {"output": "churn_probability"},
        "a": {"output": "a_spend"},
        "bad": {"output": "segment"},
        "old": {"trained": True},
    }
    assert outputs({"targets": targets}) == {**TARGETS, "b_probability": "b", "a_spend": "a"}
    assert outputs({}) == TARGETS


def test_answers_tell_all_that_was_asked_for_and_whatever_else_there_is() -> None:
    assert predicted({"expected_ltv": 2.0, "gone_spend": 1.0}, ["a_spend", "expected_ltv"]) == {
        "a_spend": None,
        "expected_ltv": 2.0,
        "gone_spend": 1.0,
    }


def test_steps_of_ours_are_called_after_their_targets_and_others_after_themselves() -> None:
    assert [step_name(name) for name in ("expected_ltv", "pets_spend")] == ["ltv", "pets_spend"]
    assert [is_probability(name) for name in ("expected_ltv", "coupon_probability")] == [False, True]


@pytest.mark.parametrize("name", ["segment", "Own", "9x", "", "a b", "own"])
def test_what_is_taken_is_no_name_of_a_prediction(name: str) -> None:
    assert not is_free(name)


@pytest.mark.parametrize("pointer", [b"", b"{}", b'{"bundle_id": "../secrets"}', b'{"bundle_id": ""}'])
def test_a_pointer_that_names_no_bundle_is_refused(pointer: bytes) -> None:
    with pytest.raises(Misfit):
        live_bundle_id(pointer)
