"""The plots of report.html, as SVG that takes its colours from the page, so that they suit a light and a dark one."""

import io
import re
from collections.abc import Sequence
from html import escape
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from training.prediction.models import Vector

PALETTE = (
    "#4269d0", "#efb118", "#ff725c", "#3ca951", "#a463f2", "#6cc5b0", "#ff8ab7", "#9c6b4e", "#97bbf5", "#9498a0"
)  # fmt: skip
INK, MUTED, GRID, ACCENT = "#010203", "#040506", "#070809", "#0a0b0c"
PAGE_COLOURS = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--line)", ACCENT: "var(--accent)"}
"""Colours that stand for the page's own."""
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tessera",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
}
TENTHS = 10
Z95 = 1.96

type Points = NDArray[np.float32]


def colour(segment: int) -> str:
    """The colour of a segment, in every plot and table."""
    return PALETTE[segment % len(PALETTE)]


def customer_map(points: Points, segment: NDArray[np.int64], explained: Sequence[float]) -> str:
    """Customers [n, 2] on the two main axes of difference, coloured by segment [n]."""
    with matplotlib.rc_context(STYLE):
        figure, axes = plain_figure(11.4, 6.0)
        ids = np.unique(segment).tolist()
        for i in ids:
            own = points[segment == i]
            axes.scatter(own[:, 0], own[:, 1], s=14, color=colour(i), alpha=0.65, linewidths=0)
        for i in ids:
            at = np.median(points[segment == i], axis=0)
            axes.annotate(
                str(i), at, ha="center", va="center", fontsize=10, fontweight="bold", color="white",
                bbox={"boxstyle": "circle,pad=0.3", "facecolor": colour(i), "edgecolor": "white"},
            )  # fmt: skip
        low, high = np.quantile(points, [0.002, 0.998], axis=0)
        room = np.where(high > low, 0.06 * (high - low), 1.0)
        axes.set(xlim=(low[0] - room[0], high[0] + room[0]), ylim=(low[1] - room[1], high[1] + room[1]))
        axes.set_xlabel(f"first main difference ({explained[0]:.0%} of all)")
        axes.set_ylabel(f"second main difference ({explained[1]:.0%} of all)")
        axes.tick_params(labelbottom=False, labelleft=False)
        return svg(figure, f"Map of {len(points):,} customers; those who behave alike lie close together")


def calibration(predicted: Vector, y: Vector, probability: bool) -> str:
    """Mean prediction and outcome of each tenth of the customers, beside the line where both agree."""
    tenths = _tenths(predicted)
    x = np.array([predicted[part].mean() for part in tenths])
    actual = np.array([y[part].mean() for part in tenths])
    margin = np.array([Z95 * y[part].std() / np.sqrt(len(part)) for part in tenths])
    with matplotlib.rc_context(STYLE):
        figure, axes = plain_figure(3.9, 3.4)
        top = float(max(x.max(), (actual + margin).max())) * 1.05 or 1.0
        axes.plot([0, top], [0, top], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.errorbar(
            x, actual, yerr=margin, color=ACCENT, ecolor=ACCENT, elinewidth=1, linewidth=1.6, marker="o", markersize=5
        )
        axes.set(
            xlim=(0, top), ylim=(min(0, float((actual - margin).min())), top), xlabel="predicted", ylabel="happened"
        )
        _units(axes, probability, probability)
        return svg(figure, f"Predicted beside actual: {_pairs(x, actual, probability)}")


def tenths(predicted: Vector, y: Vector, probability: bool) -> str:
    """What happened in each tenth of the customers, the highest predictions first."""
    means = np.array([y[part].mean() for part in _tenths(predicted)[::-1]])
    with matplotlib.rc_context(STYLE):
        figure, axes = plain_figure(3.9, 3.4)
        bars = axes.bar(range(1, len(means) + 1), means, color=ACCENT, width=0.78)
        if y.mean() > 0:
            lift = [f"{value:.1f}×" for value in means / y.mean()]  # noqa: RUF001
            axes.bar_label(bars, lift, fontsize=7.5, color=MUTED, padding=2)
        axes.axhline(float(y.mean()), color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            "average", (len(means) + 0.5, float(y.mean())), ha="right", va="bottom", color=MUTED, fontsize=8.5
        )
        axes.set(xlabel="tenth of the customers, highest prediction first", ylabel="happened")
        axes.set_xticks(range(1, len(means) + 1))
        axes.grid(axis="x", visible=False)
        _units(axes, False, probability)
        return svg(figure, f"What happened by tenth, the highest prediction first: {_list(means, probability)}")


def gains(predicted: Vector, y: Vector, what: str) -> str:
    """Which share of all that happened is found among the highest predictions."""
    order = np.argsort(-predicted, kind="stable")
    reached = np.cumsum(np.maximum(y[order], 0))
    share = np.arange(1, len(y) + 1) / len(y)
    at = np.unique(np.linspace(0, len(y) - 1, min(len(y), 200)).astype(int))
    with matplotlib.rc_context(STYLE):
        figure, axes = plain_figure(3.9, 3.4)
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.plot([0, *share[at]], [0, *(reached[at] / reached[-1])], color=ACCENT, linewidth=2)
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="share of customers approached", ylabel=f"share of {what} reached")
        _units(axes, True, True)
        tenth = reached[max(0, round(len(y) / TENTHS) - 1)] / reached[-1]
        return svg(figure, f"The tenth of the customers with the highest predictions holds {tenth:.0%} of {what}")


def svg(figure: Figure, spoken: str) -> str:
    """The figure for the page, read out as `spoken`."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for placeholder, meant in PAGE_COLOURS.items():
        text = text.replace(placeholder, meant)
    # Names of groups repeat from figure to figure, and nothing refers to them.
    text = re.sub(r'<g id="[^"]*"', "<g", text).replace("'DejaVu Sans', 'Bitstream Vera Sans'", "system-ui")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    return text.replace("<svg ", f'<svg role="img" aria-label="{escape(spoken)}" ', 1)


def plain_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of so many inches with one pair of axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _units(axes: Axes, x: bool, y: bool) -> None:
    if x:
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    if y:
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))


def _tenths(predicted: Vector) -> list[NDArray[np.int64]]:
    parts = np.array_split(np.argsort(predicted, kind="stable"), TENTHS)
    return [part for part in parts if len(part)]


def _list(values: Vector, share: bool) -> str:
    return ", ".join(f"{value:.1%}" if share else f"{value:,.0f}" for value in values)


def _pairs(x: Vector, y: Vector, share: bool) -> str:
    return ", ".join(
        f"{_list(np.array([a]), share)} and {_list(np.array([b]), share)}" for a, b in zip(x, y, strict=True)
    )
