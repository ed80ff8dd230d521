"""A night held against training: which measures are further away than chance and the shop's own ups and downs explain.

Neighbouring days see largely the same customers, and a shop has weekdays, growth and seasons, so that draws alone would
make every night of a large shop a finding. What training's own instants show of that is the other half of the null:
the index of each of them against the same reference, beyond what draws make of it, near the bundle's instant and as
far from it as the night is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shared.drift.measures import EVENTS, ORDERS, REFUSED
from shared.drift.reference import RECENT_DAYS, Measure, Reference
from shared.drift.stability import NONE_SEEN, Counts, Natural, by_chance, p_value, stability_index, which_fall
from shared.durations import DAY_MS

FALSE_ALARMS = 0.05 / 30
"""The rate of false discoveries of a night, and where nothing has changed the probability that anything is found: once
in twenty months."""
LEAST_INDEX = 0.1
"""Below, nobody calls it a change, however sure it is (Siddiqi, Credit Risk Scorecards, 2006)."""
LEAST = 30
"""Customers, events or orders, of a night and of an instant, to be compared at all."""
LEAST_INSTANTS = 6
ENOUGH = 120
"""Of a season, so that what it makes of a night is not mostly chance."""
NEAR_DAYS = 28
"""From the middle of the reference: what a shop does by itself in a month."""
YEAR_DAYS = 364
"""52 weeks, so that weekdays meet."""
SEASON_DAYS = 10
"""By which a season may come earlier or later."""
PRIOR_FREEDOM = 8.0
"""How many looks at a measure what is natural of the others is worth."""

type Ups = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Finding:
    """One measure of a night."""

    name: str
    number: int
    """Customers, events or orders that were counted."""
    index: float
    """The population stability index, of the nearer of what was recent and of what the season makes of it."""
    p_value: float
    natural: float
    """What the index comes to by itself."""
    is_season: bool
    """Whether the season of a year ago comes nearer than what was recent."""
    is_drift: bool = False


def compare(
    reference: Reference, counts: Mapping[str, Counts], at_ms: int, a_year_ago: Sequence[Mapping[str, Counts]] = ()
) -> list[Finding]:
    """Every measure that can be compared, the furthest first. `a_year_ago` are those of nights of that season, of the
    same bundle, where it has been live for so long."""
    age = max(at_ms - reference.as_of_ms, 0) / DAY_MS
    looks = [
        _Look(name, measure, counts[name], age)
        for name, measure in reference.measures.items()
        if name in counts and measure.bins > 1 and counts[name].sum() >= LEAST
    ]
    looks = [look for look in looks if look.is_known]
    usual = {kind: _mean(look.natural.mean for look in looks if look.is_flow is kind) for kind in (True, False)}
    findings = [
        look.finding(usual[look.is_flow], [night[look.name] for night in a_year_ago if look.name in night])
        for look in looks
    ]
    return judged(findings)


def judged(findings: Sequence[Finding]) -> list[Finding]:
    """The findings with what is drift among them."""
    fallen = which_fall([one.p_value for one in findings], FALSE_ALARMS)
    marked = [
        Finding(
            one.name, one.number, one.index, one.p_value, one.natural, one.is_season, falls and one.index >= LEAST_INDEX
        )
        for one, falls in zip(findings, fallen, strict=True)
    ]
    return sorted(marked, key=lambda one: (not one.is_drift, one.p_value, -one.index))


class _Look:
    """A measure of a night, beside all that training saw of it."""

    def __init__(self, name: str, measure: Measure, now: Counts, age: float) -> None:
        self.name = name
        self.is_flow = name.startswith((EVENTS, ORDERS, REFUSED))
        self._now = now
        self._age = age
        matrix = measure.matrix
        numbers = matrix.sum(axis=1)
        enough = numbers >= LEAST
        self._matrix = matrix[enough]
        self._numbers = numbers[enough]
        self._days = np.array(measure.days_ago)[enough]
        recent = self._days < RECENT_DAYS
        near = self._days < RECENT_DAYS / 2 + NEAR_DAYS
        self.is_known = bool(recent.any()) and near.sum() >= LEAST_INSTANTS
        if not self.is_known:
            return
        together = self._matrix[recent]
        # Days bring events of their own; instants show the same customers again.
        self._before = together.sum(axis=0) / (1 if self.is_flow else len(together))
        self.natural = self._natural(near)

    def finding(self, usual: float, a_year_ago: Sequence[Counts]) -> Finding:
        """What there is to say, where the others are naturally `usual` on the average."""
        natural = Natural(max(self.natural.mean, _weighted(self.natural, usual)), self.natural.freedom + PRIOR_FREEDOM)
        number = int(self._now.sum())
        bins = int(((self._now + self._before) > 0).sum())
        recent, chance = self._against(self._before)
        comparisons = [(p_value(recent, bins, chance, natural), recent, False)]
        for expected, more in self._seasons(a_year_ago):
            index, chance = self._against(expected)
            comparisons.append((p_value(index, bins, chance + more, natural), index, True))
        p, index, is_season = max(comparisons)
        return Finding(self.name, number, min(index for _, index, _ in comparisons), p, natural.mean, is_season)

    def _against(self, before: Ups) -> tuple[float, float]:
        number = int(self._now.sum())
        seen = (self._now + self._before) > 0
        index = stability_index(self._now[seen], before[seen])
        return index, by_chance(int(seen.sum()), number, float(before.sum()))

    def _natural(self, near: NDArray[np.bool_]) -> Natural:
        seen = self._matrix.sum(axis=0) > 0
        bins = int(seen.sum())
        beyond = np.array(
            [
                stability_index(row[seen], self._before[seen]) - by_chance(bins, int(number), self._before.sum())
                for row, number in zip(self._matrix, self._numbers, strict=True)
            ]
        )
        middle = RECENT_DAYS / 2
        away = np.abs(self._days - middle)
        distance = self._age + middle
        mean, looks = _usual(beyond[near])
        if distance > NEAR_DAYS:
            reached = min(distance, float(away.max()))
            apart = np.abs(away - reached)
            band = apart <= max(reached / 4, float(apart.min()))
            far, more = _usual(beyond[band])
            # A trend is twice as far after twice the time, and its square is what the index is.
            mean, looks = max((mean, looks), (far * (distance / reached) ** 2, more))
        return Natural(mean, looks)

    def _seasons(self, a_year_ago: Sequence[Counts]) -> list[tuple[Ups, float]]:
        """What is expected by instants of the season a year before, each with what chance adds to its index."""
        seasons = [(one.astype(np.float64), 0.0) for one in a_year_ago if one.sum() >= LEAST]
        then = self._matrix[np.abs(self._days - YEAR_DAYS - RECENT_DAYS / 2) <= RECENT_DAYS / 2].sum(axis=0)
        if then.sum() < LEAST or self._age >= YEAR_DAYS - RECENT_DAYS:
            return seasons
        bins = self._matrix.shape[1]
        recent = _shares(self._before)
        # Day by day, as a season begins and ends on one, or by a few where these say little.
        for season in _gathered(self._matrix[np.abs(self._days - (YEAR_DAYS - self._age)) <= SEASON_DAYS]):
            # A bin that was all but empty then would be multiplied by anything; what it gained or lost is bounded.
            expected = np.maximum(recent + _shares(season) - _shares(then), recent / 10)
            more = by_chance(bins, int(season.sum()), float(then.sum()))
            seasons.append((expected / expected.sum() * self._before.sum(), more))
        return seasons


def _gathered(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Sums of rows that follow each other, each of ENOUGH at least; what is left at the end belongs to the last."""
    numbers = rows.sum(axis=1)
    begins = [0]
    for end in range(1, len(rows)):
        if numbers[begins[-1] : end].sum() >= ENOUGH <= numbers[end:].sum():
            begins.append(end)
    for begin, end in pairwise([*begins, len(rows)]):
        if begin < end:
            yield rows[begin:end].sum(axis=0)


def _usual(beyond: Ups) -> tuple[float, float]:
    """What indices come to on the average, one standard error more, and half as many looks as there are: neighbours are
    alike."""
    looks = max(len(beyond) / 2, 1.0)
    error = float(beyond.std()) / looks**0.5
    return max(float(beyond.mean()), 0.0) + error, looks


def _weighted(own: Natural, usual: float) -> float:
    return (own.freedom * own.mean + PRIOR_FREEDOM * usual) / (own.freedom + PRIOR_FREEDOM)


def _mean(values: object) -> float:
    listed = list(values)  # type: ignore[call-overload]
    return float(np.mean(listed)) if listed else 0.0


def _shares(counts: NDArray[np.generic]) -> Ups:
    raised = counts.astype(np.float64) + NONE_SEEN
    shares: Ups = raised / raised.sum()
    return shares
