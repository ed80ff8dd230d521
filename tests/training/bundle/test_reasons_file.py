"""What the file of reasons holds, against the graph, against shap, and against every set of features."""

import json
from functools import cache
from itertools import combinations
from math import comb
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
import shap
from sklearn.ensemble import RandomForestRegressor
from xgboost import XGBRegressor

from shared.reasons.contributions import FILE, Reasons
from shared.reasons.shapley import Trees
from training.bundle import reasons_file
from training.bundle.reasons_file import attributes, leaves

if TYPE_CHECKING:
    pass


def test_reasons_calibrated_by_a_broken_line_add_up_on_the_margin_and_lead_to_the_prediction(
    model: Path, tmp_path: Path, rows: Any
) -> None:
    exported = onnx.load(model / "bundle.onnx")
    [node] = [node for node in exported.graph.node if node.name == "churn/trees"]
    line = {"x": np.array([-3.0, -0.5, 0.5, 2.0]), "y": np.array([0.02, 0.2, 0.5, 0.9])}
    for kept in [t for t in exported.graph.initializer if t.name.startswith("churn/calibrate/")]:
        exported.graph.initializer.remove(kept)
    for part, values in line.items():
        exported.graph.initializer.append(onnx.numpy_helper.from_array(values, f"churn/calibrate/{part}"))
    about = {"bundle_id": json.loads((model / "manifest.json").read_text())["bundle_id"]}
    about["reasons"] = reasons_file.save(tmp_path, exported, rows[:30])
    why = Reasons.from_bytes((tmp_path / FILE).read_bytes(), about).predictions["churn_probability"]
    trees = trees_of(attributes(node), rows[:30])
    assert why.calibration.scale == "margin before calibration"
    for x in rows[:40]:
        total = why.contributions(x).sum()
        assert total + why.baseline == pytest.approx(trees.margin(x), abs=1e-6)
        expected = np.interp(trees.margin(x), line["x"], line["y"])
        assert (why.at(total), why.prediction(x)) == pytest.approx((expected, expected), abs=1e-6)


@pytest.mark.parametrize("depth", [1, 3, 6])
def test_shapley_values_of_trees_are_those_of_shap(depth: int) -> None:
    random = np.random.default_rng(depth)
    X, background = (random.normal(size=(n, 8)).astype(np.float32) for n in (60, 40))
    y = X[:, 0] * X[:, 1] + np.maximum(X[:, 2], X[:, 3]) - X[:, 4]
    model = XGBRegressor(n_estimators=12, max_depth=depth, random_state=1).fit(X, y)
    trees = trees_of(xgboost_attributes(model), background)
    explainer = shap.TreeExplainer(model, background, feature_perturbation="interventional")
    expected = explainer.shap_values(X)
    shares = np.array([trees.contributions(x) for x in X])
    np.testing.assert_allclose(shares, expected, atol=1e-3 * np.ptp(model.predict(X)))
    assert trees.baseline == pytest.approx(float(explainer.expected_value), abs=1e-4)


def test_shapley_values_of_a_forest_are_those_of_shap() -> None:
    from skl2onnx import to_onnx

    random = np.random.default_rng(4)
    X, background = (random.normal(size=(n, 6)).astype(np.float32) for n in (50, 30))
    forest = RandomForestRegressor(8, max_depth=6, random_state=1).fit(X, X[:, 0] * X[:, 1] + X[:, 2])
    (node,) = to_onnx(forest, X[:1]).graph.node
    trees = trees_of(attributes(node), background)
    expected = shap.TreeExplainer(forest, background, feature_perturbation="interventional").shap_values(X)
    shares = np.array([trees.contributions(x) for x in X])
    np.testing.assert_allclose(shares, expected, atol=1e-3 * np.ptp(forest.predict(X)))


def test_shapley_values_are_those_of_every_set_of_features_also_where_some_are_undefined() -> None:
    random = np.random.default_rng(2)
    X = random.normal(size=(80, 5)).astype(np.float32)
    X[random.random(X.shape) < 0.3] = np.nan
    model = XGBRegressor(n_estimators=6, max_depth=3, random_state=1).fit(X, np.nansum(X, axis=1))
    background = X[:20]
    trees = trees_of(xgboost_attributes(model), background)
    for x in X[20:30]:
        np.testing.assert_allclose(trees.contributions(x), enumerated(model, x, background), atol=1e-5)


def test_same_training_gives_the_same_reasons(model: Path, tmp_path: Path, rows: Any) -> None:
    exported = onnx.load(model / "bundle.onnx")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = (reasons_file.save(tmp_path / name, exported, rows[:30])["sha256"] for name in "ab")
    assert first == second


def trees_of(trees: dict[str, Any], background: np.ndarray[Any, Any]) -> Trees:
    leaf: dict[str, Any] = dict(reasons_file.leaf_arrays(leaves(trees), background))
    base = float((trees.get("base_values") or [0.0])[0])
    shares = leaf.pop("counts") / len(background)
    exact = {"feature": leaf.pop("feature").astype(np.int64), "value": leaf.pop("value").astype(np.float64)}
    return Trees(**leaf, **exact, shares=shares, base=base)


def xgboost_attributes(model: XGBRegressor) -> dict[str, Any]:
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType

    kind = [("x", FloatTensorType([None, model.n_features_in_]))]
    (node,) = onnxmltools.convert_xgboost(model, initial_types=kind, target_opset=15).graph.node
    return attributes(node)


def enumerated(model: XGBRegressor, x: Any, background: Any) -> np.ndarray[Any, Any]:
    """Shapley values by their definition, over every set of features."""
    n = len(x)

    @cache
    def worth(known: frozenset[int]) -> float:
        rows = background.copy()
        rows[:, list(known)] = x[list(known)]
        return float(model.predict(rows).mean())

    values = np.zeros(n)
    for j in range(n):
        others = [k for k in range(n) if k != j]
        for size in range(n):
            for known in combinations(others, size):
                more = worth(frozenset({*known, j})) - worth(frozenset(known))
                values[j] += more / (n * comb(n - 1, size))
    return values
