"""Holds reasons, announced changes and what customers may do to the truth on whole datasets.

python -m training.check_reasons --events PATH --model DIR --as-of TIMESTAMP

Shapley values of the exported trees are held to shap's TreeExplainer (interventional, with the same background), what
is announced to scoring every customer on each of the 90 days to come, and what customers may do to doing it.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import shap
from numpy.typing import NDArray

from shared.audiences.evaluating import Histories
from shared.decisions.memberships import Look, SetNumbers
from shared.decisions.next_change import midnight_after, next_changes
from shared.durations import DAY_MS
from shared.features import EventColumns, Profiles, fold, merge, until
from shared.models.bundle import Bundle, Decisions
from shared.models.layout import ONNX_FILE
from shared.models.manifests import step_name
from shared.profiles.table import WRITES_A_CALL
from shared.reasons.acting import Act, acts_that_change, feasible
from shared.reasons.contributions import FILE, Reasons
from shared.reasons.goals import BELOW_CHURN_THRESHOLD, better_segments
from shared.reasons.sampled import Sampled
from shared.reasons.shapley import Linear, Trees
from training.base import command
from training.base.progress import progress
from training.bundle.reasons_file import attributes, background
from training.data.events import read_events
from training.data.preparation import Matrix
from training.prediction.targets import known_at

HORIZON_DAYS = 90
AT_ONCE = 40 * WRITES_A_CALL
SEED = 5


def check_segments(X: Matrix, bundle: Bundle, reasons: Reasons) -> Iterator[str]:
    """The shares of a segment against the graph's distances."""
    decided = bundle.decide(X)
    worst = 0.0
    nearer = decided.runner_up_distance.astype(np.float64) - decided.segment_distance
    for x, segment, other, gap in zip(X, decided.segment, decided.runner_up, nearer, strict=True):
        shares, _ = reasons.segment.contributions(x, int(segment), int(other))
        worst = max(worst, abs(shares.sum() - gap))
    yield f"segment: shares sum to the difference of distances, largest error {worst:.1e}"


def check_predictions(X: Matrix, customers: Matrix, bundle: Bundle, reasons: Reasons, model: Path) -> Iterator[str]:
    """Shapley values against shap's, and their sums against the graph's predictions."""
    nodes = {node.name: node for node in onnx.load(model / ONNX_FILE).graph.node}
    for output, why in reasons.predictions.items():
        predicted = bundle.decide(X).predictions[output].astype(np.float64)
        shares = np.array([why.model.contributions(x) for x in X])
        margins = np.array([why.model.margin(x) for x in X])
        sums = np.abs(shares.sum(axis=1) + why.model.baseline - margins)
        again = np.array([why.calibration.predict(why.model.baseline + total) for total in shares.sum(axis=1)])
        if isinstance(why.model, Sampled):
            yield f"{output} is sampled: sums {sums.max():.1e} on the margin; no exact values to hold it to"
            continue
        expected = _by_shap(why.model, nodes, step_name(output), X, customers)
        yield (
            f"{output} ({type(why.model).__name__.lower()}, {why.calibration.scale}): largest difference to shap"
            f" {np.abs(shares - expected).max() / np.ptp(margins):.1e} of the margin's range; sums: {sums.max():.1e} on"
            f" the margin, {(np.abs(again - predicted) / np.maximum(1, predicted)).max():.1e} of the graph's prediction"
        )


def _by_shap(
    model: Trees | Linear, nodes: dict[str, Any], name: str, X: Matrix, customers: Matrix
) -> NDArray[np.float64]:
    if isinstance(model, Linear):
        prepared = _all_of(model.prepare(customers))
        explainer = shap.LinearExplainer((model.coefficients, model.intercept), prepared)
        return np.asarray(explainer.shap_values(model.prepare(X)))
    trees = {"trees": list(shap_trees(attributes(nodes[f"{name}/trees"])))}
    explainer = shap.TreeExplainer(trees, _all_of(customers), feature_perturbation="interventional")
    return np.asarray(explainer.shap_values(X, check_additivity=False)).reshape(X.shape)


