"""A bundle with the model of one target exchanged for one that others made: judged first, and proven after."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from msgspec import convert
from onnx import ModelProto, TensorProto, helper

from shared.drift.measures import PREDICTION
from shared.drift.reference import from_bytes, to_bytes
from shared.features import FEATURE_NAMES
from shared.models.bundle import Bundle
from shared.models.layout import DISTRIBUTION_FILE, MANIFEST_FILE, ONNX_FILE
from shared.models.manifests import step_name
from shared.reasons.contributions import FILE
from training.adoption.foreign import Foreign
from training.adoption.margins import Adopted, adopted
from training.base.config import OPTIONS, Config
from training.base.errors import InputError, Refused
from training.base.target_entry import read_entries
from training.bundle import gate, reasons_file
from training.bundle.difficult import hostile_rows, split_rows
from training.bundle.export import IR_VERSION, content_hash, model_version
from training.bundle.graph import OPSET
from training.bundle.model_graph import calibrate
from training.prediction.calibration import Calibration, Vector, calibrated
from training.prediction.holdout import HOLDOUT_FILE, Holdout, save
from training.prediction.metrics import Metrics, measure
from training.prediction.predictions import FittedTarget
from training.prediction.targets import Target, target_in
from training.prediction.thresholds import intent_of, reached
from training.prediction.validation import CUSTOMER_FOLDS, thinned

CHALLENGER = "adopted"
ROWS = 50_000
SAMPLED = 64
"""Customers beside whom a model is explained that is neither trees nor linear: a way to each."""


@dataclass(frozen=True)
class Verdict:
    """A challenger on the rows that the target's own model was judged on."""

    target: Target
    model: Adopted
    calibration: Calibration
    predicted: Vector
    """For each row of the holdout, with a calibration that did not see it."""
    ours: Metrics
    """Of the target's own model, on the same rows."""
    theirs: Metrics
    by: str
    """The figure that decides."""

    @property
    def is_better(self) -> bool:
        """Whether it wins."""
        sign = 1 if self.by == "average_precision" else -1
        return sign * self.theirs[self.by] > sign * self.ours[self.by]

    def __str__(self) -> str:
        names = [name for name in self.ours if name not in ("rows", "positives", "base_rate", "actual_total")]
        pairs = ", ".join(f"{name} {self.theirs[name]:.4g} (ours {self.ours[name]:.4g})" for name in names)
        return f"{self.target.name}: {pairs}; on the same {self.ours['rows']:,.0f} rows, explained {self.words}"

    @property
    def words(self) -> str:
        """How it is explained."""
        return "by sampling" if self.model.name == "sampled" else f"exactly, as it is {self.model.name}"


def judge(foreign: Foreign, manifest: Mapping[str, Any], name: str, holdout: Holdout) -> Verdict:
    """The model beside that of the target `name`, on the target's latest slice of time; calibrated by parts of its
    customers that the calibration did not see.

    Raises InputError where it gives what is no number.
    """
    config = config_of(manifest)
    target = target_in(manifest, name)
    prefix = step_name(target.output)
    model = adopted(foreign, target.kind, prefix, f"{target.output}/margin", len(FEATURE_NAMES))
    margin = model.margin(holdout.X)
    if not np.isfinite(margin).all():
        raise InputError(f"the model gives no number for {int((~np.isfinite(margin)).sum()):,} of {len(margin):,} rows")
    y = np.maximum(holdout.y, 0) if target.kind == "amount" else holdout.y
    part = np.arange(len(y)) % CUSTOMER_FOLDS
    predicted = np.empty(len(y))
    for number in range(CUSTOMER_FOLDS):
        own = part == number
        predicted[own] = _calibration(target, margin[~own], y[~own], part[~own], config)(margin[own])
    figures = measure(target, holdout.y, holdout.predicted), measure(target, holdout.y, predicted)
    by = "deviance" if target.kind == "amount" else config.choose_by
    return Verdict(target, model, _calibration(target, margin, y, part, config), predicted, *figures, by)


def _calibration(target: Target, margin: Vector, y: Vector, part: Any, config: Config) -> Calibration:
    kept, weight = thinned(y, config)
    return calibrated(target.kind, margin[kept], y[kept], weight, part[kept], config)


