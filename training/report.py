"""report.html: one self-contained page on a bundle, for a marketer and a data scientist."""

import io
from collections.abc import Sequence
from html import escape
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from shared.features import FEATURES
from training.predictions import Outcome
from training.segments import Segmentation

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "tessera"

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c2733; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #d5dde5; padding-bottom: .3rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .6rem; vertical-align: top; }
th { border-bottom: 2px solid #d5dde5; } tr + tr td { border-top: 1px solid #eef2f5; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
svg { max-width: 100%; height: auto; } .figures { display: flex; flex-wrap: wrap; gap: 1rem; } .note { color: #5b6b7b; }
"""

type Cell = str | float | int | None


def report(
    about: dict[str, Any], heights: NDArray[np.float64], segmentation: Segmentation, outcomes: Sequence[Outcome]
) -> str:
    """The page for the manifest `about`; `heights` [n_segments, n_features] in standard deviations from the average."""
    events = about["events"]
    trained = [outcome for outcome in outcomes if outcome.model]
    body = [
        f"<h1>Tessera bundle {escape(about['bundle_id'])}</h1>",
        f"<p>{events['rows']:,} events of {events['customers']:,} customers, {events['first']} to {events['last']}."
        f" Trained as of {about['as_of']}.</p>",
        "<h2>Segments</h2>",
        _segment_table(about),
        "<h2>What is typical of each</h2>",
        '<p class="note">Distance of the segment\'s customers from the average one, in standard deviations.</p>',
        _svg(_heat_map(about, heights)),
        "<h2>How the number of segments was chosen</h2>",
        _clustering_table(segmentation),
        "<h2>Predictions</h2>",
        '<p class="note">Measured on the latest time slice by models fitted on earlier ones.</p>',
        *(_metrics_table(outcome) for outcome in outcomes),
        '<div class="figures">',
        *(_svg(_calibration(outcome)) for outcome in trained),
        "</div>",
        "<h2>The export decides as the models do</h2>",
        _table(
            ["largest difference of", "over", ""],
            [[name, f"{about['gate']['rows']:,} rows", f"{v:.1e}"] for name, v in about["gate"]["differences"].items()],
        ),
        f"<p>{about['gate']['flips']} customers in another segment; {about['gate']['ties']} exactly between two.</p>",
    ]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(about["bundle_id"])}</title>'
        f'<link rel="icon" href="data:,"><style>{STYLE}</style></head>\n<body>\n'
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _segment_table(about: dict[str, Any]) -> str:
    total = sum(segment["size"] for segment in about["segments"])
    return _table(
        ["id", "name", "customers", "share", "what sets them apart"],
        [[s["id"], s["name"], s["size"], f"{s['size'] / total:.1%}", s["description"]] for s in about["segments"]],
    )


def _clustering_table(segmentation: Segmentation) -> str:
    return _table(
        ["segments", "silhouette", "stability", "smallest", "Davies-Bouldin", "Calinski-Harabasz", ""],
        [
            [
                c.segments,
                f"{c.silhouette:.3f}",
                f"{c.stability:.2f}",
                f"{c.smallest:.1%}",
                f"{c.davies_bouldin:.2f}",
                f"{c.calinski_harabasz:.0f}",
                "chosen" if c is segmentation.chosen else "",
            ]
            for c in segmentation.tried
        ],
    )


def _metrics_table(outcome: Outcome) -> str:
    title = f"<h3>{outcome.target.name}: {escape(outcome.target.meaning)}</h3>"
    if outcome.model is None:
        return f"{title}<p>Left out: {escape(outcome.reason or '')}.</p>"
    names = list(outcome.metrics)
    rows: list[list[Cell]] = [
        [f"{name} (chosen)" if name == outcome.model.name else name, *(f"{metrics[n]:,.4g}" for n in names)]
        for name, metrics in outcome.leaderboard.items()
    ]
    return title + _table(["model", *(name.replace("_", " ") for name in names)], rows)


def _table(head: list[str], rows: list[list[Cell]]) -> str:
    def cell(tag: str, value: Cell) -> str:
        number = isinstance(value, int | float) or (isinstance(value, str) and value[:1].isdigit())
        text = f"{value:,}" if isinstance(value, int | float) else escape(value or "")
        return f"<{tag}{' class=number' if number else ''}>{text}</{tag}>"

    header = "".join(f"<th>{escape(name)}</th>" for name in head)
    return (
        f"<table><tr>{header}</tr>{''.join(f'<tr>{"".join(cell("td", v) for v in row)}</tr>' for row in rows)}</table>"
    )


def _heat_map(about: dict[str, Any], heights: NDArray[np.float64]) -> Figure:
    told = np.flatnonzero(np.abs(heights).max(axis=0) > 0.1)
    figure = Figure(figsize=(2.5 + 1.1 * len(heights), 1.6 + 0.24 * len(told)), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(heights[:, told].T, cmap="RdBu_r", vmin=-2, vmax=2, aspect="auto")
    axes.set_yticks(range(len(told)), [FEATURES[j].name for j in told], fontsize=8)
    names = [segment["name"] for segment in about["segments"]]
    axes.set_xticks(range(len(names)), names, rotation=35, ha="right", fontsize=8)
    figure.colorbar(image, ax=axes, shrink=0.5)
    return figure


def _calibration(outcome: Outcome) -> Figure:
    predicted, actual = np.array([(p, a) for p, a, _ in outcome.bins]).T
    figure = Figure(figsize=(4, 4), layout="constrained")
    axes = figure.subplots()
    top = max(predicted.max(), actual.max()) * 1.05 or 1.0
    axes.plot([0, top], [0, top], color="#b0bcc8", linewidth=1)
    axes.plot(predicted, actual, marker="o", color="#2463eb")
    axes.set(
        xlim=(0, top), ylim=(0, top), xlabel="predicted, mean of each tenth", ylabel="actual", title=outcome.target.name
    )
    return figure


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
