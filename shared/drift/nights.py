"""The nights of a bundle: what each was like, what was found, and what was told of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date

import msgspec
import numpy as np

from shared.drift.comparing import SEASON_DAYS, YEAR_DAYS
from shared.drift.reference import OTHERS, Measure
from shared.drift.stability import Counts
from shared.durations import DAY_MS

MOST_NIGHTS = 450
"""A year and a season."""
EACH_DAYS = 35
"""For so long each night is kept, and of those before it one in EVERY."""
EVERY = 5
QUIET_DAYS = 28
"""For which what was told is not told again."""
LEAST_NIGHTS = 14
"""Before reasons of refusals can be compared: no training knows them."""
ACCEPTED = "accepted"
MOST_REASONS = 20


class Night(msgspec.Struct, frozen=True):
    """One of them."""

    at_ms: int
    counts: dict[str, list[int]]
    """Histograms, by measure."""
    refused: dict[str, int]
    """Lines by why they were refused, and those that were not."""
    drifted: list[str]
    """Measures."""
    told: bool
    """Whether an event said so."""


class Nights(msgspec.Struct, frozen=True):
    """All that are kept of a bundle, by date."""

    bundle_id: str
    nights: dict[str, Night] = msgspec.field(default_factory=dict)

    def before(self, day: str) -> dict[str, Night]:
        """Those of earlier dates."""
        return {name: night for name, night in self.nights.items() if name < day}

    def and_also(self, day: str, night: Night) -> Nights:
        """With one more, or in the place of the same; without those that are too old."""
        kept = {
            name: one
            for name, one in self.nights.items()
            if name != day and _is_kept((date.fromisoformat(day) - date.fromisoformat(name)).days, name)
        }
        return Nights(self.bundle_id, dict(sorted({**kept, day: night}.items())))

    def a_year_before(self, day: str, at_ms: int) -> list[dict[str, Counts]]:
        """The histograms of the nights of that season, where there were any."""
        return [
            {name: np.array(counts, np.int64) for name, counts in night.counts.items()}
            for night in self.before(day).values()
            if abs((at_ms - night.at_ms) / DAY_MS - YEAR_DAYS) <= SEASON_DAYS
        ]

    def is_new(self, day: str, drifted: list[str]) -> bool:
        """Whether anything of it was not told in QUIET_DAYS before the date."""
        first = date.fromisoformat(day).toordinal() - QUIET_DAYS
        known = {
            measure
            for name, night in self.before(day).items()
            if date.fromisoformat(name).toordinal() >= first
            for measure in night.drifted
        }
        return not known.issuperset(drifted)

    def refusals(self, day: str, tonight: Mapping[str, int]) -> tuple[Measure, Counts] | None:
        """The reasons of refusals of the nights before as a measure, and those of tonight in its bins; None while there
        are too few nights."""
        ordinal = date.fromisoformat(day).toordinal()
        before = {
            ordinal - date.fromisoformat(name).toordinal() - 1: night.refused
            for name, night in self.before(day).items()
            if night.refused
        }
        if len(before) < LEAST_NIGHTS or not tonight:
            return None
        lines = Counter[str]()
        for refused in (*before.values(), tonight):
            lines.update(refused)
        labels = [
            ACCEPTED,
            *(name for name, _ in lines.most_common(MOST_REASONS) if name not in (ACCEPTED, OTHERS)),
            OTHERS,
        ]
        rows = [_row(labels, refused) for refused in before.values()]
        return Measure([*before], rows, labels=labels), np.array(_row(labels, tonight), np.int64)


def frequent(refused: Mapping[str, int]) -> dict[str, int]:
    """The MOST_REASONS most frequent reasons, and all others together: senders may make up any number of them."""
    most = dict(Counter(refused).most_common(MOST_REASONS))
    rest = sum(refused.values()) - sum(most.values())
    return {**most, OTHERS: most.get(OTHERS, 0) + rest} if rest else most


def _is_kept(age: int, day: str) -> bool:
    return age <= MOST_NIGHTS and (age <= EACH_DAYS or date.fromisoformat(day).toordinal() % EVERY == 0)


def _row(labels: list[str], refused: Mapping[str, int]) -> list[int]:
    own = [refused.get(name, 0) for name in labels[:-1]]
    return [*own, sum(refused.values()) - sum(own)]