def config_of(manifest: Mapping[str, Any]) -> Config:
    """The options that a bundle was trained with."""
    given = {name: value for name, value in manifest.get("config", {}).items() if name in OPTIONS}
    given["target"], _ = read_entries(given.get("target", []))
    return Config(**{name: convert(value, OPTIONS[name]) for name, value in given.items()})


def exchanged(model: ModelProto, verdict: Verdict) -> ModelProto:
    """The bundle's graph with the steps of the target exchanged, under another version."""
    output = verdict.target.output
    prefix = step_name(output)
    own = (f"{prefix}/",)
    new = ModelProto()
    new.CopyFrom(model)
    nodes = [node for node in new.graph.node if not node.name.startswith(own)]
    values = [tensor for tensor in new.graph.initializer if not tensor.name.startswith(own)]
    steps = [*verdict.model.steps, calibrate(verdict.calibration, f"{prefix}/calibrate", f"{output}/margin", output)]
    del new.graph.node[:]
    del new.graph.initializer[:]
    new.graph.node.extend([*nodes, *(node for step in steps for node in step.node)])
    new.graph.initializer.extend([*values, *(tensor for step in steps for tensor in step.initializer)])
    onnx.checker.check_model(new, full_check=True)
    named = {entry.key: entry.value for entry in new.metadata_props}
    day = named["model_version"].rpartition("-")[0]
    helper.set_model_props(new, {**named, "model_version": f"{day}-{content_hash(new)[:8]}"})
    return new


def adopt(folder: Path, out: Path, verdict: Verdict, holdouts: Mapping[str, Holdout], file: str) -> dict[str, Any]:
    """Writes the bundle in `folder` with the challenger in it into the folder `out`; its manifest.

    Raises Refused where its graph does not decide as the model of whoever made it.
    """
    about: dict[str, Any] = json.loads((folder / MANIFEST_FILE).read_text())
    name, output = verdict.target.name, verdict.target.output
    new = exchanged(onnx.load(folder / ONNX_FILE), verdict)
    about["bundle_id"] = model_version(new)
    fitted = FittedTarget(verdict.target, holdout=(verdict.predicted, holdouts[name].y), held_out=holdouts[name].X)
    about["targets"][name] |= _told(verdict, fitted, config_of(about), file)
    if (intent := intent_of(verdict.target)) is not None:
        about["thresholds"][intent] = about["targets"][name]["thresholds"][intent]["value"]
    # What became of intents was counted with the model before.
    about["promises"] = {**about.get("promises", {}), "instants": [], "kept": {}}
    serving = Bundle.from_files(new.SerializeToString(deterministic=True), about)
    with np.load(folder / gate.GATE_FILE, allow_pickle=False) as kept:
        answers = dict(kept)
    X = answers["features"]
    answers[output] = verdict.calibration(verdict.model.margin(X))
    parity = _prove(serving, new, verdict, X, about["seed"])
    out.mkdir(parents=True, exist_ok=True)
    (out / ONNX_FILE).write_bytes(new.SerializeToString(deterministic=True))
    np.savez(out / gate.GATE_FILE, allow_pickle=False, **answers)
    about["gate"]["differences"][output] = parity
    kept_holdouts = {**holdouts, name: replace(holdouts[name], predicted=verdict.predicted)}
    about["gate"]["files"] = {gate.GATE_FILE: gate.sha256(out / gate.GATE_FILE)} | _save_holdouts(out, kept_holdouts)
    about["reasons"] = _save_reasons(folder, out, new, verdict, holdouts[name])
    _save_distribution(folder, out, about["bundle_id"], output)
    return about


def _told(verdict: Verdict, fitted: FittedTarget, config: Config, file: str) -> dict[str, Any]:
    about: dict[str, Any] = {
        "model": f"{CHALLENGER}: {file}",
        "calibration": verdict.calibration.name,
        "metrics": _rounded(verdict.theirs),
        "validation": {"mean": _rounded(verdict.theirs), "cutoffs": {}},
        "adopted": {"file": file, "explained": verdict.model.name, "instead_of": _rounded(verdict.ours)},
    }
    intent = intent_of(verdict.target)
    return about | ({"thresholds": {intent: reached(fitted, config)}} if intent else {})


