"""`reasons.npz`: what a function needs to explain a bundle's decisions, read from the exported graph by its names.

Trees become leaves, each with one range for every feature on the way to it, and with how many customers of the
background meet each set of those ranges: then no background is needed at look-up.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from shared.models.manifests import step_name
from shared.reasons.contributions import FILE
from shared.reasons.nearest import Preparation
from training.data.preparation import Matrix

BACKGROUND = 256
"""Customers whose average a prediction is explained against."""
FEASIBLE_SHARE = 0.05
"""Customers at each end of a feature beyond whom nobody is expected to come."""

type Arrays = dict[str, NDArray[Any]]
type Range = tuple[np.float32, np.float32, bool]
"""low <= x < high, and whether NaN is let through."""

EVERYTHING: Range = (np.float32(-np.inf), np.float32(np.inf), True)


def background(X: Matrix, seed: int) -> Matrix:
    """The customers that predictions are explained against [n, n_features]: a sample of X."""
    return some(X, BACKGROUND, seed)


def some(X: Matrix, count: int, seed: int) -> Matrix:
    """So many rows of X [count, n_features], the same for the same X."""
    random = np.random.default_rng(seed)
    return X[np.sort(random.permutation(len(X))[:count])]


def save(out: Path, exported: ModelProto, customers: Matrix) -> dict[str, Any]:
    """Writes `reasons.npz` into the folder `out`; the answer is what the manifest says of it.

    `customers` [n, n_features] are the background. Raises KeyError where the graph lacks a step.
    """
    graph = _Graph(exported)
    arrays: Arrays = {
        "bundle_id": np.array(graph.metadata["model_version"]),
        "features": np.array(json.loads(graph.metadata["feature_names"])),
        "feature_definitions": np.array(graph.metadata["feature_definitions"]),
        "feature_set_hash": np.array(graph.metadata["feature_set_hash"]),
        "background": np.array(len(customers)),
        # The release before reads these two; a bundle has to work there after a way back.
        "low": _quantile(customers, FEASIBLE_SHARE),
        "high": _quantile(customers, 1 - FEASIBLE_SHARE),
        **graph.segments(),
    }
    for output in exported.graph.output:
        arrays |= graph.prediction(step_name(output.name), customers)
    return write(out, arrays)


def of_prediction(exported: ModelProto, name: str, customers: Matrix) -> Arrays:
    """The arrays of one prediction, by the name of its steps; nothing where it is neither trees nor linear."""
    return _Graph(exported).prediction(name, customers)


def write(out: Path, arrays: Arrays) -> dict[str, Any]:
    """Writes the arrays as `reasons.npz` into the folder `out`; the answer is what the manifest says of it."""
    np.savez_compressed(out / FILE, **arrays)  # type: ignore[arg-type]
    content = (out / FILE).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return {"sha256": digest, "background": int(arrays["background"]), "bytes": len(content)}


class _Graph:
    """The exported graph by the names of its steps."""

    def __init__(self, exported: ModelProto) -> None:
        self.metadata = {entry.key: entry.value for entry in exported.metadata_props}
        self._values = {tensor.name: numpy_helper.to_array(tensor) for tensor in exported.graph.initializer}
        self._nodes = {node.name: node for node in exported.graph.node}

    def segments(self) -> Arrays:
        """How the nearest segment is found."""
        parts = [
            part for part in ("prototypes", "owner", "eps", "unusual") if f"segment/nearest/{part}" in self._values
        ]
        return {
            **self._preparation("segment"),
            "segment/components": self._values["segment/pca/transform_matrix"],
            "segment/centre": self._values["segment/pca/mean"],
            **{f"segment/{part}": self._values[f"segment/nearest/{part}"] for part in parts},
        }

    def prediction(self, name: str, customers: Matrix) -> Arrays:
        """One prediction's model and calibration; nothing where the output of that name is none."""
        calibration = {
            f"{name}/{part}": self._values[f"{name}/calibrate/{part}"]
            for part in ("slope", "offset", "x", "y")
            if f"{name}/calibrate/{part}" in self._values
        }
        if f"{name}/trees" in self._nodes:
            return {f"{name}/{part}": value for part, value in self._trees(name, customers).items()} | calibration
        if f"{name}/linear" not in self._nodes:
            return calibration
        linear = attributes(self._nodes[f"{name}/linear"])
        prepare = self._preparation(name)
        prepared = _prepared(prepare, name, customers)
        return {
            **prepare,
            f"{name}/coefficients": np.array(linear["coefficients"], np.float32),
            f"{name}/base": np.array(linear["intercepts"][0]),
            f"{name}/average": prepared.mean(axis=0, dtype=np.float64),
            **calibration,
        }

    def _preparation(self, name: str) -> Arrays:
        fill = attributes(self._nodes[f"{name}/impute/0"])["imputed_value_floats"]
        scale = attributes(self._nodes[f"{name}/scale/0"])
        return {
            f"{name}/fill": np.array(fill, np.float32),
            f"{name}/log": self._values[f"{name}/log/mask"],
            f"{name}/low": self._values[f"{name}/clip/low"],
            f"{name}/high": self._values[f"{name}/clip/high"],
            f"{name}/mean": np.array(scale["offset"], np.float32),
            f"{name}/scale": np.array(scale["scale"], np.float32),
        }

    def _trees(self, name: str, customers: Matrix) -> Arrays:
        trees = attributes(self._nodes[f"{name}/trees"])
        return {**leaf_arrays(leaves(trees), customers), "base": np.array(trees.get("base_values", [0.0])[0])}


