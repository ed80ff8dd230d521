"""The registry: which bundles are whole, which is live, and who may switch."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from shared.models.switching import FILES, Live
from tests.conftest import BUCKET
from training.base.errors import InputError
from training.registry.published import Registry, connect

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def registry(s3: "S3Client") -> Registry:
    return Registry(s3, BUCKET)


def put(registry: Registry, bundle_id: str, *names: str) -> None:
    for name in names:
        registry.s3.put_object(Bucket=BUCKET, Key=f"models/{bundle_id}/{name}", Body=b"{}")


def test_nothing_is_live_before_anything_was_published(registry: Registry) -> None:
    assert registry.live() == Live({})
    assert registry.live().bundle_id is None
    assert registry.bundle_ids() == []


def test_only_a_bundle_with_all_its_files_is_whole(registry: Registry) -> None:
    put(registry, "whole", *FILES)
    put(registry, "part", *[*FILES][:-1])
    assert registry.bundle_ids() == ["whole"]
    assert registry.holds("whole") and not registry.holds("part") and not registry.holds("none")


def test_a_switch_names_the_bundle_before_and_keeps_notes_that_say_something(registry: Registry) -> None:
    registry.switch(registry.live(), "first")
    record = registry.switch(registry.live(), "second", force_reason="a rush", excused=[])
    assert (record["bundle_id"], record["previous"], record["force_reason"]) == ("second", "first", "a rush")
    assert "excused" not in record
    assert [entry["bundle_id"] for entry in registry.live().content["history"]] == ["first", "second"]


def test_a_bundle_published_again_is_not_its_own_predecessor(registry: Registry) -> None:
    for bundle_id in ("first", "second", "second"):
        registry.switch(registry.live(), bundle_id)
    assert registry.live().content["previous"] == "first"


def test_labels_are_those_last_put(registry: Registry) -> None:
    assert registry.labels("a") == {}
    labels: dict[str, Any] = {"segments": {"1": {"name": "Regulars"}}}
    registry.label("a", labels)
    assert registry.labels("a")["segments"] == labels["segments"]


@pytest.mark.parametrize("content", [b"{", json.dumps([1]).encode()], ids=["cut off", "a list"])
def test_a_damaged_document_is_refused_by_its_key(registry: Registry, content: bytes) -> None:
    registry.s3.put_object(Bucket=BUCKET, Key="models/a/manifest.json", Body=content)
    with pytest.raises(InputError, match=r"models/a/manifest.json is damaged"):
        registry.manifest("a")


def test_what_is_not_there_is_named(registry: Registry, aws: None) -> None:
    with pytest.raises(InputError, match=r"holds no models/a/manifest\.json"):
        registry.manifest("a")
    with pytest.raises(InputError, match="bucket nowhere: "), connect("nowhere") as other:
        other.live()
