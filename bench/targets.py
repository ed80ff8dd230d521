"""What ten more targets cost a decision: a bundle in which its own models stand ten times more, by other names."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from bench.reasons import bundle_folder
from bench.shop import AS_OF_MS, shop_events
from bench.work import Inputs, Work
from shared.features import fold
from shared.models.bundle import Bundle
from shared.models.layout import MANIFEST_FILE, ONNX_FILE
from shared.models.manifests import TARGETS

MORE = 10
_DECIDED = 5_000
ALONE = 2_000
"""Customers who are decided on one by one."""


def decide_batch(inputs: Inputs) -> Work:
    """Decide on customers whose features are known, many at once."""
    return batch(inputs, Bundle.load(bundle_folder(inputs.purchases)))


def decide_batch_with_targets(inputs: Inputs) -> Work:
    """The same with ten more predictions."""
    return batch(inputs, with_targets(bundle_folder(inputs.purchases), MORE))


def decide_alone(inputs: Inputs) -> Work:
    """Decide on customers whose features are known, one by one."""
    return alone(inputs, Bundle.load(bundle_folder(inputs.purchases)))


def decide_alone_with_targets(inputs: Inputs) -> Work:
    """The same with ten more predictions."""
    return alone(inputs, with_targets(bundle_folder(inputs.purchases), MORE))


def batch(inputs: Inputs, bundle: Bundle) -> Work:
    """Decide on the made-up shop's customers, many at once."""
    X = rows(inputs, bundle)
    return Work(lambda: bundle.decide_on(X), len(X))


def alone(inputs: Inputs, bundle: Bundle) -> Work:
    """Decide on some of them, one by one."""
    X = rows(inputs, bundle)[:ALONE]
    return Work(lambda: [bundle.decide_on(X[i : i + 1]) for i in range(len(X))], len(X))


def rows(inputs: Inputs, bundle: Bundle) -> np.ndarray:
    """The customers' features that the bundle needs [n, n_features]."""
    profiles = fold(shop_events(min(inputs.customers, _DECIDED)))
    return bundle.own(bundle.features_at(profiles, AS_OF_MS))


def with_targets(folder: Path, count: int) -> Bundle:
    """The bundle in a folder with so many predictions more: its own again, in turn, as targets of the shop's own."""
    model = onnx.load(folder / ONNX_FILE)
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    trained = [(output, name) for output, name in TARGETS.items() if manifest["targets"][name]["trained"]]
    nodes, values = [*model.graph.node], [*model.graph.initializer]
    for number in range(count):
        output, target = trained[number % len(trained)]
        name = f"more_{number}_spend"
        renamed = partial(_renamed, target, output, name)
        for node in nodes:
            if node.name.startswith(f"{target}/"):
                copy = onnx.NodeProto()
                copy.CopyFrom(node)
                copy.name = f"{name}/{node.name}"
                copy.input[:] = map(renamed, node.input)
                copy.output[:] = map(renamed, node.output)
                model.graph.node.append(copy)
        for tensor in values:
            if tensor.name.startswith(f"{target}/"):
                other = onnx.TensorProto()
                other.CopyFrom(tensor)
                other.name = renamed(tensor.name)
                model.graph.initializer.append(other)
        model.graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n"]))
        manifest["targets"][name] = {"trained": True, "output": name}
    return Bundle.from_files(model.SerializeToString(), manifest)


def _renamed(target: str, output: str, name: str, tensor: str) -> str:
    return f"{name}{tensor.removeprefix(output)}" if tensor.startswith((f"{target}/", output)) else tensor
