"""A stranger's ONNX is hostile bytes: what loops, reads, calls or grows is refused before anything is run."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from shared.features import FEATURE_NAMES
from training.adoption.foreign import MOST_BYTES, Foreign
from training.base.errors import InputError

WIDTH = len(FEATURE_NAMES)


def trees(**changes: Any) -> onnx.NodeProto:
    given: dict[str, Any] = {
        "nodes_treeids": [0, 0, 0],
        "nodes_nodeids": [0, 1, 2],
        "nodes_featureids": [3, 0, 0],
        "nodes_values": [1.5, 0.0, 0.0],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
        "nodes_truenodeids": [1, 0, 0],
        "nodes_falsenodeids": [2, 0, 0],
        "target_treeids": [0, 0],
        "target_nodeids": [1, 2],
        "target_ids": [0, 0],
        "target_weights": [0.2, 0.7],
        "n_targets": 1,
    }
    return helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", **given | changes)


def model(*nodes: onnx.NodeProto, width: int = WIDTH, opset: int = 15, values: Any = (), kind: Any = None) -> bytes:
    graph = helper.make_graph(
        [*nodes],
        "g",
        [helper.make_tensor_value_info("x", kind or TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])],
        [*values],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


def test_a_model_of_the_tables_features_is_read_and_gives_its_scores() -> None:
    X = np.zeros((5_000, WIDTH), np.float32)
    X[::2, 3] = 2
    scores = Foreign.read(model(trees()), WIDTH).scores(X)
    np.testing.assert_allclose(scores, np.where(X[:, 3] > 1.5, 0.7, 0.2), rtol=1e-6)


def external() -> onnx.TensorProto:
    tensor = numpy_helper.from_array(np.ones((WIDTH, 1), np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return tensor


def looping() -> bytes:
    body = helper.make_graph([], "b", [], [])
    return model(helper.make_node("Loop", ["x"], ["y"], body=body))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: b"", "of its outputs are numbers"),
        (lambda: b"\x00" * 100, "this is no ONNX model"),
        (lambda: bytes(MOST_BYTES + 1), "more than 64,000,000"),
        (lambda: model(trees(), width=3), "its input is not of 85 float32 numbers a row"),
        (lambda: model(trees(), kind=TensorProto.DOUBLE), "its input is not of 85 float32 numbers a row"),
        (lambda: model(trees(), opset=21), "opset 21 of ONNX is not one of 9 to 18"),
        (looping, "the operator Loop is not allowed"),
        (lambda: model(helper.make_node("Tile", ["x", "x"], ["y"])), "the operator Tile is not allowed"),
        (lambda: model(helper.make_node("Evil", ["x"], ["y"], domain="evil")), "the operator Evil is not allowed"),
        (lambda: model(helper.make_node("MatMul", ["x", "w"], ["y"]), values=[external()]), "lie in other files"),
        (lambda: model(trees(nodes_truenodeids=[0, 0, 0])), "its trees are not trees"),
        (lambda: model(trees(nodes_falsenodeids=[9, 0, 0])), "its trees are not trees"),
        (lambda: model(trees(nodes_nodeids=[0, 0, 0])), "its trees are not trees"),
        (lambda: model(trees(nodes_featureids=[99, 0, 0])), "its trees ask for features beyond the 85"),
        (lambda: model(trees(nodes_values=[1.5])), "its trees are not whole"),
        (lambda: model(helper.make_node("MatMul", ["x", "x"], ["y"])), "the model does not run"),
        (lambda: model(helper.make_node("Identity", ["x"], ["y"])), "it gives scores of shape (3, 85) for 3 rows"),
    ],
)
def test_what_may_do_harm_is_refused_with_the_reason(content: Callable[[], bytes], message: str) -> None:
    with pytest.raises(InputError) as refused:
        Foreign.read(content(), WIDTH)
    assert message in str(refused.value)
