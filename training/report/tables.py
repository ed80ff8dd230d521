"""The tables of report.html: plain HTML, so that they can be read aloud, copied and searched."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.features import FEATURES, Feature
from training.bundle.promises import percent
from training.report.plots import colour

TOLD_OF_A_GROUP = 3
"""Features of a group in the heat map, at most: those that tell the segments apart most."""
TELLING = 0.5
"""Standard deviations from the average that a segment in the heat map's row reaches at least."""
IMPORTANT_FEATURES = 10
SAME = 0.15
"""Features of a group that differ by less than this in every segment say the same."""
FULL_COLOUR = 2.0
"""Standard deviations from the average at which a cell has its full colour."""
DESCRIPTIONS = {feature.name: feature.shown for feature in FEATURES}

type Cell = str | float | int | None


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]], caption: str = "", chosen: int | None = None) -> str:
    """A table; the first cell of each row is its header, and numbers stand to the right."""
    numeric = [all(_is_number(row[j]) for row in rows) for j in range(len(head))]
    header = "".join(
        f'<th scope="col"{_number(right)}>{escape(name)}</th>' for name, right in zip(head, numeric, strict=True)
    )
    body = "".join(
        f"<tr{' class="chosen"' if i == chosen else ''}>{_row(row, numeric)}</tr>" for i, row in enumerate(rows)
    )
    heading = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f'<div class="wide"><table>{heading}<thead><tr>{header}</tr></thead><tbody>{body}</tbody></table></div>'


def segment_table(segments: Sequence[Mapping[str, Any]]) -> str:
    """Every segment with its size as a bar, the largest first."""
    total = sum(s["size"] for s in segments)
    largest = max(s["size"] for s in segments)
    rows = "".join(
        f'<tr><th scope="row" class="name">{dot(s["id"])}{s["id"]} {escape(s["name"])}</th>'
        f"<td>{bar(s['size'] / largest, f'{s["size"]:,} ({s["size"] / total:.1%})', colour(s['id']))}</td>"
        f"<td{_number(True)}>{f'{s["true_of"]["members"]:.0%}' if s.get('true_of') else '·'}</td>"
        f"<td>{escape(s['description'])}</td></tr>"
        for s in sorted(segments, key=lambda s: -s["size"])
    )
    head = "".join(
        f'<th scope="col">{name}</th>' for name in ("segment", "customers", "name true of", "what sets them apart")
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def heat_map(segments: Sequence[Mapping[str, Any]], heights: NDArray[np.float64]) -> str:
    """What is typical of each segment in the most telling features, coloured by `heights` [n_segments, n_features], in
    standard deviations."""
    head = "".join(f'<th scope="col">{dot(s["id"])}{s["id"]}<br>{escape(s["name"])}</th>' for s in segments)
    body = ""
    group = ""
    for j in _telling(heights):
        feature = FEATURES[j]
        if feature.group != group:
            group = feature.group
            body += f'<tr class="group"><th colspan="{len(segments) + 1}" scope="rowgroup">{escape(group)}</th></tr>'
        cells = "".join(
            _heat_cell(feature, segment["profile"][feature.name], heights[i, j]) for i, segment in enumerate(segments)
        )
        body += f'<tr><th scope="row">{escape(feature.shown)}</th>{cells}</tr>'
    return (
        f'<div class="wide"><table class="heat"><thead><tr><th scope="col">typical</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def importance_table(losses: Mapping[str, float], measured: str) -> str:
    """The features that a prediction rests on most, as bars."""
    shown = [(name, loss) for name, loss in list(losses.items())[:IMPORTANT_FEATURES] if loss > 0]
    if not shown:
        return '<p class="caption">No single feature matters on its own.</p>'
    rows = "".join(
        f'<tr><th scope="row">{escape(DESCRIPTIONS[name])}</th><td>{bar(loss / shown[0][1], f"{loss:.3f}")}</td></tr>'
        for name, loss in shown
    )
    head = f'<th scope="col">feature</th><th scope="col">{escape(measured)} lost when it is shuffled</th>'
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def promises(about: Mapping[str, Any]) -> str:
    """What became of those with each intent, where the events tell."""
    held = about["promises"]
    if not held["instants"]:
        return ""
    days = held["days"]
    rows: list[list[Cell]] = [
        [
            name.replace("_", " "),
            own["customers"],
            *(percent(own[share]) for share in ("churned", "converted", "bought")),
            own["spent"],
        ]
        for name, own in held["kept"].items()
        if own["customers"]
    ]
    head = ["intent", "customers", "churned", "converted", "bought", "spent, mean"]
    return (
        "<h3>What became of them</h3><p>Who would have had each intent on "
        f"{', '.join(instant[:10] for instant in held['instants'])}, by models that knew nothing of what came after,"
        f" and what they did then: no purchase in {days['churned']} days (of those with one before), a purchase in"
        f" {days['converted']} days, and purchases and spend in {days['bought']} days.</p>{table(head, rows)}"
    )


def dot(segment: int) -> str:
    """The segment's colour."""
    return f'<span class="dot" style="background:{colour(segment)}"></span>'


def bar(share: float, text: str, fill: str = "var(--accent)") -> str:
    """A bar as long as the share, 0 to 1, of the room it has, and what it stands for."""
    return (
        f'<div class="bar"><i style="width:{7 * share:.2f}rem;background:{fill}"></i><span>{escape(text)}</span></div>'
    )


def in_words(feature: Feature, value: float | None) -> str:
    """A feature's value as a marketer reads it; a dash where it is undefined."""
    if value is None or np.isnan(value):
        return "-"
    if feature.unit == "share":
        return f"{value:.0%}"
    text = f"{value:,.{0 if abs(value) >= 10 or value == round(value) else 1}f}"
    return text.removeprefix("-") if text == "-0.0" else text


def _telling(heights: NDArray[np.float64]) -> list[int]:
    """The features that tell the segments apart, in the catalogue's order, each saying something of its own."""
    farthest = np.abs(heights).max(axis=0)
    chosen = dict[str, list[int]]()
    for j in np.argsort(-farthest, kind="stable").tolist():
        own = chosen.setdefault(FEATURES[j].group, [])
        repeats = any(np.abs(heights[:, j] - heights[:, i]).max() < SAME for i in own)
        if farthest[j] >= TELLING and len(own) < TOLD_OF_A_GROUP and not repeats:
            own.append(j)
    return sorted(j for own in chosen.values() for j in own)


def _heat_cell(feature: Feature, value: float | None, height: float) -> str:
    strength = min(abs(height) / FULL_COLOUR, 1) * 0.6
    tone = "above" if height > 0 else "below"
    mark = ("▲ " if height > 0 else "▼ ") if abs(height) >= 1 else ""
    title = f"{height:+.1f} standard deviations from the average customer"
    return (
        f'<td style="background:rgba(var(--{tone}),{strength:.2f})" title="{title}">'
        f"{mark}{escape(in_words(feature, value))}</td>"
    )


def _row(row: Sequence[Cell], numeric: Sequence[bool]) -> str:
    first = f'<th scope="row"{_number(numeric[0])}>{_text(row[0])}</th>'
    return first + "".join(
        f"<td{_number(right)}>{_text(v)}</td>" for v, right in zip(row[1:], numeric[1:], strict=True)
    )


def _number(right: bool) -> str:
    return ' class="number"' if right else ""


def _is_number(value: Cell) -> bool:
    return value is None or not isinstance(value, str) or value == "" or value[0].isdigit() or value[0] in "+-"


def _text(value: Cell) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return escape(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
