"""Steps of the bundle's graph: from fitted scikit-learn parts and from ONNX's text form, each under its own name."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import skl2onnx
from onnx import GraphProto, NodeProto, helper, numpy_helper, parser
from skl2onnx.common.data_types import FloatTensorType
from sklearn.pipeline import Pipeline

OPSET = {"": 18, "ai.onnx.ml": 3}

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


def prepare_steps(name: str, prepare: Pipeline, n_features: int) -> tuple[list[GraphProto], str]:
    """Impute, log, clip and scale; the second answer is the name of the last one's output."""
    fitted = prepare.named_steps
    tensors = ["features", *(f"{name}/{done}" for done in ("imputed", "logged", "clipped", "scaled"))]
    edges = [{"x": before, "y": after, "variable": after} for before, after in pairwise(tensors)]
    clip = {"low": fitted["clip"].low_, "high": fitted["clip"].high_}
    steps = [
        renamed(converted(fitted["impute"], n_features), f"{name}/impute", edges[0]),
        step(LOG, f"{name}/log", edges[1], {"mask": fitted["log"].mask_}),
        step(CLIP, f"{name}/clip", edges[2], clip),
        renamed(converted(fitted["scale"], n_features), f"{name}/scale", edges[3]),
    ]
    return steps, tensors[-1]


def converted(fitted: Any, n_features: int) -> GraphProto:
    """A fitted scikit-learn part that takes n_features numbers a row."""
    inputs = [("x", FloatTensorType([None, n_features]))]
    graph: GraphProto = skl2onnx.convert_sklearn(fitted, initial_types=inputs, target_opset=OPSET).graph
    return graph


def steps_of(nodes: list[NodeProto]) -> GraphProto:
    """Nodes that have nothing but attributes, as a step."""
    return helper.make_graph(nodes, "step", [], [])


def step(text: str, name: str, edges: Mapping[str, str], values: Mapping[str, Any]) -> GraphProto:
    """The step written in ONNX's text form, with its parameters filled in."""
    graph = parser.parse_graph("step" + text)
    constants = [tensor for tensor in graph.initializer if tensor.name not in values]
    filled = [numpy_helper.from_array(np.asarray(value), key) for key, value in values.items()]
    graph.ClearField("initializer")
    graph.initializer.extend([*constants, *filled])
    ends = {value.name: value.name for value in graph.output if value.name != "y"}
    return renamed(graph, name, {"segment": "segment", **ends, **edges})


def renamed(graph: GraphProto, name: str, edges: Mapping[str, str]) -> GraphProto:
    """The graph with the tensors of `edges` renamed by it and all else put under `name`."""

    def named(tensor: str) -> str:
        return edges.get(tensor, f"{name}/{tensor}") if tensor else tensor

    for tensor in graph.initializer:
        tensor.name = named(tensor.name)
    for i, node in enumerate(graph.node):
        node.name = f"{name}/{i}"
        node.input[:] = map(named, node.input)
        node.output[:] = map(named, node.output)
    return graph