def _all_of(customers: Matrix) -> Any:
    return shap.maskers.Independent(customers, max_samples=len(customers))


def shap_trees(ensemble: dict[str, Any]) -> Iterator[dict[str, NDArray[Any]]]:
    """The trees of a `TreeEnsembleRegressor` as shap takes them: left is x <= threshold."""
    tree_ids = np.array(ensemble["nodes_treeids"])
    leaf_ids = zip(ensemble["target_treeids"], ensemble["target_nodeids"], strict=True)
    values = dict(zip(leaf_ids, ensemble["target_weights"], strict=True))
    missing = ensemble.get("nodes_missing_value_tracks_true") or [0] * len(tree_ids)
    for tree in np.unique(tree_ids):
        at = np.flatnonzero(tree_ids == tree)
        position = {ensemble["nodes_nodeids"][i]: k for k, i in enumerate(at)}
        leaf = [ensemble["nodes_modes"][i] == b"LEAF" for i in at]
        left, right = (
            [-1 if end else position[ensemble[side][i]] for i, end in zip(at, leaf, strict=True)]
            for side in ("nodes_truenodeids", "nodes_falsenodeids")
        )
        thresholds = np.array([ensemble["nodes_values"][i] for i in at], np.float32)
        below = np.array([ensemble["nodes_modes"][i] == b"BRANCH_LT" for i in at])
        thresholds[below] = np.nextafter(thresholds[below], np.float32(-np.inf))
        default = [t if missing[i] else f for i, t, f in zip(at, left, right, strict=True)]
        yield {
            "children_left": np.array(left, np.int32),
            "children_right": np.array(right, np.int32),
            "children_default": np.array(default, np.int32),
            "features": np.array([ensemble["nodes_featureids"][i] for i in at], np.int32),
            "thresholds": thresholds.astype(np.float64),
            "values": np.array([[values.get((tree, ensemble["nodes_nodeids"][i]), 0.0)] for i in at]),
            "node_sample_weight": np.ones(len(at)),
        }


def check_announced(profiles: Profiles, bundle: Bundle, as_of_ms: int) -> Iterator[str]:
    """What is announced against what every day brings."""
    right = 0
    missed = [0]
    changing = 0
    with progress("every day of everyone", len(profiles)) as advance:
        for first in range(0, len(profiles), AT_ONCE):
            some = profiles.take(list(range(first, min(first + AT_ONCE, len(profiles)))))
            days = np.array(
                [_codes(some, bundle, as_of_ms)]
                + [
                    _codes(some, bundle, midnight_after(as_of_ms, day, bundle.zone))
                    for day in range(1, HORIZON_DAYS + 1)
                ]
            )
            differs = days != days[0]
            true = np.where(differs.any(axis=0), differs.argmax(axis=0), 0)
            announced = next_changes(some, _now(some, bundle, as_of_ms), bundle, HORIZON_DAYS)
            at_ms = np.array([change.at_ms if change else as_of_ms for change in announced])
            day = bundle.zone.day(at_ms) - bundle.zone.day(np.array(as_of_ms))
            right += int((day == true).sum())
            changing += int((true > 0).sum())
            for i in np.flatnonzero(day != true):
                back = np.flatnonzero(~differs[true[i] :, i])
                missed.append(int(back[0]) if len(back) else HORIZON_DAYS + 1 - int(true[i]))
            advance(len(some), "")
    yield (
        f"next change: {right / len(profiles):.2%} of {len(profiles):,} customers as day by day"
        f" ({changing / len(profiles):.0%} change); the longest change that was missed lasted {max(missed)} days"
    )


def _now(profiles: Profiles, bundle: Bundle, as_of_ms: int) -> Look:
    known = bundle.features_at(profiles, as_of_ms)
    return Look.at(bundle, known, Histories(profiles), np.arange(len(profiles)), as_of_ms)


def _codes(profiles: Profiles, bundle: Bundle, as_of_ms: int) -> NDArray[np.int64]:
    return _now(profiles, bundle, as_of_ms).code(SetNumbers(bundle.audiences))


