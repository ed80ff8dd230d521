"""From a model that others made to a margin: as trees or a linear model of ours where it is one, else as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from training.adoption.foreign import TREES, Foreign
from training.bundle.graph import CLIP, LOG, step, steps_of
from training.bundle.model_graph import tree_sum
from training.bundle.reasons_file import attributes, leaves
from training.data.preparation import Matrix
from training.prediction.calibration import Kind, Vector

AMOUNT = """
(float[n, w] x) => (float[n, 1] margin) <int64[2] wide, int64[1] last, float least> {
    scores = Reshape(x, wide)
    score = Gather<axis = 1>(scores, last)
    above = Max(score, least)
    margin = Log(above)
}"""
CHANCE = """
(float[n, w] x) => (float[n, 1] margin) <int64[2] wide, int64[1] last, float least, float most, float one = {1}> {
    scores = Reshape(x, wide)
    score = Gather<axis = 1>(scores, last)
    above = Max(score, least)
    drawn = Min(above, most)
    other = Sub(one, drawn)
    odds = Log(drawn)
    against = Log(other)
    margin = Sub(odds, against)
}"""
LEAST_SHARE = 1e-6
"""Scores are drawn in by it before their log-odds are taken, and amounts before their logarithm."""
MOST_FEATURES_A_LEAF = 8
"""On the way to a leaf, for exact reasons: each doubles what a function has to hold."""
LINEAR = (["Imputer", "LinearClassifier"], ["Imputer", "Scaler", "LinearClassifier"])
"""Without a value for what is undefined, a linear model gives none."""
PASSING = ("Cast", "Identity", "Normalizer")
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Adopted:
    """What gives a margin, in the place of an estimator of ours."""

    name: str
    """How it is explained: `trees` and `linear` exactly, `sampled` with a stated error."""
    margins: Foreign
    """What gives the margin as whoever made it meant it; the reference for the steps."""
    link: str
    """From scores to the margin: `log-odds`, `logarithm`, or `none`."""
    steps: tuple[GraphProto, ...] = ()
    """Of the bundle's graph, from `features` to the tensor `margin` [n, 1], under the prefix of the prediction."""

    def margin(self, X: Matrix) -> Vector:
        """What is not calibrated yet [n]."""
        return linked(self.link, self.margins.scores(X))


def linked(link: str, scores: Vector) -> Vector:
    """The margins of scores [n]."""
    if link == "none":
        return scores
    if link == "logarithm":
        return np.log(np.maximum(scores, LEAST_SHARE))
    p = np.clip(scores, LEAST_SHARE, 1 - LEAST_SHARE)
    return np.log(p) - np.log(1 - p)


def adopted(foreign: Foreign, kind: Kind, prefix: str, margin: str, n_features: int) -> Adopted:
    """The model, for the steps of a prediction under `prefix` that give the tensor `margin`."""
    chain = _chain(foreign)
    place = _Place(kind, prefix, margin, n_features)
    exact = chain and (_trees(foreign, chain, place) or _linear(foreign, chain, place))
    return exact or _as_it_is(foreign, place)


@dataclass(frozen=True)
class _Place:
    """Where a model comes to stand in a bundle."""

    kind: Kind
    prefix: str
    margin: str
    n_features: int


def _chain(foreign: Foreign) -> list[NodeProto] | None:
    """The steps from the features to the scores, where each rests on the one before alone and passes through are left
    out."""
    graph = foreign.model.graph
    constant = {tensor.name: tensor for tensor in graph.initializer}
    producer = {name: node for node in graph.node for name in node.output}
    at = foreign.output
    chain: list[NodeProto] = []
    while at != graph.input[0].name:
        node = producer.get(at)
        inputs = [] if node is None else [name for name in node.input if name and name not in constant]
        if node is None or len(inputs) != 1:
            return None
        if node.op_type not in PASSING and not _is_times_one(node, constant):
            chain.append(node)
        at = inputs[0]
    return chain[::-1]


def _is_times_one(node: NodeProto, constant: Mapping[str, TensorProto]) -> bool:
    factors = [numpy_helper.to_array(constant[name]) for name in node.input if name in constant]
    return node.op_type == "Mul" and all(factor.size == 1 and factor.item() == 1 for factor in factors)


def _trees(foreign: Foreign, chain: list[NodeProto], place: _Place) -> Adopted | None:
    node, *after = chain
    is_exponential = [each.op_type for each in after] == ["Exp"]
    if node.op_type not in TREES or (after and not is_exponential) or (place.kind == "amount") != is_exponential:
        return None
    tree = attributes(node)
    weights = _weights(node.op_type, tree)
    modes = {*tree["nodes_modes"]}
    post = tree.get("post_transform", b"NONE")
    if weights is None or not modes <= {b"LEAF", b"BRANCH_LEQ", b"BRANCH_LT"} or post not in (b"NONE", b"LOGISTIC"):
        return None
    if tree.get("aggregate_function", b"SUM") != b"SUM" or any(name.endswith("_as_tensor") for name in tree):
        return None
    ours = _ensemble(tree, weights, f"{place.prefix}/trees", place.margin)
    if max(len(way) for way, _ in leaves(attributes(ours))) > MOST_FEATURES_A_LEAF:
        return None
    raw = ModelProto()
    raw.CopyFrom(foreign.model)
    for each in raw.graph.node:
        for attribute in each.attribute:
            if attribute.name == "post_transform":
                attribute.s = b"NONE"
    scores = foreign.output
    if is_exponential:
        scores = node.output[0]
        del raw.graph.output[:]
        raw.graph.output.append(helper.make_tensor_value_info(scores, TensorProto.FLOAT, ["n", 1]))
    return Adopted("trees", Foreign(raw, scores), "none", (steps_of([ours]),))


