"""The bundle: segmentation and predictions as one ONNX graph from features to decisions.

Every step keeps its name, so that what a decision rests on can be read back from the graph: `segment/impute`,
`segment/log`, `segment/clip`, `segment/scale`, `segment/pca` and `segment/nearest`, and likewise `churn/…`.
"""

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping

import onnx
from onnx import ModelProto, TensorProto, helper

from shared.features.time_zone import UTC_TIME
from shared.models.bundle import bundle_format
from training.bundle.graph import OPSET
from training.bundle.model_graph import model_steps
from training.bundle.segment_graph import segment_steps
from training.prediction.models import Model
from training.segmentation.segments import Segmentation

IR_VERSION = 9
LIBRARIES = ("numpy", "onnx", "onnxruntime", "scikit-learn", "skl2onnx", "xgboost-cpu")


def bundle(
    segmentation: Segmentation, models: Mapping[str, Model], n_features: int, metadata: Mapping[str, str]
) -> ModelProto:
    """One graph for `features` float32 [n, n_features]; `models` are keyed by output name.

    The content's hash completes `model_version`: what decides alike is called alike.
    """
    steps = segment_steps(segmentation, n_features)
    outputs = dict.fromkeys(("segment", "runner_up", "micro_segment"), TensorProto.INT64)
    outputs |= dict.fromkeys(("segment_distance", "runner_up_distance", *models), TensorProto.FLOAT)
    for output, model in models.items():
        steps += model_steps(output, model, n_features)
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
        "bundle_format": bundle_format(metadata.get("time_zone", UTC_TIME.name)),
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
