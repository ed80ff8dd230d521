"""Small real bundles: a few centroids on one feature, and churn that falls with it."""

import io
import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shared.features import DEFINITIONS
from shared.features.definitions import Definition, set_hash, to_json
from shared.models.bundle import bundle_format
from shared.models.layout import MANIFEST_FILE, ONNX_FILE, POINTER_KEY, bundle_key
from tests.conftest import BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def make_bundle(
    bundle_id: str = "20171001-aaaaaaaa",
    feature: str = "orders_365d",
    centroids: tuple[float, ...] = (0.0, 2.0, 10.0),
    metadata: Mapping[str, str] | None = None,
    without: str | None = None,
    definitions: Sequence[Definition] = DEFINITIONS,
    zone: str = "UTC",
) -> tuple[bytes, dict[str, Any]]:
    """`bundle.onnx` and the manifest of a bundle whose segment i is the nearest of `centroids` to `feature`, and that
    needs the features of `definitions`, with days of `zone`."""
    projection = np.array([[definition.name == feature] for definition in definitions], np.float32)
    constants: dict[str, np.ndarray] = {
        "zero": np.zeros(1, np.float32),
        "projection": projection,
        "centroids": np.array([centroids], np.float32),
        "two": np.array([2], np.int64),
        "first": np.array(0, np.int64),
        "second": np.array(1, np.int64),
        "column": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("IsNaN", ["features"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "features"], ["filled"]),
        helper.make_node("MatMul", ["filled", "projection"], ["position"]),
        helper.make_node("Sub", ["position", "centroids"], ["offsets"]),
        helper.make_node("Abs", ["offsets"], ["distances"]),
        helper.make_node("TopK", ["distances", "two"], ["nearest_distances", "nearest"], axis=1, largest=0),
        helper.make_node("Gather", ["nearest", "first"], ["segment"], axis=1),
        helper.make_node("Gather", ["nearest", "second"], ["runner_up"], axis=1),
        helper.make_node("Gather", ["nearest_distances", "first"], ["segment_distance"], axis=1),
        helper.make_node("Gather", ["nearest_distances", "second"], ["runner_up_distance"], axis=1),
        helper.make_node("Neg", ["position"], ["risk"]),
        helper.make_node("Sigmoid", ["risk"], ["churn_column"]),
        helper.make_node("Squeeze", ["churn_column", "column"], ["churn_probability"]),
    ]
    outputs = {
        "segment": TensorProto.INT64,
        "segment_distance": TensorProto.FLOAT,
        "runner_up": TensorProto.INT64,
        "runner_up_distance": TensorProto.FLOAT,
        "churn_probability": TensorProto.FLOAT,
    }
    graph = helper.make_graph(
        nodes,
        "bundle",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, len(definitions)])],
        [helper.make_tensor_value_info(name, kind, [None]) for name, kind in outputs.items() if name != without],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    known = {
        "bundle_format": bundle_format(zone),
        "time_zone": zone,
        "feature_names": json.dumps([definition.name for definition in definitions]),
        "feature_set_hash": set_hash(definitions),
        "feature_definitions": to_json(definitions),
        "model_version": bundle_id,
    }
    given = {name: text for name, text in {**known, **(metadata or {})}.items() if text}
    helper.set_model_props(model, given)
    onnx.checker.check_model(model)
    manifest = {
        "bundle_id": bundle_id,
        "time_zone": zone,
        "segments": [{"id": i, "name": f"About {centre:g}", "size": 1} for i, centre in enumerate(centroids)],
        "thresholds": {"dormant_days": 90.0, "newcomer_days": 30.0, "loyal_orders": 10.0, "likely_to_churn": 0.1},
        "targets": {
            "churn": {"trained": True},
            "conversion": {"trained": False, "reason": "fewer than 100 positives"},
            "ltv": {"trained": False, "reason": "the data spans fewer than 90 days"},
        },
    }
    return model.SerializeToString(), manifest


def with_own(bundle: tuple[bytes, dict[str, Any]], output: str, **about: Any) -> tuple[bytes, dict[str, Any]]:
    """The bundle with one more prediction, of a target of the shop's own: the same as the probability of churn."""
    graph, manifest = bundle
    model = onnx.load_from_string(graph)
    model.graph.node.append(helper.make_node("Identity", ["churn_probability"], [output]))
    model.graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, [None]))
    own = {"trained": True, "reason": None, "output": output, "horizon_days": 14, **about}
    return model.SerializeToString(), {**manifest, "targets": {**manifest["targets"], f"own_{output}": own}}


def with_reasons(
    bundle: tuple[bytes, dict[str, Any]], feature: str, centroids: Sequence[float]
) -> tuple[dict[str, Any], bytes]:
    """The manifest of a bundle with reasons, and its `reasons.npz`: the distance of one feature to the centroids."""
    graph, manifest = bundle
    metadata = {entry.key: entry.value for entry in onnx.load_from_string(graph).metadata_props}
    names = json.loads(metadata["feature_names"])
    n = len(names)
    chosen = np.array([[name == feature] for name in names], np.float64)
    arrays: dict[str, Any] = {
        "bundle_id": np.array(manifest["bundle_id"]),
        "features": np.array(names),
        "background": np.array(1),
        **{part: np.array(metadata[part]) for part in ("feature_set_hash", "feature_definitions") if part in metadata},
        **dict.fromkeys(("low", "segment/fill", "segment/mean"), np.zeros(n, np.float32)),
        **dict.fromkeys(("high", "segment/scale"), np.ones(n, np.float32)),
        "segment/log": np.zeros(n, bool),
        "segment/low": np.full(n, -1e9, np.float32),
        "segment/high": np.full(n, 1e9, np.float32),
        "segment/components": chosen,
        "segment/centre": np.zeros(n),
        "segment/prototypes": np.array(centroids)[:, None],
        "segment/owner": np.arange(len(centroids)),
    }
    written = io.BytesIO()
    np.savez_compressed(written, **arrays)
    reasons = written.getvalue()
    return {**manifest, "reasons": {"sha256": sha256(reasons).hexdigest()}}, reasons


def publish(s3: "S3Client", bundle: tuple[bytes, dict[str, Any]], bucket: str = BUCKET) -> None:
    """Puts the bundle's files where the functions look for them and makes it the live one."""
    onnx_bytes, manifest = bundle
    body = json.dumps(manifest).encode()
    s3.put_object(Bucket=bucket, Key=bundle_key(manifest["bundle_id"], ONNX_FILE), Body=onnx_bytes)
    s3.put_object(Bucket=bucket, Key=bundle_key(manifest["bundle_id"], MANIFEST_FILE), Body=body)
    point_to(s3, manifest["bundle_id"], bucket)


def point_to(s3: "S3Client", bundle_id: str, bucket: str = BUCKET) -> None:
    pointer = json.dumps({"bundle_id": bundle_id, "published_at": "2017-10-01T00:00:00Z", "previous": None})
    s3.put_object(Bucket=bucket, Key=POINTER_KEY, Body=pointer.encode())