def _weights(operator: str, tree: Mapping[str, Any]) -> list[tuple[int, int, float]] | None:
    """Of each leaf its tree, its node and what it adds to the score; None where there are several scores."""
    part = "class" if operator == "TreeEnsembleClassifier" else "target"
    columns = (tree[f"{part}_treeids"], tree[f"{part}_nodeids"], tree[f"{part}_ids"], tree[f"{part}_weights"])
    rows = list(zip(*columns, strict=True))
    ids = {each[2] for each in rows}
    if part == "class":
        classes = len(tree.get("classlabels_int64s") or tree.get("classlabels_strings") or ())
        if classes != 2:
            return None
        wanted = max(ids)
    elif tree.get("n_targets", 1) != 1:
        return None
    else:
        wanted = 0
    return [(number, leaf, weight) for number, leaf, id_, weight in rows if id_ == wanted]


def _ensemble(tree: Mapping[str, Any], weights: list[tuple[int, int, float]], name: str, output: str) -> NodeProto:
    kept = ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")
    nodes: dict[str, Any] = {f"nodes_{part}": tree[f"nodes_{part}"] for part in kept}
    if missing := tree.get("nodes_missing_value_tracks_true"):
        nodes["nodes_missing_value_tracks_true"] = missing
    base = tree.get("base_values") or [0.0]
    targets = {
        "target_treeids": [number for number, _, _ in weights],
        "target_nodeids": [leaf for _, leaf, _ in weights],
        "target_ids": [0] * len(weights),
        "target_weights": [weight for _, _, weight in weights],
    }
    return tree_sum(name, output, base[-1], nodes | targets)


def _linear(foreign: Foreign, chain: list[NodeProto], place: _Place) -> Adopted | None:
    kinds = [node.op_type for node in chain]
    prefix, n_features = place.prefix, place.n_features
    if place.kind != "probability" or kinds not in LINEAR:
        return None
    linear = attributes(chain[-1])
    imputer = attributes(chain[0])
    plain = {"offset": [0.0] * n_features, "scale": [1.0] * n_features}
    scaler = attributes(chain[1]) if kinds[1] == "Scaler" else plain
    coefficients, intercepts = linear["coefficients"], linear.get("intercepts") or [0.0]
    fill = imputer.get("imputed_value_floats", [])
    if len(coefficients) not in (n_features, 2 * n_features) or not len(fill) == len(scaler["scale"]) == n_features:
        return None
    if not np.isnan(imputer.get("replaced_value_float", 0.0)) or linear.get("post_transform") != b"LOGISTIC":
        return None
    ml = "ai.onnx.ml"
    tensors = ["features", *(f"{prefix}/{done}" for done in ("imputed", "logged", "clipped", "scaled"))]
    none = np.zeros(n_features, bool)
    ends = {"low": np.full(n_features, -LARGEST, np.float32), "high": np.full(n_features, LARGEST, np.float32)}
    impute = helper.make_node(
        "Imputer", tensors[:1], tensors[1:2], f"{prefix}/impute/0", domain=ml,
        imputed_value_floats=fill, replaced_value_float=float("nan"),
    )  # fmt: skip
    by: dict[str, Any] = {"offset": scaler["offset"], "scale": scaler["scale"]}
    scale = helper.make_node("Scaler", tensors[3:4], tensors[4:], f"{prefix}/scale/0", domain=ml, **by)
    weigh = helper.make_node(
        "LinearRegressor", tensors[4:], [place.margin], f"{prefix}/linear", domain=ml,
        coefficients=coefficients[-n_features:], intercepts=intercepts[-1:],
    )  # fmt: skip
    steps = (
        steps_of([impute]),
        step(LOG, f"{prefix}/log", {"x": tensors[1], "y": tensors[2]}, {"mask": none}),
        step(CLIP, f"{prefix}/clip", {"x": tensors[2], "y": tensors[3]}, ends),
        steps_of([scale]),
        steps_of([weigh]),
    )
    return Adopted("linear", foreign, "log-odds", steps)


def _as_it_is(foreign: Foreign, place: _Place) -> Adopted:
    prefix = place.prefix
    width = foreign.width(place.n_features)
    named: dict[str, Any] = {"least": np.float32(LEAST_SHARE)}
    if place.kind == "amount":
        link, text = "logarithm", AMOUNT
    else:
        link, text = "log-odds", CHANCE
        named["most"] = np.float32(1 - LEAST_SHARE)
    named |= {"wide": np.array([-1, width], np.int64), "last": np.array([width - 1], np.int64)}
    edges = {"x": f"{prefix}/foreign/{foreign.output}", "margin": place.margin}
    inside = helper.make_graph([*_copied(foreign, prefix)], "step", [], [], [*_values(foreign, prefix)])
    return Adopted("sampled", foreign, link, (inside, step(text, f"{prefix}/link", edges, named)))


def _copied(foreign: Foreign, prefix: str) -> Iterator[NodeProto]:
    known = foreign.model.graph.input[0].name
    for number, node in enumerate(foreign.model.graph.node):
        copy = NodeProto()
        copy.CopyFrom(node)
        copy.name = f"{prefix}/foreign/{number}"
        copy.input[:] = ["features" if name == known else name and f"{prefix}/foreign/{name}" for name in node.input]
        copy.output[:] = [name and f"{prefix}/foreign/{name}" for name in node.output]
        yield copy


def _values(foreign: Foreign, prefix: str) -> Iterator[TensorProto]:
    for tensor in foreign.model.graph.initializer:
        copy = TensorProto()
        copy.CopyFrom(tensor)
        copy.name = f"{prefix}/foreign/{tensor.name}"
        yield copy
