"""The steps from features to a prediction: a model's margin and its calibration."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import GraphProto, NodeProto, helper

from shared.models.manifests import step_name
from training.bundle.graph import prepare_steps, step, steps_of
from training.prediction.calibration import Calibration, Isotonic
from training.prediction.candidates import Ensemble, Linear, Trees
from training.prediction.models import Model

PROBABILITY = """
(float[n, 1] x) => (float[n] y) <float slope, float offset, int64[1] last = {1}> {
    margin = Squeeze(x, last)
    scaled = Mul(margin, slope)
    calibrated = Add(scaled, offset)
    y = Sigmoid(calibrated)
}"""
AMOUNT = PROBABILITY.replace("Sigmoid", "Exp")
UPLIFT = PROBABILITY.replace("Sigmoid", "Identity")
CURVE = """
(float[n, 1] margin) => (float[n] level) <float[k] x, float[k] y, int64[1] last = {1}, int64 one = {1}, int64 end> {
    passed = GreaterOrEqual(margin, x)
    counted = Cast<to = 7>(passed)
    points = ReduceSum<keepdims = 0>(counted, last)
    right = Clip(points, one, end)
    left = Sub(right, one)
    inside = Squeeze(margin, last)
    x0 = Gather(x, left)
    x1 = Gather(x, right)
    y0 = Gather(y, left)
    y1 = Gather(y, right)
    come = Sub(inside, x0)
    whole = Sub(x1, x0)
    share = Div(come, whole)
    zero = Sub(whole, whole)
    full = Div(whole, whole)
    low = Max(share, zero)
    bounded = Min(low, full)
    rise = Sub(y1, y0)
    risen = Mul(bounded, rise)
    level = Add(y0, risen)
}"""


def model_steps(output: str, model: Model, n_features: int) -> list[GraphProto]:
    """The model of one output; its margin is the tensor `<output>/margin` [n, 1]."""
    name = step_name(output)
    margin = f"{output}/margin"
    if isinstance(model.estimator, Trees):
        steps = [steps_of([_trees(model.estimator, f"{name}/trees", margin)])]
    else:
        steps = _linear(model.estimator, name, margin, n_features)
    return [*steps, calibrate(model.calibration, f"{name}/calibrate", margin, output)]


def _linear(model: Linear, name: str, output: str, n_features: int) -> list[GraphProto]:
    steps, prepared = prepare_steps(name, model.pipeline, n_features)
    linear = model.pipeline[-1]
    node = helper.make_node(
        "LinearRegressor",
        [prepared],
        [output],
        f"{name}/linear",
        domain="ai.onnx.ml",
        coefficients=np.ravel(linear.coef_).astype(np.float32),
        intercepts=np.ravel(linear.intercept_).astype(np.float32),
    )
    return [*steps, steps_of([node])]


def calibrate(calibration: Calibration, name: str, margin: str, output: str) -> GraphProto:
    """The step from the tensor `margin` [n, 1] to the tensor `output` [n]."""
    if isinstance(calibration, Isotonic):
        x, y = calibration.x.astype(np.float32), calibration.y.astype(np.float32)
        return step(CURVE, name, {"margin": margin, "level": output}, {"x": x, "y": y, "end": np.int64(len(x) - 1)})
    text = {"probability": PROBABILITY, "amount": AMOUNT, "uplift": UPLIFT}[calibration.kind]
    values = {"slope": np.float32(calibration.slope), "offset": np.float32(calibration.offset)}
    return step(text, name, {"x": margin, "y": output}, values)


def _trees(model: Trees, name: str, output: str) -> NodeProto:
    """One node for all trees of all ensembles, as XGBoost's own JSON tells them (its thresholds are float32)."""
    parts: defaultdict[str, list[Any]] = defaultdict(list)
    grown = [(tree, ensemble.weight) for ensemble in model.ensembles for tree in _grown(ensemble)]
    for number, (tree, weight) in enumerate(grown):
        left, right, value = (tree[part] for part in ("left_children", "right_children", "split_conditions"))
        ends = [child == -1 for child in left]
        count = len(left)
        parts["nodes_treeids"] += [number] * count
        parts["nodes_nodeids"] += range(count)
        parts["nodes_featureids"] += [
            0 if end else feature for end, feature in zip(ends, tree["split_indices"], strict=True)
        ]
        parts["nodes_values"] += [0.0 if end else threshold for end, threshold in zip(ends, value, strict=True)]
        parts["nodes_modes"] += ["LEAF" if end else "BRANCH_LT" for end in ends]
        parts["nodes_truenodeids"] += [max(child, 0) for child in left]
        parts["nodes_falsenodeids"] += [max(child, 0) for child in right]
        parts["nodes_missing_value_tracks_true"] += tree["default_left"]
        at = [i for i, end in enumerate(ends) if end]
        parts["target_treeids"] += [number] * len(at)
        parts["target_nodeids"] += at
        parts["target_ids"] += [0] * len(at)
        parts["target_weights"] += [weight * value[i] for i in at]
    return tree_sum(name, output, model.base(), parts)


def tree_sum(name: str, output: str, base: float, parts: Mapping[str, Sequence[Any]]) -> NodeProto:
    """The node that adds up what trees give, from the features on; `parts` are its attributes of nodes and targets."""
    return helper.make_node(
        "TreeEnsembleRegressor",
        ["features"],
        [output],
        name,
        domain="ai.onnx.ml",
        n_targets=1,
        aggregate_function="SUM",
        post_transform="NONE",
        base_values=[base],
        **dict[str, Any](parts),
    )


def _grown(ensemble: Ensemble) -> list[dict[str, Any]]:
    booster = ensemble.model.get_booster()[: ensemble.rounds]
    trees: list[dict[str, Any]] = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]["model"]["trees"]
    return trees
