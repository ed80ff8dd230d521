"""A model that others made, as ONNX: hostile bytes, until they are held to what a model of our features may be."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from training.base.errors import InputError
from training.bundle.graph import OPSET
from training.bundle.reasons_file import attributes
from training.data.preparation import Matrix
from training.prediction.calibration import Vector

MOST_BYTES = 64_000_000
MOST_NODES = 10_000
OLDEST_OPSET = 9
CHANGED = {"Clip": 13, "Softmax": 13, "Squeeze": 13, "Unsqueeze": 13}
"""Operators that were others under the same name in opsets before these."""
ROWS_AT_ONCE = 2_000
TREES = ("TreeEnsembleClassifier", "TreeEnsembleRegressor")
ALLOWED = {
    "ai.onnx.ml": {
        *TREES,
        *("LinearClassifier", "LinearRegressor", "SVMClassifier", "SVMRegressor"),
        *("ArrayFeatureExtractor", "Binarizer", "Imputer", "Normalizer", "Scaler"),
    },
    "": {
        *("Abs", "Add", "And", "Cast", "Clip", "Concat", "Constant", "Div", "Elu", "Equal", "Erf", "Exp", "Flatten"),
        *(
            "Gather",
            "Gemm",
            "Greater",
            "GreaterOrEqual",
            "Identity",
            "IsNaN",
            "LeakyRelu",
            "Less",
            "LessOrEqual",
            "Log",
        ),
        *("MatMul", "Max", "Min", "Mul", "Neg", "Not", "Or", "Pow", "Reciprocal", "Relu", "Reshape", "Sigmoid", "Sign"),
        *("Softmax", "Softplus", "Sqrt", "Squeeze", "Sub", "Tanh", "Transpose", "Unsqueeze", "Where"),
    },
}
"""Operators that a row's work is bounded by: none loops, calls, reads, draws by chance, or makes much of little."""

ort.set_default_logger_severity(4)


@dataclass(frozen=True)
class Foreign:
    """A model of the table's features."""

    model: ModelProto
    output: str
    """Of its outputs the one with scores."""

    @classmethod
    def read(cls, content: bytes, n_features: int) -> "Foreign":
        """The model in a file's bytes. Raises InputError with all that is wrong with it."""
        if len(content) > MOST_BYTES:
            raise InputError(f"the model has {len(content):,} bytes, more than {MOST_BYTES:,}")
        try:
            model = onnx.load_model_from_string(content)
        except Exception as error:  # whatever protobuf's parser raises of bytes that are none
            raise InputError("this is no ONNX model") from error
        output = _of_scores(model)
        if mistakes := [*_mistakes(model, n_features)]:
            raise InputError("; ".join(dict.fromkeys(mistakes)))
        try:
            onnx.checker.check_model(model, full_check=False)
        except Exception as error:
            raise InputError(f"this is no valid ONNX model: {_first(error)}") from error
        foreign = cls(model, output)
        foreign._try_out(n_features)
        return foreign

    @cached_property
    def _session(self) -> ort.InferenceSession:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        return ort.InferenceSession(self.model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def width(self, n_features: int) -> int:
        """How many numbers it gives a row."""
        rows = np.zeros((3, n_features), np.float32)
        (scores,) = self._session.run([self.output], {self.model.graph.input[0].name: rows})
        return int(scores.size) // 3

    def scores(self, X: Matrix) -> Vector:
        """What it says of the rows X [n, n_features]: of two classes of the second, else the only number [n]."""
        name = self.model.graph.input[0].name
        parts = [
            np.asarray(self._session.run([self.output], {name: X[start : start + ROWS_AT_ONCE]})[0], np.float64)
            for start in range(0, len(X), ROWS_AT_ONCE)
        ]
        scores = np.concatenate(parts)
        return scores.reshape(len(X), -1)[:, -1]

    def _try_out(self, n_features: int) -> None:
        rows = np.zeros((3, n_features), np.float32)
        try:
            (scores,) = self._session.run([self.output], {self.model.graph.input[0].name: rows})
        except Exception as error:  # ONNX Runtime's exceptions have no common base
            raise InputError(f"the model does not run: {_first(error)}") from error
        if not isinstance(scores, np.ndarray) or scores.dtype not in (np.float32, np.float64):
            raise InputError("its scores are no numbers")
        if scores.shape not in ((3,), (3, 1), (3, 2)):
            raise InputError(f"it gives scores of shape {scores.shape} for 3 rows; one or two a row are needed")


def _mistakes(model: ModelProto, n_features: int) -> Iterator[str]:
    graph = model.graph
    for opset in model.opset_import:
        domain = "" if opset.domain == "ai.onnx" else opset.domain
        oldest = OLDEST_OPSET if not domain else 1
        if domain not in OPSET:
            yield f"operators of {domain[:40]!r} are not known"
        elif not oldest <= opset.version <= OPSET[domain]:
            name = domain or "ONNX"
            yield f"opset {opset.version} of {name} is not one of {oldest} to {OPSET[domain]}: choose its target_opset"
    if model.functions or graph.sparse_initializer or model.training_info:
        yield "it has functions, sparse values or training of its own"
    if len(graph.node) > MOST_NODES:
        yield f"it has {len(graph.node):,} steps, more than {MOST_NODES:,}"
    for node in graph.node:
        domain = "" if node.domain == "ai.onnx" else node.domain
        if node.op_type not in ALLOWED.get(domain, ()):
            yield f"the operator {node.op_type[:40]} is not allowed"
        elif domain == "" and any(opset.version < CHANGED.get(node.op_type, 0) for opset in _of_onnx(model)):
            yield f"the operator {node.op_type} needs opset {CHANGED[node.op_type]}: choose its target_opset"
        elif any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            yield f"the operator {node.op_type} holds a graph"
        elif node.op_type in TREES:
            yield from _tree_mistakes(node, n_features)
    tensors = [*graph.initializer, *(a.t for node in graph.node for a in node.attribute if a.HasField("t"))]
    if any(tensor.data_location == TensorProto.EXTERNAL or tensor.external_data for tensor in tensors):
        yield "values lie in other files"
    yield from _input_mistakes(graph, n_features)


def _of_onnx(model: ModelProto) -> list[Any]:
    return [opset for opset in model.opset_import if opset.domain in ("", "ai.onnx")]


def _input_mistakes(graph: GraphProto, n_features: int) -> Iterator[str]:
    known = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in known]
    if len(inputs) != 1 or len(graph.input) != 1:
        yield f"it has {len(graph.input)} inputs; the table's features come as one"
        return
    kind = inputs[0].type.tensor_type
    size = [dimension.dim_value for dimension in kind.shape.dim]
    if kind.elem_type != TensorProto.FLOAT or len(size) != 2 or size[1] != n_features:
        yield f"its input is not of {n_features} float32 numbers a row, in the order of the table's features"


