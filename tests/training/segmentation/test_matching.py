"""Segments keep their ids and names when a shop trains again."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.features import FEATURE_NAMES
from shared.models.bundle import Bundle, Decisions
from shared.models.labels import labels_key
from tests.conftest import BUCKET
from tests.support.bundles import make_bundle, publish
from tests.training.conftest import Shop
from training.data.preparation import Matrix
from training.publish import who_moves
from training.segmentation.matching import Matching, load_previous, match_segments
from training.train import main

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LETTERS = "abcdefghij"


class Before(Bundle):
    """A bundle that decided on customers as told."""

    def __init__(self, segment: list[int], **manifest: Any) -> None:
        self.segment = np.array(segment)
        self.bundle_id = "20170101-before"
        entries = [{"id": i, "name": LETTERS[i]} for i in sorted({*segment})]
        self.manifest = {"segments": entries, **manifest}

    def decide(self, features: Matrix) -> Decisions:
        distance = np.zeros(len(self.segment), np.float32)
        return Decisions(self.segment, distance, self.segment, distance)


def carried(before: list[int], now: list[int], unusual: int | None = None, **manifest: Any) -> Matching:
    X = np.zeros((len(now), 1), np.float32)
    return match_segments(Before(before, **manifest), X, np.array(now), max(now) + 1, unusual)


@given(st.lists(st.integers(0, 5), min_size=6, max_size=40), st.permutations(range(6)))
def test_the_same_segments_in_another_order_keep_their_ids(segment: list[int], order: list[int]) -> None:
    before = [*range(6), *segment]
    matching = carried(before, [order[i] for i in before])
    assert matching.ids == [order.index(j) for j in range(6)]
    assert (matching.moved, matching.new, matching.gone, matching.splits, matching.merges) == (0, [], [], {}, {})


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=5, max_size=60),
)
def test_ids_are_used_once_and_never_again_and_moved_is_the_share_that_changed(pairs: list[tuple[int, int]]) -> None:
    before, now = [old for old, _ in pairs] + [*range(5)], [new for _, new in pairs] + [*range(5)]
    matching = carried(before, now, identity={"next_id": 9})
    assert len({*matching.ids}) == len(matching.ids)
    assert all(i in before or 9 <= i < matching.next_id for i in matching.ids)
    assert matching.moved == pytest.approx(np.mean([matching.ids[j] != i for i, j in zip(before, now, strict=True)]))
    assert {*matching.gone} == {*before} - {*matching.ids}


def test_no_other_match_leaves_more_customers_where_they_were() -> None:
    # 0 has most in common with 0, but giving it 1 leaves more where they were: 5 + 5 rather than 6 + 1.
    before, now = [0] * 6 + [1] * 5 + [0] * 5 + [1] * 1, [0] * 6 + [0] * 5 + [1] * 5 + [1] * 1
    assert carried(before, now).ids == [1, 0]


def test_a_segment_that_comes_apart_leaves_its_id_to_the_larger_part() -> None:
    matching = carried([0] * 10 + [1] * 10, [0] * 10 + [1] * 6 + [2] * 4)
    assert (matching.ids, matching.new, matching.splits) == ([0, 1, 2], [2], {1: [1, 2]})
    assert matching.moved == 0.2
    assert "segment 1 came apart into 1 and 2" in [*matching.summary()]


def test_segments_that_come_together_keep_the_id_of_the_larger_one() -> None:
    matching = carried([0] * 10 + [1] * 4 + [2] * 6, [0] * 10 + [1] * 10)
    assert (matching.ids, matching.gone, matching.merges) == ([0, 2], [1], {2: [1, 2]})
    assert matching.next_id == 3


def test_a_segment_with_little_in_common_with_any_before_is_new() -> None:
    matching = carried([0] * 10 + [1] * 10, [0] * 7 + [1] * 3 + [1] * 3 + [2] * 7)
    assert matching.ids == [0, 2, 1]
    assert next(matching.summary()) == "30.0% of the customers are in another segment than by 20170101-before"


def test_the_unusual_stay_the_unusual_whoever_they_are() -> None:
    about = {"unusual": 2}
    matching = carried([0] * 9 + [1] * 9 + [2] * 2, [0] * 8 + [2] + [1] * 9 + [1] * 2, unusual=2, segmentation=about)
    assert matching.ids == [0, 1, 2]


def test_labels_go_on_with_the_segments_that_they_are_of() -> None:
    labels = {"segments": {"0": {"name": "VIP"}, "1": {"description": "…"}, "2": {"name": "Gone"}}, "actions": {}}
    matching = carried([0] * 9 + [1] * 9 + [2], [1] * 9 + [0] * 10, labels=labels)
    assert matching.ids == [1, 0]
    assert matching.labels["segments"].keys() == {"0", "1"}
    assert {i: entry["edited"] for i, entry in matching.before.items()} == {0: True, 1: False}


@pytest.fixture
def segments_only(shop: Shop, tmp_path: Path) -> Path:
    """A config by which segments are those of `model`, and predictions, which ids do not depend on, are left out."""
    config = tmp_path / "segments_only.toml"
    config.write_text(f"{shop.config.read_text()}minimum_class_count = 10000\n")
    return config


def test_training_again_on_the_same_events_keeps_ids_names_and_labels(
    shop: Shop, model: Path, segments_only: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    previous = tmp_path / "previous"
    again = tmp_path / "again"
    previous.mkdir()
    for name in ("bundle.onnx", "manifest.json"):
        (previous / name).write_bytes((model / name).read_bytes())
    before = json.loads((previous / "manifest.json").read_text())
    (previous / "labels.json").write_text(json.dumps({"segments": {"1": {"name": "My favourites"}}}))
    arguments = ["--events", str(shop.file), "--config", str(segments_only), "--previous", str(previous)]
    assert main([*arguments, "--out", str(again)]) == 0
    about = json.loads((again / "manifest.json").read_text())
    assert about["identity"]["previous"] == before["bundle_id"]
    assert about["identity"]["moved"] == 0
    names = {entry["id"]: entry["name"] for entry in before["segments"]} | {1: "My favourites"}
    assert {entry["id"]: entry["name"] for entry in about["segments"]} == names
    assert f"0.0% of the customers are in another segment than by {before['bundle_id']}" in capsys.readouterr().out


def test_training_after_a_bundle_of_other_ids_keeps_those(
    shop: Shop, model: Path, segments_only: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    manifest = json.loads((model / "manifest.json").read_text())
    fewer = tmp_path / "fewer.toml"
    fewer.write_text(segments_only.read_text().replace("most_segments = 5", "segments = 3"))
    for out, config, previous in ((first, fewer, model), (second, segments_only, first)):
        arguments = ["--events", str(shop.file), "--config", str(config), "--previous", str(previous)]
        assert main([*arguments, "--out", str(out)]) == 0
    about = json.loads((second / "manifest.json").read_text())
    ids = [entry["id"] for entry in about["segments"]]
    assert len(ids) == len(manifest["segments"])
    assert max(ids) < about["identity"]["next_id"]
    decided = Bundle.load(second).decide(np.load(second / "gate.npz")["features"])
    assert {*decided.segment.tolist()} <= {*ids}
    kept = {entry["id"]: entry["name"] for entry in json.loads((first / "manifest.json").read_text())["segments"]}
    assert {*kept} & {*ids}


@pytest.mark.parametrize(("where", "says"), [("nowhere", "nowhere"), ("empty", "empty")])
def test_a_previous_bundle_that_is_not_there_is_said_so(
    where: str, says: str, shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    arguments = ["--events", str(shop.file), "--out", str(tmp_path / "out"), "--previous", str(tmp_path / where)]
    assert main(arguments) == 2
    assert says in capsys.readouterr().err


def test_the_live_bundle_of_a_bucket_is_the_previous_one_with_its_labels(s3: "S3Client") -> None:
    assert load_previous(f"s3://{BUCKET}") is None
    onnx, manifest = make_bundle()
    publish(s3, (onnx, manifest))
    body = json.dumps({"segments": {"2": {"name": "Regulars"}}}).encode()
    s3.put_object(Bucket=BUCKET, Key=labels_key(manifest["bundle_id"]), Body=body)
    previous = load_previous(f"s3://{BUCKET}")
    assert previous is not None
    assert [segment["name"] for segment in previous.manifest["segments"]] == ["About 0", "About 2", "Regulars"]
    assert match_segments(previous, np.zeros((3, len(FEATURE_NAMES)), np.float32), np.zeros(3, int), 1).ids == [0]


def test_publishing_says_who_moves_or_that_nobody_knows() -> None:
    onnx, manifest = make_bundle()
    moved = Bundle.from_files(onnx, {**manifest, "identity": {"previous": "old", "moved": 0.042}})
    assert [*who_moves("old", moved, BUCKET)] == ["4.2% of the customers are in another segment than by old"]
    assert "were not matched to those of other" in next(who_moves("other", moved, BUCKET))
    assert [*who_moves(None, moved, BUCKET), *who_moves(moved.bundle_id, moved, BUCKET)] == []