def check_acts(profiles: Profiles, as_of_ms: int, bundle: Bundle) -> Iterator[str]:
    """What customers may do against delivering it to their histories, on the first and the last day there is time."""
    kept: list[bool] = []
    with_any = 0
    days = 0
    with progress("acts", len(profiles)) as advance:
        for i in range(len(profiles)):
            customer = profiles.take([i])
            changes = acts_that_change(customer, as_of_ms, bundle)
            with_any += bool(changes)
            [now] = bundle.decide(bundle.features_at(customer, as_of_ms)).segment.tolist()
            for change in changes:
                [act] = [act for act in feasible(customer, bundle.manifest) if act.name == change["act"]]
                act = replace(act, count=change["count"])
                after = [_delivered(act, day, customer, as_of_ms, bundle) for day in _ends(change)]
                kept.append(all(_reached(change["goal"], decisions, now, bundle) for decisions in after))
                days += change["within_days"]
            advance(1, "")
    yield (
        f"what they may do: {len(kept):,} acts for {with_any:,} of {len(profiles):,} customers, with"
        f" {days / max(len(kept), 1):.0f} days' time on average; {sum(kept):,} do what they say"
    )


def _ends(change: dict[str, Any]) -> set[int]:
    return {change["count"] - 1, change["within_days"]}


def _delivered(act: Act, days: int, customer: Profiles, as_of_ms: int, bundle: Bundle) -> Decisions:
    """What is decided once the act's events have come, that many days later."""
    rows = act.events(as_of_ms, days)
    incoming = EventColumns(customer.keys, np.zeros(len(rows), np.int64), rows, customer.category_names)
    return bundle.decide(bundle.features_at(merge(customer, fold(incoming)), as_of_ms + days * DAY_MS))


def _reached(goal: str, after: Decisions, now: int, bundle: Bundle) -> bool:
    if goal == BELOW_CHURN_THRESHOLD:
        assert after.churn_probability is not None
        return bool(after.churn_probability[0] < bundle.manifest["thresholds"]["likely_to_churn"])
    return int(after.segment[0]) in better_segments(now, bundle.manifest)


def main(arguments: Sequence[str] | None = None, prog: str = "python -m training.check_reasons") -> int:
    """Print what was found."""
    parser = argparse.ArgumentParser(
        prog=prog, description="Hold reasons, next changes and what one may do to the truth."
    )
    parser.add_argument("--events", nargs="+", type=Path, required=True, metavar="PATH")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR")
    parser.add_argument("--as-of", required=True, metavar="TIMESTAMP")
    parser.add_argument("--customers", type=int, default=2_000, help="whose reasons are checked")
    parser.add_argument("--announced", type=int, default=20_000, help="whose next change is checked")
    parser.add_argument("--changes", type=int, default=1_000, help="what they may do is checked")
    command.add_mapping(parser)
    return command.run(parser, _run, arguments)


def _run(arguments: argparse.Namespace) -> None:
    as_of_ms = command.timestamp(arguments.as_of)
    bundle = Bundle.load(arguments.model)
    reasons = Reasons.from_bytes((arguments.model / FILE).read_bytes(), bundle.manifest)
    currency = bundle.manifest["currency"] or ""
    profiles = read_events(arguments.events, currency, as_of_ms, command.translator(arguments)).profiles
    profiles = until(profiles.take(np.flatnonzero(known_at(profiles, as_of_ms))), as_of_ms)
    everyone = bundle.features_at(profiles, as_of_ms)
    customers = background(everyone, bundle.manifest["seed"])
    drawn = np.random.default_rng(SEED).permutation(len(profiles))
    X = everyone[np.sort(drawn[: arguments.customers])]
    for line in check_segments(X, bundle, reasons):
        command.say(line)
    for line in check_predictions(X, customers, bundle, reasons, arguments.model):
        command.say(line)
    some = profiles.take(np.sort(drawn[: arguments.changes]))
    for line in check_acts(some, as_of_ms, bundle):
        command.say(line)
    for line in check_announced(profiles.take(np.sort(drawn[: arguments.announced])), bundle, as_of_ms):
        command.say(line)


if __name__ == "__main__":
    sys.exit(main())