def leaf_arrays(paths: list[tuple[dict[int, Range], float]], customers: Matrix) -> Arrays:
    """The leaves as `shapley.Trees` has them, but `counts`: how many customers meet each set of ranges."""
    m = max(1, *(len(ranges) for ranges, _ in paths))
    filled = [[*ranges.items(), *[(0, EVERYTHING)] * (m - len(ranges))] for ranges, _ in paths]
    leaf: Arrays = {
        "feature": np.array([[feature for feature, _ in path] for path in filled], np.int16),
        "low": np.array([[low for _, (low, _, _) in path] for path in filled], np.float32),
        "high": np.array([[high for _, (_, high, _) in path] for path in filled], np.float32),
        "undefined": np.array([[undefined for _, (_, _, undefined) in path] for path in filled], bool),
    }
    value = np.array([value for _, value in paths], np.float32)
    return {**leaf, "value": value, "counts": _counts(leaf, customers)}


def attributes(node: NodeProto) -> dict[str, Any]:
    """A node's attributes by name."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def leaves(trees: dict[str, Any]) -> list[tuple[dict[int, Range], float]]:
    """Of a `TreeEnsembleRegressor`'s attributes, each leaf's ranges by feature, and its value."""
    ids = list(zip(trees["nodes_treeids"], trees["nodes_nodeids"], strict=True))
    at = {tree_and_node: i for i, tree_and_node in enumerate(ids)}
    values: dict[tuple[int, int], float] = {}
    for tree, node, weight in zip(
        trees["target_treeids"], trees["target_nodeids"], trees["target_weights"], strict=True
    ):
        values[tree, node] = values.get((tree, node), 0.0) + weight
    missing = trees.get("nodes_missing_value_tracks_true") or [0] * len(ids)
    paths: list[tuple[dict[int, Range], float]] = []
    branches = [mode != b"LEAF" for mode in trees["nodes_modes"]]
    children = {
        (tree, child)
        for (tree, _), branch, *two in zip(
            ids, branches, trees["nodes_truenodeids"], trees["nodes_falsenodeids"], strict=True
        )
        for child in two
        if branch
    }
    pending: list[tuple[tuple[int, int], dict[int, Range]]] = [(node, {}) for node in ids if node not in children]
    while pending:
        (tree, node), ranges = pending.pop()
        i = at[tree, node]
        mode = trees["nodes_modes"][i].decode()
        if mode == "LEAF":
            paths.append((ranges, values.get((tree, node), 0.0)))
            continue
        feature = trees["nodes_featureids"][i]
        threshold = np.float32(trees["nodes_values"][i])
        if mode == "BRANCH_LEQ":
            threshold = np.nextafter(threshold, np.float32(np.inf))
        elif mode != "BRANCH_LT":
            raise KeyError(f"trees branch by {mode}, of which the reasons know nothing")
        low, high, undefined = ranges.get(feature, EVERYTHING)
        below = (low, min(high, threshold), undefined and bool(missing[i]))
        above = (max(low, threshold), high, undefined and not missing[i])
        pending.append(((tree, trees["nodes_falsenodeids"][i]), {**ranges, feature: above}))
        pending.append(((tree, trees["nodes_truenodeids"][i]), {**ranges, feature: below}))
    return paths


def _counts(leaf: Arrays, customers: Matrix) -> NDArray[np.uint16]:
    """How many customers meet each set of each leaf's ranges [n_leaves, 2 ** m]."""
    n_leaves, m = leaf["feature"].shape
    counts = np.zeros((n_leaves, 1 << m), np.int64)
    for x in customers:
        asked = x[leaf["feature"]]
        met = (asked >= leaf["low"]) & (asked < leaf["high"]) | leaf["undefined"] & np.isnan(asked)
        counts[np.arange(n_leaves), met @ (1 << np.arange(m))] += 1
    # Who meets a set meets every set inside it: sums over supersets, one range after the other.
    for k in range(m):
        split = counts.reshape(n_leaves, -1, 2, 1 << k)
        split[:, :, 0] += split[:, :, 1]
    return counts.astype(np.uint16)


def _prepared(prepare: Arrays, name: str, customers: Matrix) -> Matrix:
    return Preparation(*(prepare[f"{name}/{part}"] for part in ("fill", "log", "low", "high", "mean", "scale")))(
        customers
    )


def _quantile(customers: Matrix, share: float) -> NDArray[np.float32]:
    known = (column[~np.isnan(column)] for column in customers.T)
    return np.array([np.quantile(values, share) if len(values) else np.nan for values in known], np.float32)
