"""The bundle: segmentation and predictions as one ONNX graph from features to decisions.

Every step keeps its name, so that what a decision rests on can be read back from the graph: `segment/impute`,
`segment/log`, `segment/clip`, `segment/scale`, `segment/pca` and `segment/nearest`, and likewise `churn/…`.
"""

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import onnx
import onnxmltools
import skl2onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper, parser
from onnxmltools.convert.common.data_types import FloatTensorType as XgboostFloats
from skl2onnx.common.data_types import FloatTensorType
from sklearn.pipeline import Pipeline
from xgboost import XGBRegressor

from training.models import Model
from training.segments import Segmentation

OPSET = {"": 18, "ai.onnx.ml": 3}
CONVERTER_OPSET = 15
"""The newest that onnxmltools writes; tree nodes are the same ever since."""
IR_VERSION = 9
BUNDLE_FORMAT = "1"
LIBRARIES = ("numpy", "onnx", "onnxmltools", "onnxruntime", "scikit-learn", "skl2onnx", "xgboost-cpu")

LOG = """
(float[n, f] x) => (float[n, f] y) <bool[f] mask, float one = {1}> {
    size = Abs(x)
    more = Add(size, one)
    logarithm = Log(more)
    sign = Sign(x)
    signed = Mul(sign, logarithm)
    y = Where(mask, signed, x)
}"""
CLIP = """
(float[n, f] x) => (float[n, f] y) <float[f] low, float[f] high> {
    raised = Max(x, low)
    y = Min(raised, high)
}"""
NEAREST = """
(float[n, d] x) => (int64[n] segment, float[n] segment_distance, int64[n] runner_up, float[n] runner_up_distance)
<float[k, d] centroids, int64[1] between = {1}, int64[1] dimension = {2}, int64[1] two = {2},
 int64 first = {0}, int64 second = {1}> {
    point = Unsqueeze(x, between)
    gap = Sub(point, centroids)
    distance = ReduceL2<keepdims = 0>(gap, dimension)
    near_distance, near = TopK<largest = 0>(distance, two)
    segment = Gather<axis = 1>(near, first)
    segment_distance = Gather<axis = 1>(near_distance, first)
    runner_up = Gather<axis = 1>(near, second)
    runner_up_distance = Gather<axis = 1>(near_distance, second)
}"""
NEAREST_INSIDE = """
(float[n, d] x, int64[n] segment) => (int64[n] micro_segment)
<float[m, d] centroids, int64[m] owner, int64[1] between = {1}, int64[1] dimension = {2}, float far = {3e38}> {
    point = Unsqueeze(x, between)
    gap = Sub(point, centroids)
    distance = ReduceL2<keepdims = 0>(gap, dimension)
    own = Unsqueeze(segment, between)
    inside = Equal(own, owner)
    eligible = Where(inside, distance, far)
    micro_segment = ArgMin<axis = 1, keepdims = 0>(eligible)
}"""
PROBABILITY = """
(float[n, 1] x) => (float[n] y) <float slope, float offset, int64[1] last = {1}> {
    margin = Squeeze(x, last)
    scaled = Mul(margin, slope)
    calibrated = Add(scaled, offset)
    y = Sigmoid(calibrated)
}"""
AMOUNT = PROBABILITY.replace("Sigmoid", "Exp")


def bundle(
    segmentation: Segmentation, models: Mapping[str, Model], n_features: int, metadata: Mapping[str, str]
) -> ModelProto:
    """One graph for `features` float32 [n, n_features]; `models` are keyed by output name.

    The content's hash completes `model_version`: what decides alike is called alike.
    """
    steps = _segment_steps(segmentation, n_features)
    outputs = dict.fromkeys(("segment", "runner_up", "micro_segment"), TensorProto.INT64)
    outputs |= dict.fromkeys(("segment_distance", "runner_up_distance", *models), TensorProto.FLOAT)
    for output, model in models.items():
        steps += _model_steps(output, model, n_features)
    graph = helper.make_graph(
        [node for step in steps for node in step.node],
        "tessera",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", n_features])],
        [helper.make_tensor_value_info(name, kind, ["n"]) for name, kind in outputs.items()],
        [tensor for step in steps for tensor in step.initializer],
    )
    model_proto = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in OPSET.items()],
        ir_version=IR_VERSION,
        producer_name="tessera",
    )
    onnx.checker.check_model(model_proto, full_check=True)
    named = {
        "bundle_format": BUNDLE_FORMAT,
        "opset": json.dumps(OPSET),
        "libraries": json.dumps(versions()),
        **metadata,
    }
    helper.set_model_props(model_proto, named)
    version = f"{metadata['model_version']}-{content_hash(model_proto)[:8]}"
    helper.set_model_props(model_proto, {**named, "model_version": version})
    return model_proto


def model_version(model: ModelProto) -> str:
    """The bundle's id: the day it was trained for and the beginning of its content's hash."""
    return str(next(entry.value for entry in model.metadata_props if entry.key == "model_version"))


def content_hash(model: ModelProto) -> str:
    """SHA-256 of everything in the bundle but its own version, hexadecimal."""
    anonymous = ModelProto()
    anonymous.CopyFrom(model)
    kept = {entry.key: entry.value for entry in model.metadata_props if entry.key != "model_version"}
    helper.set_model_props(anonymous, dict(sorted(kept.items())))
    return hashlib.sha256(anonymous.SerializeToString(deterministic=True)).hexdigest()


