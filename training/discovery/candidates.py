"""Candidate features: what FeatureTools combines, as formulas of the catalogue and the lines that declare them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.features import EVENT_TYPES, Feature, category_hash
from shared.features import formulas as f
from shared.features.history import History
from shared.features.timeline import Floats, Ints, Mask
from training.base.command import printable

type Measure = Callable[[History, Mask, int | None], Floats | Ints]


@dataclass(frozen=True)
class _Kind:
    """A measure of some events in a window."""

    value: Measure
    text: str
    """The same as the line has it; `{}` stands for the events."""
    name: str
    """What comes after what the events are of, in the feature's name."""
    description: str
    unit: str


_COLUMNS = {"category": "categories", "brand": "brands", "product": "products"}


def _different(column: str, several: str) -> _Kind:
    return _Kind(
        lambda h, events, d: f.different(h, column, events, d),
        f'f.different(h, "{column}", {{}}, d)',
        f"distinct_{several}",
        f"Different {several} of",
        several,
    )


KINDS: Mapping[str, _Kind] = {
    "count": _Kind(f.counted, "f.counted(h, {}, d)", "events", "Number of", "events"),
    "count_a_visit": _Kind(
        f.counted_a_visit, "f.counted_a_visit(h, {}, d)", "events_a_visit", "Average number a visit of", "events"
    ),
    "sum of spent": _Kind(f.spent, "f.spent(h, {}, d)", "spend", "Spend on", "currency"),
    "mean of spent": _Kind(f.spent_a_line, "f.spent_a_line(h, {}, d)", "spend_a_line", "Average line of", "currency"),
    **{f"num_unique of {column}": _different(column, several) for column, several in _COLUMNS.items()},
}
"""By what FeatureTools calls them, but for `SINCE`, which has no window."""
SINCE = "time_since_last"


@dataclass(frozen=True, order=True)
class Candidate:
    """A feature that FeatureTools made: a measure of the events of a window, of all or of those with one value."""

    measure: str
    """One of KINDS, or SINCE."""
    column: str | None
    """What the events have in common, a column of `Rows`; None where all count."""
    value: int
    """Of the column."""
    days: int | None

    def feature(self, names: Mapping[int, str]) -> Feature:
        """It as the catalogue has its features; `names` are those of categories."""
        return Feature(self.name(names), self._description(names), self._unit, "Found", self.days, self._formula)

    def name(self, names: Mapping[int, str]) -> str:
        """Made of letters, digits and underscores, whatever the shop calls its categories."""
        of = re.sub(r"[^a-z0-9]+", "_", self._called(names).lower()).strip("_")[:40] or "all"
        of = f"of_{of}" if of[0].isdigit() else of
        if self.measure == SINCE:
            return f"days_since_{of}"
        suffix = "lifetime" if self.days is None else f"{self.days}d"
        return f"{of}_{KINDS[self.measure].name}_{suffix}"

    def line(self, names: Mapping[int, str]) -> str:
        """What declares it among FEATURES of `shared/features/catalogue.py`."""
        described = repr(self._description(names))
        events = f"f.matching(h{self._condition(names)})"
        if self.measure == SINCE:
            return f'_recency.days_since("{self.name(names)}", {described}, lambda h: f.last(h, {events})),'
        name = self.name(names).rpartition("_")[0]
        value = KINDS[self.measure].text.format(events)
        return f'*_affinity.over(({self.days},), "{name}", {described}, "{self._unit}", lambda h, d: {value}),'

    def _formula(self, history: History, days: int | None) -> Floats | Ints:
        events = f.matching(history, **({self.column: self.value} if self.column else {}))
        if self.measure == SINCE:
            return f.days_since(history, f.last(history, events))
        return KINDS[self.measure].value(history, events, days)

    def _condition(self, names: Mapping[int, str]) -> str:
        """The arguments that say which events: kinds and categories by name, where that gives the code again."""
        if self.column is None:
            return ""
        text: Any = self.value
        if self.column == "kind":
            text = EVENT_TYPES[self.value]
        elif self.column == "category" and category_hash(names.get(self.value, "")) == self.value:
            text = names[self.value]
        return f", {self.column}={text!r}"

    def _called(self, names: Mapping[int, str]) -> str:
        match self.column:
            case None:
                return "all"
            case "kind":
                return EVENT_TYPES[self.value]
            case "category" if self.value in names:
                return printable(names[self.value])[:60]
            case _:
                return f"{self.column} {self.value}"

    def _description(self, names: Mapping[int, str]) -> str:
        called = self._called(names)
        events = f"{called} events" if self.column in (None, "kind") else f"events in {called}"
        if self.measure == SINCE:
            return f"Days since the last of {events}"
        return f"{KINDS[self.measure].description} {events}"

    @property
    def _unit(self) -> str:
        return "days" if self.measure == SINCE else KINDS[self.measure].unit
