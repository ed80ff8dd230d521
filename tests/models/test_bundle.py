import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.features import DEFINITIONS, FEATURE_NAMES
from shared.features.definitions import Definition
from shared.features.released import RELEASED
from shared.models.bundle import Bundle, BundleMismatch
from tests.support.bundles import make_bundle, with_own

FOREIGN = {**DEFINITIONS[0].as_dict(), "name": ["a list"]}


def rows(*orders: float) -> Any:
    X = np.full((len(orders), len(FEATURE_NAMES)), np.nan, np.float32)
    X[:, FEATURE_NAMES.index("orders_365d")] = orders
    return X


def test_decides_for_every_row_in_one_call() -> None:
    decisions = Bundle.from_files(*make_bundle()).decide(rows(0, 1.5, 9))
    assert decisions.segment.tolist() == [0, 1, 2]
    assert decisions.runner_up.tolist() == [1, 0, 1]
    assert decisions.margin.tolist() == pytest.approx([1.0, 2 / 3, 6 / 7])
    assert list(decisions.predictions) == ["churn_probability"]
    assert decisions.predictions["churn_probability"] == pytest.approx(1 / (1 + np.exp([0, 1.5, 9])), abs=1e-6)
    assert decisions.expected_ltv is None


def test_predictions_of_the_shops_own_stand_after_ours() -> None:
    bundle = Bundle.from_files(*with_own(make_bundle(), "coupon_probability"))
    decisions = bundle.decide(rows(0, 1.5))
    assert list(decisions.predictions) == ["churn_probability", "coupon_probability"]
    np.testing.assert_array_equal(decisions.own["coupon_probability"], decisions.churn_probability)


@pytest.mark.parametrize("output", ["segment_distance", "Own", "../x", "a" * 65])
def test_no_output_takes_the_place_of_another_or_has_a_name_that_is_none(output: str) -> None:
    graph, manifest = make_bundle()
    targets = {**manifest["targets"], "own": {"trained": True, "output": output[:64]}}
    bundle = Bundle.from_files(graph, {**manifest, "targets": targets})
    assert list(bundle.decide(rows(0)).predictions) == ["churn_probability"]


def test_margin_is_zero_where_both_segments_are_at_the_same_place() -> None:
    decisions = Bundle.from_files(*make_bundle(centroids=(4.0, 4.0))).decide(rows(4, 5))
    assert decisions.margin.tolist() == [0, 0]


def test_decides_for_no_rows() -> None:
    assert len(Bundle.from_files(*make_bundle()).decide(rows())) == 0


def test_loads_from_a_folder(tmp_path: Path) -> None:
    onnx, manifest = make_bundle()
    (tmp_path / "bundle.onnx").write_bytes(onnx)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert Bundle.load(tmp_path).bundle_id == manifest["bundle_id"]


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"bundle_format": "2"}, "has format '2'"),
        ({"time_zone": "Europe/Berlin"}, "has format '1'"),
        ({"bundle_format": "2", "time_zone": "Europe/Berlin"}, "its manifest names another zone"),
        ({"feature_names": json.dumps(FEATURE_NAMES[1:])}, "does not say what its features mean"),
        ({"feature_names": "{"}, "its feature_names cannot be read"),
        ({"feature_definitions": "[" * 10_000}, "its feature_definitions cannot be read"),
        ({"feature_definitions": json.dumps([{"name": name} for name in FEATURE_NAMES])}, "does not say"),
        ({"feature_definitions": json.dumps([FOREIGN, *map(Definition.as_dict, DEFINITIONS)][:-1])}, "of one of its"),
        ({"feature_set_hash": "0000"}, "the hash of its feature set is not that of what"),
        ({"model_version": "another"}, "lies beside the graph of another"),
    ],
)
def test_bundle_made_for_other_code_is_refused(metadata: dict[str, str], message: str) -> None:
    with pytest.raises(BundleMismatch, match=message):
        Bundle.from_files(*make_bundle(metadata=metadata))


def test_bundle_of_the_release_before_with_another_hash_is_refused() -> None:
    metadata = {"feature_definitions": "", "feature_set_hash": "0000"}
    with pytest.raises(BundleMismatch, match="the hash of its feature set is not that"):
        Bundle.from_files(*make_bundle(metadata=metadata, definitions=RELEASED))


def test_bundle_without_a_segment_is_refused() -> None:
    with pytest.raises(BundleMismatch, match="lacks the outputs segment_distance"):
        Bundle.from_files(*make_bundle(without="segment_distance"))


def test_bundle_without_thresholds_is_refused() -> None:
    onnx, manifest = make_bundle()
    with pytest.raises(BundleMismatch, match="has no thresholds"):
        Bundle.from_files(onnx, {key: value for key, value in manifest.items() if key != "thresholds"})


@pytest.mark.parametrize("onnx", [b"", b"not a model", make_bundle()[0][:-100]])
def test_bytes_that_are_no_model_are_refused(onnx: bytes) -> None:
    with pytest.raises(BundleMismatch):
        Bundle.from_files(onnx, {"bundle_id": "x"})


def test_a_time_zone_that_nobody_knows_is_refused() -> None:
    onnx, manifest = make_bundle(metadata={"bundle_format": "2", "time_zone": "Europe/Bonn"})
    with pytest.raises(BundleMismatch, match="there is no time zone 'Europe/Bonn'"):
        Bundle.from_files(onnx, {**manifest, "time_zone": "Europe/Bonn"})
