"""The model that dropped files are decided with: switched, refused, or with labels that cannot be read."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from shared.profiles.table import ProfileTable
from tests.conftest import BUCKET
from tests.support.bundles import make_bundle, publish
from tests.support.event_files import ndjson, purchase

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

type Drop = Callable[..., list[str]]
type Measured = Callable[[], dict[str, int]]


def test_model_is_switched_without_a_redeploy(
    s3: "S3Client", drop: Drop, table: ProfileTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: clock)
    drop({"events/0.ndjson": ndjson([purchase("889", number=0)])})
    publish(s3, make_bundle("20171001-old"))
    clock += 20
    drop({"events/1.ndjson": ndjson([purchase("889", number=1)])})
    first = table.get("customer#889")
    publish(s3, make_bundle("20171001-new", centroids=(5.0, 100.0)))
    clock += 20
    drop({"events/2.ndjson": ndjson([purchase("889", number=2)])})
    second = table.get("customer#889")
    assert first and second and first.decision and second.decision
    assert (first.decision.model_version, second.decision.model_version) == ("20171001-old", "20171001-new")
    assert (first.decision.segment, second.decision.segment) == (1, 0)


def test_refused_bundle_is_measured_and_histories_are_kept(
    s3: "S3Client", drop: Drop, table: ProfileTable, measured: Measured
) -> None:
    publish(s3, make_bundle(metadata={"feature_set_hash": "0000"}))
    assert drop({"events/day.ndjson": ndjson([purchase("889")])}) == []
    assert measured()["BundleRefused"] == 1
    profile = table.get("customer#889")
    assert profile is not None and profile.decision is None


@pytest.mark.parametrize(
    "labels", [b'{"segments": []}', b"[" * 99_999, b"\xff", b'{"actions": {"steady": {"key": 5}}}']
)
def test_labels_of_any_kind_do_not_stop_ingestion(
    s3: "S3Client", drop: Drop, table: ProfileTable, measured: Measured, labels: bytes
) -> None:
    publish(s3, make_bundle())
    s3.put_object(Bucket=BUCKET, Key="models/20171001-aaaaaaaa/labels.json", Body=labels)
    assert drop({"events/day.ndjson": ndjson([purchase("889")])}) == []
    counted = measured()
    assert (counted["LabelsRefused"], counted["BundleRefused"], counted["EventsCounted"]) == (1, 0, 1)
    profile = table.get("customer#889")
    assert profile and profile.decision
