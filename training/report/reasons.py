"""The part of report.html that says why: what drives each prediction, which way, and what makes each segment."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray

from shared.features import FEATURE_NAMES
from shared.models.bundle import Bundle
from shared.reasons.contributions import PredictionReasons, Reasons
from shared.reasons.wording import ABOUT, format_value
from training.data.preparation import Matrix
from training.report.plots import ACCENT, MUTED, STYLE, plain_figure, svg
from training.report.tables import bar, dot

CUSTOMERS = 500
"""Customers that are explained."""
SHOWN = 10
"""Features listed of each prediction."""
DRAWN = 3
"""Features drawn of each prediction."""
OF_A_SEGMENT = 3
"""Features told of each segment."""
SEED = 7
TITLES = {
    "churn_probability": "Who is about to leave",
    "conversion_probability": "Who is about to buy",
    "expected_ltv": "Who will be worth most",
}

type Values = NDArray[np.float64]


def sample(X: Matrix) -> Matrix:
    """Some of the customers X [n, n_features], the same for the same X."""
    return X[np.sort(np.random.default_rng(SEED).permutation(len(X))[:CUSTOMERS])]


def drivers(X: Matrix, bundle: Bundle, reasons: Reasons) -> Iterator[tuple[Mapping[str, Any], list[tuple[str, float]]]]:
    """Each segment's catalogue entry, with the features that bring its customers nearer to it than to their runner-up
    and the average share of each, the strongest first.

    Segments that none of the customers X [n, n_features] is in are left out.
    """
    decided = bundle.decide(X)
    for entry in bundle.manifest["segments"]:
        own = np.flatnonzero(decided.segment == entry["id"])
        if len(own):
            pairs = zip(X[own], decided.segment[own].tolist(), decided.runner_up[own].tolist(), strict=True)
            shares = np.mean([reasons.segment.contributions(x, one, other)[0] for x, one, other in pairs], axis=0)
            top = np.argsort(-shares, kind="stable")[:OF_A_SEGMENT].tolist()
            yield entry, [(FEATURE_NAMES[j], float(shares[j])) for j in top if shares[j] > 0]


def reasons_section(X: Matrix, bundle: Bundle, reasons: Reasons) -> str:
    """What drives predictions and segments among the customers X [n, n_features], as HTML."""
    some = sample(X)
    parts = [
        "<h2>Why</h2><p>How much each figure counts for the decisions on"
        f" {len(some):,} customers, by exact Shapley values: what a customer's prediction lies above or below the"
        " average is split over all figures, and these parts add up to it.</p>"
    ]
    parts += [_prediction(output, why, some) for output, why in reasons.predictions.items()]
    return "".join([*parts, _segments(some, bundle, reasons)])


def _prediction(output: str, why: PredictionReasons, X: Matrix) -> str:
    values = np.array([why.contributions(x) for x in X])
    sizes = np.abs(values).mean(axis=0)
    order = [j for j in np.argsort(-sizes, kind="stable")[:SHOWN].tolist() if sizes[j] > 0]
    title = f"<h3>{escape(TITLES.get(output, output.replace('_', ' ').capitalize()))}</h3>"
    if not order:
        return f"<article>{title}<p>The prediction is the same for everyone.</p></article>"
    rows = "".join(
        f'<tr><th scope="row">{escape(ABOUT[FEATURE_NAMES[j]].shown)}</th>'
        f"<td>{bar(sizes[j] / sizes[order[0]], f'{sizes[j]:.3f}')}</td></tr>"
        for j in order
    )
    figures = "".join(
        f"<figure>{_dependence(values[:, j], X[:, j], FEATURE_NAMES[j], why)}<figcaption>"
        f"{escape(ABOUT[FEATURE_NAMES[j]].shown)}: above the dashed line it raises the prediction."
        "</figcaption></figure>"
        for j in order[:DRAWN]
    )
    head = (
        f'<th scope="col">feature</th><th scope="col">average size of its share ({escape(why.calibration.scale)})</th>'
    )
    return (
        f'<article>{title}<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        f'<div class="figures">{figures}</div></article>'
    )


def _dependence(values: Values, x: NDArray[np.float32], name: str, why: PredictionReasons) -> str:
    known = ~np.isnan(x)
    with matplotlib.rc_context(STYLE):
        figure, axes = plain_figure(3.9, 2.8)
        axes.axhline(0, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        if known.any():
            axes.scatter(x[known], values[known], s=9, color=ACCENT, alpha=0.55, linewidths=0)
            low, high = np.quantile(x[known], [0.0, 0.98])
            room = 0.04 * (high - low) or 0.5
            axes.set_xlim(low - room, high + room)
        axes.set(xlabel=ABOUT[name].unit, ylabel=f"share ({why.calibration.scale})")
        return svg(figure, f"Share of {ABOUT[name].shown.lower()} in the prediction, by its value")


def _segments(X: Matrix, bundle: Bundle, reasons: Reasons) -> str:
    def told(entry: Mapping[str, Any], name: str) -> str:
        value = entry["profile"].get(name)
        typical = format_value(ABOUT[name].unit, float("nan") if value is None else value)
        return f"{ABOUT[name].shown[0].lower()}{ABOUT[name].shown[1:]} (typical: {typical})"

    rows = "".join(
        f'<tr><th scope="row" class="name">{dot(entry["id"])}{entry["id"]} {escape(entry["name"])}</th>'
        f"<td>{escape('; '.join(told(entry, name) for name, _ in top)) or '-'}</td></tr>"
        for entry, top in drivers(X, bundle, reasons)
    )
    return (
        "<h3>What makes the segments</h3><p>The figures that bring customers nearer to their segment than to the one"
        ' they are next nearest to.</p><div class="wide"><table><thead><tr><th scope="col">segment</th>'
        f'<th scope="col">what speaks for it most</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )
