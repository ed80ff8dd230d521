"""Why models decide as they do, for business teams: one page on all customers, and on one beside two other methods.

python -m training.explain --events PATH [PATH …] --model DIR --customer ID [--as-of TIMESTAMP] [--out FILE.html]
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import shap
from lime.lime_tabular import LimeTabularExplainer
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.inspection import permutation_importance

from shared.features import DEFINITIONS, FEATURE_NAMES, Profiles
from shared.identity.keys import customer_id, customer_key
from shared.models.bundle import Bundle
from shared.reasons.acting import acts_that_change
from shared.reasons.contributions import FILE, Reasons
from shared.reasons.goals import BELOW_CHURN_THRESHOLD, BETTER_SEGMENT
from shared.reasons.wording import sentence
from training.base import command
from training.base.errors import InputError
from training.data.events import read_events
from training.data.preparation import Matrix
from training.prediction.targets import known_at
from training.report.plots import svg
from training.report.reasons import SEED, drivers, sample

matplotlib.use("svg")

SHOWN = 12
"""Features told of a prediction."""
DEPENDENCES = 3
"""Features drawn of a prediction."""
TOP = 10
"""Strongest features by which two attributions are compared."""

GOALS = {BETTER_SEGMENT: "a better segment", BELOW_CHURN_THRESHOLD: "a risk of leaving below the threshold"}

type Values = NDArray[np.float64]


def page(profiles: Profiles, as_of_ms: int, key: str, bundle: Bundle, reasons: Reasons) -> str:
    """The whole page on customers, as of an instant in UTC milliseconds, and on the one of them at a profile key."""
    X = bundle.features_at(profiles, as_of_ms)
    at = profiles.keys.index(key)
    acts = acts_that_change(profiles.take([at]), as_of_ms, bundle)
    body = [
        f"<h1>Why bundle {escape(bundle.bundle_id)} decides as it does</h1>",
        section(X, bundle, reasons),
        f"<h2>Customer {escape(customer_id(key))}</h2>",
        *_of_customer(X, X[at], acts, bundle, reasons),
    ]
    style = Path(__file__).with_name("report").joinpath("page.css").read_text()
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Reasons</title>'
        f'<link rel="icon" href="data:,"><style>{style}</style></head>\n<body>\n'
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def section(X: Matrix, bundle: Bundle, reasons: Reasons) -> str:
    """What drives each prediction and each segment among the customers X [n, n_features], as HTML."""
    some = sample(X)
    parts = ["<h2>What drives the predictions</h2>"]
    for output, why in reasons.predictions.items():
        values = np.array([why.contributions(row) for row in some])
        order = np.argsort(-np.abs(values).mean(axis=0))
        parts += [
            f"<h3>{escape(output.replace('_', ' '))}</h3>",
            f'<p class="note">Contributions of {len(some):,} customers, in {escape(why.calibration.scale)}; beside them'
            " how much worse the ranking gets when a feature is shuffled among customers.</p>",
            svg(_importance(values, order, _permuted(some, output, bundle)), f"What drives the {output} overall"),
            *(
                svg(_dependence(values, some, int(j)), f"Contribution of {FEATURE_NAMES[j]} by its value")
                for j in order[:DEPENDENCES]
            ),
        ]
    return "\n".join([*parts, "<h2>What drives the segments</h2>", *_drivers(some, bundle, reasons)])


def agreement(shapley: Values, surrogate: Values) -> tuple[float, int]:
    """How alike two attributions of one customer are: the correlation of their ranks over the features that either
    finds among its ten strongest, and how many of the ten they share."""
    ours, theirs = (set(np.argsort(-np.abs(values))[:TOP].tolist()) for values in (shapley, surrogate))
    either = sorted(ours | theirs)
    ranks = np.array([np.argsort(np.argsort(values[either])) for values in (shapley, surrogate)])
    return float(np.corrcoef(ranks)[0, 1]), len(ours & theirs)


def surrogate(X: Matrix, x: Matrix, output: str, bundle: Bundle, fill: Matrix) -> Values:
    """LIME's linear surrogate of one prediction around x: a weight a feature [n_features], undefined ones filled."""
    explainer = LimeTabularExplainer(
        np.where(np.isnan(X), fill, X), mode="regression", feature_names=list(FEATURE_NAMES), random_state=SEED
    )

    def predict(rows: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(getattr(bundle.decide(rows.astype(np.float32)), output))

    explanation = explainer.explain_instance(
        np.where(np.isnan(x), fill, x), predict, num_features=len(FEATURE_NAMES), num_samples=2_000
    )
    weights = np.zeros(len(FEATURE_NAMES))
    for j, weight in next(iter(explanation.as_map().values())):
        weights[j] = weight
    return weights


def _of_customer(
    X: Matrix, x: Matrix, acts: Sequence[dict[str, Any]], bundle: Bundle, reasons: Reasons
) -> Iterator[str]:
    segment = int(bundle.decide(x[None]).segment[0])
    entry = next(entry for entry in bundle.manifest["segments"] if entry["id"] == segment)
    yield f"<p>Segment: {escape(entry['name'])}.</p>"
    for act in acts:
        yield f"<p>What would lead to {escape(GOALS[act['goal']])}: {escape(act['text'])}.</p>"
    for output, why in reasons.predictions.items():
        shapley = why.contributions(x)
        lime = surrogate(X, x, output, bundle, reasons.segment.prepare.fill)
        alike, shared = agreement(shapley, lime)
        strongest = np.argsort(-np.abs(shapley))[:SHOWN].tolist()
        sentences = [
            sentence(name, float(x[j]), entry["profile"].get(name), entry["name"])
            for j in strongest
            for name in [FEATURE_NAMES[j]]
        ]
        rows = "".join(
            f"<tr><td>{escape(text)}</td><td class=number>{shapley[j]:+.3f}</td>"
            f"<td class=number>{lime[j]:+.4f}</td></tr>"
            for j, text in zip(strongest, sentences, strict=True)
        )
        yield (
            f"<h3>{escape(output.replace('_', ' '))}: {why.prediction(x):,.3f}</h3><p>Shapley values (exact, in"
            f" {escape(why.calibration.scale)}) beside LIME's surrogate (approximate, in the prediction's own units):"
            f" of the ten strongest they share {shared}; correlation of ranks {alike:.2f}.</p>"
            f"<table><tr><th>feature</th><th class=number>Shapley</th><th class=number>LIME</th></tr>{rows}</table>"
        )


def _permuted(X: Matrix, output: str, bundle: Bundle) -> Values:
    """How far predictions move, on average, when a feature's values change places between customers [n_features]."""
    predicted = np.asarray(getattr(bundle.decide(X), output), np.float64)

    class _Exported:
        def fit(self, _X: Matrix, _y: Values) -> None: ...

    def moved(_model: object, rows: Matrix, _y: Values) -> float:
        return -float(np.abs(np.asarray(getattr(bundle.decide(rows), output), np.float64) - predicted).mean())

    permuted = permutation_importance(_Exported(), X, predicted, scoring=moved, n_repeats=2, random_state=SEED)
    return np.asarray(permuted.importances_mean, np.float64)


def _importance(values: Values, order: NDArray[np.int64], permuted: Values) -> Figure:
    figure = Figure(figsize=(10, 5), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    top = order[:SHOWN][::-1]
    left.barh([FEATURE_NAMES[j] for j in top], np.abs(values[:, top]).mean(axis=0), color="#2463eb")
    left.set_title("SHAP importance: mean absolute contribution")
    right.barh([FEATURE_NAMES[j] for j in top], permuted[top], color="#7c8ea0")
    right.set_title("permutation: mean change of the prediction")
    return figure


def _dependence(values: Values, X: Matrix, j: int) -> Figure:
    figure = Figure(figsize=(5, 3), layout="constrained")
    axes = figure.subplots()
    names = list(FEATURE_NAMES)
    shap.dependence_plot(j, values, X, feature_names=names, interaction_index=None, ax=axes, show=False, dot_size=6)
    return figure


def _drivers(X: Matrix, bundle: Bundle, reasons: Reasons) -> Iterator[str]:
    for entry, top in drivers(X, bundle, reasons):
        usual = {name: np.nan if (value := entry["profile"].get(name)) is None else value for name, _ in top}
        sentences = "; ".join(sentence(name, float(value), None, None) for name, value in usual.items())
        yield f"<p><b>{escape(entry['name'])}</b>: {escape(sentences)}.</p>"


def main(arguments: Sequence[str] | None = None, prog: str = "python -m training.explain") -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog=prog, description="Explain a bundle's decisions.")
    parser.add_argument("--events", nargs="+", type=Path, required=True, metavar="PATH", help="event files or folders")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="folder that training wrote")
    parser.add_argument("--customer", required=True, metavar="ID", help="whose decision is explained")
    parser.add_argument("--as-of", metavar="TIMESTAMP", help="only events before it count; the end of the data else")
    parser.add_argument("--out", type=Path, default=Path("reasons.html"), metavar="FILE.html")
    command.add_mapping(parser)
    return command.run(parser, _run, arguments)


def _run(arguments: argparse.Namespace) -> None:
    bundle = Bundle.load(arguments.model)
    if bundle.definitions != DEFINITIONS:
        raise InputError(
            f"bundle {bundle.bundle_id} was trained before features were added or changed; train again to explain it"
        )
    reasons = Reasons.from_bytes((arguments.model / FILE).read_bytes(), bundle.manifest)
    as_of_ms = None if arguments.as_of is None else command.timestamp(arguments.as_of)
    currency = bundle.manifest["currency"] or ""
    profiles = read_events(arguments.events, currency, as_of_ms, command.translator(arguments)).profiles
    as_of_ms = int(profiles.rows.time_ms.max()) + 1 if as_of_ms is None else as_of_ms
    profiles = profiles.take(np.flatnonzero(known_at(profiles, as_of_ms)))
    key = customer_key(arguments.customer)
    if key not in profiles.keys:
        raise InputError(f"no event of customer {arguments.customer} before the instant")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(page(profiles, as_of_ms, key, bundle, reasons))
    command.say(
        f"{arguments.out}: what drives {bundle.bundle_id}, and why customer {arguments.customer} is where it is"
    )


if __name__ == "__main__":
    sys.exit(main())
