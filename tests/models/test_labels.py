"""What the user calls segments, and does for whom, shows in answers and decisions without training again."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from shared.decisions.decision import answer
from shared.models.labels import ACTIONS, action, labelled, labels_key, parse_labels
from shared.models.live_bundle import LiveBundle
from shared.models.manifests import Manifests
from tests.conftest import BUCKET
from tests.functions.test_lookup_customer import DECISION
from tests.support.bundles import make_bundle, publish

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LABELS: dict[str, dict[str, dict[str, object]]] = {
    "segments": {"2": {"name": "Regulars", "actions": {"loyal": {"key": "dinner", "title": "Dinner"}}}},
    "actions": {"dormant": {"key": "postcard", "channel": "post"}},
}
MANIFEST = make_bundle()[1]
BUNDLE_ID = str(MANIFEST["bundle_id"])


def label(s3: "S3Client", labels: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key=labels_key(BUNDLE_ID), Body=json.dumps(labels).encode())


def names(manifest: Any) -> list[str]:
    return [segment["name"] for segment in manifest["segments"]]


def test_labels_take_the_place_of_what_training_wrote_and_leave_the_rest() -> None:
    edited = labelled(MANIFEST, LABELS)
    assert names(edited) == ["About 0", "About 2", "Regulars"]
    assert edited["thresholds"] == MANIFEST["thresholds"]
    assert names(MANIFEST) == ["About 0", "About 2", "About 10"]
    assert labelled(MANIFEST, {}) == MANIFEST


def test_labels_laid_over_labels_are_all_remembered() -> None:
    more: dict[str, dict[str, object]] = {"segments": {"0": {"name": "Strangers"}}}
    edited = labelled(labelled(MANIFEST, LABELS), more)
    assert names(edited) == ["Strangers", "About 2", "Regulars"]
    assert edited["labels"] == {"segments": {**LABELS["segments"], **more["segments"]}, "actions": LABELS["actions"]}


def test_a_segments_own_action_comes_before_everybodys_and_that_before_the_default() -> None:
    edited = labelled(MANIFEST, LABELS)
    assert action(edited, "loyal", 2)["key"] == "dinner"
    assert action(edited, "dormant", 2) == {"key": "postcard", "channel": "post"}
    assert action(edited, "loyal", 1) == {"key": ACTIONS["loyal"]}
    assert action({}, "steady", 7) == {"key": "no_action"}


def test_the_answer_has_the_name_and_the_action_that_the_user_gave() -> None:
    answered = answer(
        "889", DECISION, labelled(MANIFEST, {"actions": {DECISION.intent: {"key": "call", "title": "Call"}}})
    )
    assert (answered["action"], answered["action_details"]) == ("call", {"title": "Call"})
    answered = answer("889", DECISION, {})
    assert (answered["action"], answered["action_details"]) == (DECISION.action, None)


def test_manifests_follow_labels_within_a_minute(s3: "S3Client") -> None:
    publish(s3, make_bundle())
    manifests = Manifests(s3, BUCKET)
    assert names(manifests.get(BUNDLE_ID, 0)) == ["About 0", "About 2", "About 10"]
    label(s3, LABELS)
    assert names(manifests.get(BUNDLE_ID, 59)) == ["About 0", "About 2", "About 10"]
    assert names(manifests.get(BUNDLE_ID, 60)) == ["About 0", "About 2", "Regulars"]
    assert names(manifests.live(60)) == ["About 0", "About 2", "Regulars"]


def test_the_live_bundle_follows_labels_without_being_loaded_again(s3: "S3Client") -> None:
    publish(s3, make_bundle())
    live = LiveBundle(s3, BUCKET)
    bundle = live.get(0)
    label(s3, LABELS)
    assert live.get(15) is bundle
    assert bundle and action(bundle.manifest, "dormant", 0)["key"] == "postcard"
    label(s3, {})
    live.get(30)
    assert bundle and action(bundle.manifest, "dormant", 0)["key"] == ACTIONS["dormant"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", None])
def test_what_is_no_label_changes_nothing(body: bytes | None) -> None:
    assert parse_labels(body) == {}