def versions() -> dict[str, str]:
    """Versions of the libraries that shape a bundle."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}


def _segment_steps(segmentation: Segmentation, n_features: int) -> list[GraphProto]:
    steps, prepared = _prepare_steps("segment", segmentation.prepare, n_features)
    pca = _sklearn(segmentation.pca, n_features)
    centroids = segmentation.chosen.kmeans.cluster_centers_.astype(np.float32)
    finer = {"centroids": segmentation.micro_centroids, "owner": segmentation.micro_owner}
    return [
        *steps,
        _renamed(pca, "segment/pca", {"x": prepared, "variable": "segment/point"}),
        _step(NEAREST, "segment/nearest", {"x": "segment/point"}, {"centroids": centroids}),
        _step(NEAREST_INSIDE, "segment/micro", {"x": "segment/point"}, finer),
    ]


def _model_steps(output: str, model: Model, n_features: int) -> list[GraphProto]:
    name, margin = output.removesuffix("_probability").removeprefix("expected_"), f"{output}/margin"
    if isinstance(model.estimator, XGBRegressor):
        steps = [_trees(model.estimator, f"{name}/trees", margin, n_features)]
    else:
        steps, prepared = _prepare_steps(name, model.estimator, n_features)
        linear = model.estimator[-1]
        node = helper.make_node(
            "LinearRegressor",
            [prepared],
            [margin],
            f"{name}/linear",
            domain="ai.onnx.ml",
            coefficients=np.ravel(linear.coef_).astype(np.float32),
            intercepts=np.ravel(linear.intercept_).astype(np.float32),
        )
        steps.append(_graph([node]))
    text = PROBABILITY if model.kind == "probability" else AMOUNT
    calibration = {"slope": np.float32(model.slope), "offset": np.float32(model.offset)}
    return [*steps, _step(text, f"{name}/calibrate", {"x": margin, "y": output}, calibration)]


def _prepare_steps(name: str, prepare: Pipeline, n_features: int) -> tuple[list[GraphProto], str]:
    """Impute, log, clip and scale; the second answer is the name of the last one's output."""
    fitted = prepare.named_steps
    tensors = ["features", *(f"{name}/{done}" for done in ("imputed", "logged", "clipped", "scaled"))]
    edges = [{"x": before, "y": after, "variable": after} for before, after in pairwise(tensors)]
    clip = {"low": fitted["clip"].low_, "high": fitted["clip"].high_}
    steps = [
        _renamed(_sklearn(fitted["impute"], n_features), f"{name}/impute", edges[0]),
        _step(LOG, f"{name}/log", edges[1], {"mask": fitted["log"].mask_}),
        _step(CLIP, f"{name}/clip", edges[2], clip),
        _renamed(_sklearn(fitted["scale"], n_features), f"{name}/scale", edges[3]),
    ]
    return steps, tensors[-1]


def _sklearn(fitted: Any, n_features: int) -> GraphProto:
    inputs = [("x", FloatTensorType([None, n_features]))]
    graph: GraphProto = skl2onnx.convert_sklearn(fitted, initial_types=inputs, target_opset=OPSET).graph
    return graph


def _trees(model: XGBRegressor, name: str, output: str, n_features: int) -> GraphProto:
    inputs = [("features", XgboostFloats([None, n_features]))]
    converted = onnxmltools.convert_xgboost(model, initial_types=inputs, target_opset=CONVERTER_OPSET).graph
    (node,) = (node for node in converted.node if node.op_type == "TreeEnsembleRegressor")
    # The converter leaves the intercept on the scale of the prediction; the trees add up on the scale of the margin.
    mean = float(np.ravel(model.intercept_)[0])
    intercept = np.log(mean / (1 - mean)) if model.objective == "binary:logistic" else np.log(mean)
    kept = [attribute for attribute in node.attribute if attribute.name != "base_values"]
    node.ClearField("attribute")
    node.attribute.extend([*kept, helper.make_attribute("base_values", [float(intercept)])])
    node.name, node.output[0] = name, output
    return _graph([node])


def _graph(nodes: list[NodeProto]) -> GraphProto:
    return helper.make_graph(nodes, "step", [], [])


def _step(text: str, name: str, edges: Mapping[str, str], values: Mapping[str, Any]) -> GraphProto:
    """The step written in ONNX's text form, with its parameters filled in."""
    graph = parser.parse_graph("step" + text)
    constants = [tensor for tensor in graph.initializer if tensor.name not in values]
    filled = [numpy_helper.from_array(np.asarray(value), key) for key, value in values.items()]
    graph.ClearField("initializer")
    graph.initializer.extend([*constants, *filled])
    ends = {value.name: value.name for value in graph.output if value.name != "y"}
    return _renamed(graph, name, {"segment": "segment", **ends, **edges})


def _renamed(graph: GraphProto, name: str, edges: Mapping[str, str]) -> GraphProto:
    """The graph with the tensors of `edges` renamed by it and all else put under `name`."""

    def renamed(tensor: str) -> str:
        return edges.get(tensor, f"{name}/{tensor}") if tensor else tensor

    for tensor in graph.initializer:
        tensor.name = renamed(tensor.name)
    for i, node in enumerate(graph.node):
        node.name = f"{name}/{i}"
        node.input[:] = map(renamed, node.input)
        node.output[:] = map(renamed, node.output)
    return graph
