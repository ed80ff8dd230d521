"""How the times of a column are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from shared.events.translator import MILLISECONDS_OF

_EARLIEST, _LATEST = 1980, 2100
_DATES = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%d/%m/%y", "%m/%d/%y",
          "%d %b %Y", "%b %d, %Y", "%d-%b-%Y", "%d-%b-%y", "%d %B %Y")  # fmt: skip
_CLOCKS = (" %H:%M:%S", " %H:%M", "", " %I:%M:%S %p", " %I:%M %p", " %H:%M:%S.%f", ", %H:%M:%S", " %H:%M:%S %z")
_ISO_LIKE = ("%Y-%m-%d %H:%M:%S %z", "%Y-%m-%d %H:%M:%S %Z", "%a, %d %b %Y %H:%M:%S %z", "%Y%m%d%H%M%S")
FORMATS = (*_ISO_LIKE, *(date + clock for date in _DATES for clock in _CLOCKS))


@dataclass(frozen=True)
class Written:
    """How times are written: by none of its fields they are ISO 8601."""

    share: float
    """Of the values, those that are times so written."""
    formats: tuple[str, ...] = ()
    unit: str = ""
    ambiguous: bool = False
    """Whether days and months could change places."""


def written(values: Sequence[Any]) -> Written:
    """The way in which most of the values are times."""
    values = [value.strip() if isinstance(value, str) else value for value in values]
    if not values:
        return Written(0.0)
    if all(isinstance(value, datetime) or hasattr(value, "isoformat") for value in values):
        return Written(1.0)
    if (unit := _unit(values)) is not None:
        return unit
    texts = [value for value in values if isinstance(value, str)]
    best = Written(sum(map(_is_iso, texts)) / len(values))
    if best.share > 0.99:
        return best
    shares = {}
    few = texts[:200]
    for form in FORMATS:
        if sum(_is_written(text, form) for text in few) > 0.9 * len(few):
            shares[form] = sum(_is_written(text, form) for text in texts) / len(values)
    if not shares:
        return best
    highest = max(shares.values())
    if highest <= best.share:
        return best
    ties = [form for form, share in shares.items() if share == highest]
    chosen = min(ties, key=lambda form: _disorder(texts, form)) if len(ties) > 1 else ties[0]
    return Written(highest, (chosen,), ambiguous=len(ties) > 1)


def _unit(values: Sequence[Any]) -> Written | None:
    """Of numbers, the unit in which they lie between 1980 and 2100."""
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError):
        return None
    low, high = (datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1_000 for year in (_EARLIEST, _LATEST))
    for unit, milliseconds in MILLISECONDS_OF.items():
        share = sum(low <= number * milliseconds < high for number in numbers) / len(numbers)
        if share > 0.9:
            return Written(share, unit="" if unit in ("seconds", "milliseconds") else unit)
    return None


def _is_iso(text: str) -> bool:
    if text.isdecimal() and len(text) != len("YYYYMMDD"):
        return False
    try:
        at = datetime.fromisoformat(text.removesuffix(" UTC"))
    except ValueError:
        return False
    return _EARLIEST <= at.year < _LATEST


def _is_written(text: str, form: str) -> bool:
    try:
        return _EARLIEST <= datetime.strptime(text, form).year < _LATEST
    except ValueError:
        return False


def _disorder(texts: Sequence[str], form: str) -> float:
    """How far the column is from being sorted, read in this form: files mostly grow in time."""
    days = [datetime.strptime(text, form).toordinal() for text in texts if _is_written(text, form)]
    jumps = [abs(later - earlier) for earlier, later in pairwise(days)]
    return sum(jumps) / max(len(jumps), 1)