def _tree_mistakes(node: NodeProto, n_features: int) -> Iterator[str]:
    """Whether trees are trees: every node within, reached once, so that neither we nor the runtime go in circles."""
    tree = attributes(node)
    try:
        ids = list(zip(tree["nodes_treeids"], tree["nodes_nodeids"], strict=True))
        names = ("nodes_modes", "nodes_featureids", "nodes_values", "nodes_truenodeids", "nodes_falsenodeids")
        columns = [tree[name] for name in names]
        rows = dict(zip(ids, zip(*columns, strict=True), strict=True))
    except (KeyError, ValueError):
        yield "its trees are not whole"
        return
    reached = [
        (number, child)
        for (number, _), (mode, _, _, *children) in rows.items()
        if mode != b"LEAF"
        for child in children
    ]
    pending = [key for key in rows if key not in {*reached}]
    seen = 0
    while pending and seen <= len(rows):
        number, _ = key = pending.pop()
        seen += 1
        mode, _, _, *children = rows.get(key, (b"LEAF", 0, 0.0))
        pending += [(number, child) for child in children] if mode != b"LEAF" else []
    if len(rows) != len(ids) or seen != len(rows) or any(key not in rows for key in reached):
        yield "its trees are not trees"
    if any(not 0 <= feature < n_features for mode, feature, *_ in rows.values() if mode != b"LEAF"):
        yield f"its trees ask for features beyond the {n_features} of the table"


def _of_scores(model: ModelProto) -> str:
    """The one output with scores, of whose making alone the model then consists: what says which class, and what
    makes maps of numbers, is left out. Raises InputError where there is not one."""
    graph = model.graph
    producer = {name: node for node in graph.node for name in node.output}
    outputs = [value.name for value in graph.output]
    mapped = {name: producer[name].input[0] for name in outputs if name in producer and _is_zipmap(producer[name])}
    by_name = {value.name: ValueInfoProto.FromString(value.SerializeToString()) for value in graph.output}
    numbers = (TensorProto.FLOAT, TensorProto.DOUBLE)
    scores = [name for name in outputs if name in mapped or by_name[name].type.tensor_type.elem_type in numbers]
    if len(scores) != 1:
        raise InputError(f"{len(scores)} of its outputs are numbers; there is to be one")
    output: str = mapped.get(scores[0], scores[0])
    needed: set[str] = set()
    pending = [output]
    while pending:
        name = pending.pop()
        if name not in needed:
            needed.add(name)
            pending += [] if name not in producer else [each for each in producer[name].input if each]
    kept = [node for node in graph.node if needed & {*node.output}]
    values = [tensor for tensor in graph.initializer if tensor.name in needed]
    del graph.node[:], graph.initializer[:], graph.output[:], graph.value_info[:]
    graph.node.extend(kept)
    graph.initializer.extend(values)
    graph.output.append(
        by_name.get(output) or helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", "classes"])
    )
    return output


def _is_zipmap(node: NodeProto) -> bool:
    return bool(node.op_type == "ZipMap" and node.input)


def _first(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:200]
