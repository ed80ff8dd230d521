"""A graph that is not what training writes is refused when it is loaded, or costs no event when it fails later."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from shared.clock import Moment
from shared.features import DEFINITIONS, FEATURE_NAMES
from shared.features.definitions import set_hash, to_json
from shared.intake.ingest import ingest
from shared.models.bundle import Bundle, BundleMismatch
from tests.support.bundles import make_bundle
from tests.support.event_files import profiles, purchase
from tests.support.memory_table import MemoryTable

ONNX, ABOUT = make_bundle()
NOW = Moment(1_509_494_400_000, 1_509_494_400_000, horizon_days=7)
FAR = FEATURE_NAMES.index("net_revenue_lifetime")


def graph(churn: Sequence[onnx.NodeProto]) -> bytes:
    """A bundle in which everyone is in segment 0, and `churn` makes `churn_probability` of `column` [n]."""
    constants = {"at": np.array(FAR), "zero": np.zeros(1, np.float32), "one": np.ones(1, np.float32)}
    nodes = [
        helper.make_node("Gather", ["features", "at"], ["column"], axis=1),
        helper.make_node("IsNaN", ["column"], ["unknown"]),
        helper.make_node("Where", ["unknown", "zero", "column"], ["known"]),
        helper.make_node("Mul", ["known", "zero"], ["segment_distance"]),
        helper.make_node("Add", ["segment_distance", "one"], ["runner_up_distance"]),
        helper.make_node("Cast", ["segment_distance"], ["segment"], to=TensorProto.INT64),
        helper.make_node("Cast", ["runner_up_distance"], ["runner_up"], to=TensorProto.INT64),
        *churn,
    ]
    outputs = dict.fromkeys(("segment", "runner_up"), TensorProto.INT64)
    outputs |= dict.fromkeys(("segment_distance", "runner_up_distance", "churn_probability"), TensorProto.FLOAT)
    body = helper.make_graph(
        nodes,
        "bundle",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, len(DEFINITIONS)])],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    metadata = {"bundle_format": "1", "model_version": ABOUT["bundle_id"], "feature_set_hash": set_hash(DEFINITIONS)}
    metadata |= {"feature_names": json.dumps(FEATURE_NAMES), "feature_definitions": to_json(DEFINITIONS)}
    helper.set_model_props(model, metadata)
    return bytes(model.SerializeToString())


def node(kind: str, *given: str, **how: Any) -> onnx.NodeProto:
    return helper.make_node(kind, given, ["churn_probability"], **how)


BROKEN: dict[str, tuple[list[onnx.NodeProto], str]] = {
    "undefined for who is unknown": ([node("Identity", "column")], "undefined or infinite"),
    "infinite for who did nothing": ([node("Div", "one", "known")], "undefined or infinite"),
    "one number for all": ([node("ReduceMax", "known", keepdims=0)], "cannot decide"),
    "two numbers a customer": (
        [node("Concat", "known", "known", axis=0)],
        "churn_probability that is not one number",
    ),
    "a step that fails": (
        [
            helper.make_node("Cast", ["known"], ["index"], to=TensorProto.INT64),
            helper.make_node("Gather", ["zero", "index"], ["churn_probability"], axis=0),
        ],
        "cannot decide",
    ),
}


@pytest.mark.parametrize(("churn", "message"), BROKEN.values(), ids=BROKEN)
def test_a_graph_that_cannot_decide_on_everybody_is_refused_when_it_is_loaded(
    churn: list[onnx.NodeProto], message: str
) -> None:
    with pytest.raises(BundleMismatch, match=message):
        Bundle.from_files(graph(churn), ABOUT)


FAILING: dict[str, list[onnx.NodeProto]] = {
    # Every row that a bundle is tried out on passes: amounts of up to a million.
    "infinite": [
        helper.make_node("Constant", [], ["most"], value_float=2e6),
        helper.make_node("Sub", ["most", "known"], ["left"]),
        helper.make_node("Sqrt", ["left"], ["root"]),
        helper.make_node("Sigmoid", ["root"], ["churn_probability"]),
    ],
    "failing": [
        helper.make_node("Constant", [], ["most"], value_float=2e6),
        helper.make_node("Div", ["known", "most"], ["part"]),
        helper.make_node("Cast", ["part"], ["index"], to=TensorProto.INT64),
        helper.make_node("Gather", ["zero", "index"], ["churn_probability"], axis=0),
    ],
}


@pytest.mark.parametrize("churn", FAILING.values(), ids=FAILING)
def test_a_bundle_that_fails_on_some_customer_costs_no_event_and_says_so(churn: list[onnx.NodeProto]) -> None:
    bundle = Bundle.from_files(graph(churn), ABOUT)
    table = MemoryTable()
    usual = purchase("usual")
    ingest(profiles(usual), table, bundle, NOW)
    assert bundle.failure is None
    ingest(profiles(usual, purchase("rich", price=1e7)), table, bundle, NOW)
    stored = table.all()
    rich = stored["customer#rich"]
    before = stored["customer#usual"]
    assert before.decision and before.waits_since_ms is None
    assert (rich.events, rich.decision, rich.waits_since_ms) == (1, None, NOW.as_of_ms)
    assert bundle.failure and bundle.bundle_id in bundle.failure
    ingest(profiles(purchase("rich", 2)), table, Bundle.from_files(ONNX, ABOUT), NOW)
    mended = table.all()["customer#rich"]
    assert mended.decision and mended.waits_since_ms is None and mended.events == 2


@given(st.integers(0, len(ONNX) - 1), st.binary(min_size=1, max_size=4))
def test_damaged_bytes_are_refused_or_decide(at: int, other: bytes) -> None:
    damaged = ONNX[:at] + other + ONNX[at + len(other) :]
    try:
        bundle = Bundle.from_files(damaged, ABOUT)
    except BundleMismatch:
        return
    assert len(bundle.decide(np.zeros((2, len(FEATURE_NAMES)), np.float32))) == 2