def _prove(serving: Bundle, new: ModelProto, verdict: Verdict, X: np.ndarray, seed: int) -> float:
    """The largest difference of the exchanged output on the kept rows, hostile ones, and those at splits of trees."""
    output = verdict.target.output
    ours = ModelProto()
    ours.CopyFrom(new)
    prefix = f"{step_name(output)}/"
    for node in [node for node in ours.graph.node if not node.name.startswith(prefix)]:
        ours.graph.node.remove(node)
    rows = [X, np.nan_to_num(hostile_rows(X, seed), nan=0.0)]
    if verdict.model.name == "trees":
        rows.append(split_rows(X, ours, seed))
    largest = 0.0
    for matrix in rows:
        for start in range(0, len(matrix), ROWS):
            part = matrix[start : start + ROWS]
            margin = verdict.model.margin(part)
            known = np.isfinite(margin)
            wanted = verdict.calibration(margin[known])
            decided = serving.decide_on(part[known])
            got = decided.predictions[output].astype(np.float64)
            scale = 1.0 if verdict.target.kind == "probability" else 1 + np.abs(wanted)
            largest = max(largest, float(np.max(np.abs(got - wanted) / scale, initial=0.0)))
    allowed = 1e-5 if verdict.target.kind == "probability" else 1e-4
    if not largest <= allowed:
        raise Refused(f"{output} differs from the adopted model by {largest:.1e} where {allowed:.0e} is allowed")
    return largest


def _save_distribution(folder: Path, out: Path, bundle_id: str, output: str) -> None:
    """What customers were like is the same; only what the target was predicted as is not known of the new model."""
    if not (folder / DISTRIBUTION_FILE).is_file():
        return
    before = from_bytes((folder / DISTRIBUTION_FILE).read_bytes())
    known = {name: one for name, one in before.measures.items() if name != f"{PREDICTION}/{output}"}
    now = msgspec.structs.replace(before, bundle_id=bundle_id, measures=known)
    (out / DISTRIBUTION_FILE).write_bytes(to_bytes(now))


def _save_holdouts(out: Path, holdouts: Mapping[str, Holdout]) -> dict[str, str]:
    return {HOLDOUT_FILE: save(out, holdouts)}


def _save_reasons(folder: Path, out: Path, new: ModelProto, verdict: Verdict, holdout: Holdout) -> dict[str, Any]:
    """The reasons of the bundle before with those of the exchanged model, beside as many customers of the holdout as
    the others were counted on."""
    with np.load(folder / FILE, allow_pickle=False) as kept:
        arrays = {name: kept[name] for name in kept.files}
    prefix = step_name(verdict.target.output)
    count = int(arrays["background"])
    seed = config_of(json.loads((folder / MANIFEST_FILE).read_text())).seed
    # As many as the others were counted on, whoever has to stand there twice.
    customers = np.resize(reasons_file.some(holdout.X, count, seed), (count, holdout.X.shape[1]))
    arrays = {name: array for name, array in arrays.items() if not name.startswith(f"{prefix}/")}
    arrays |= reasons_file.of_prediction(new, prefix, customers)
    if verdict.model.name == "sampled":
        arrays |= {
            f"{prefix}/graph": np.frombuffer(_alone(verdict).SerializeToString(), np.uint8),
            f"{prefix}/rows": reasons_file.some(customers, SAMPLED, seed),
            f"{prefix}/base": np.array(0.0),
        }
    arrays["bundle_id"] = np.array(model_version(new))
    return reasons_file.write(out, arrays)


def _alone(verdict: Verdict) -> ModelProto:
    """The model from `features` to `margin`, for whoever explains it."""
    steps = verdict.model.steps
    margin = f"{verdict.target.output}/margin"
    last = helper.make_node("Identity", [margin], ["margin"], "margin")
    graph = helper.make_graph(
        [*(node for step in steps for node in step.node), last],
        "margin",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", len(FEATURE_NAMES)])],
        [helper.make_tensor_value_info("margin", TensorProto.FLOAT, ["n", 1])],
        [tensor for step in steps for tensor in step.initializer],
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSET.items()]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


def _rounded(metrics: Metrics) -> dict[str, float | None]:
    return {key: round(value, 6) if np.isfinite(value) else None for key, value in metrics.items()}
