"""What rules come to on days ahead without a model, as far as what is counted, said or long ago decides them alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared.audiences.evaluating import Customers
from shared.audiences.rules import Field, Rule, operands
from shared.decisions.carrying import OVERDUE, OVERDUE_RESTS_ON, WINDOWS, Carried, Midnights
from shared.features import FEATURE_NAMES, FEATURES, Profiles

if TYPE_CHECKING:
    from shared.decisions.memberships import Look

type Days = NDArray[np.int64]
type Mask = NDArray[np.bool_]

CELLS_AT_ONCE = 10_000_000
"""Demands of rules times instants, which bounds the memory."""


class Foresight:
    """Rules on days ahead, of which predictions, segment and intent are not known."""

    def __init__(self, profiles: Profiles, now: Look, midnights: Midnights, leaving: Mask) -> None:
        self._now = now
        self._midnights = midnights
        self._rules = now.audiences.rules
        named = _named(audience.rule for audience in now.audiences.all)
        self._columns = [FEATURE_NAMES.index(name) for name in named]
        of = [FEATURES[j] for j in self._columns]
        self._carried = Carried(profiles, midnights, leaving, of)
        self._holds = np.ascontiguousarray(now.holds.T)
        within = {feature.window_days for feature in of if not feature.grows_daily and feature.name != OVERDUE}
        self.windows = WINDOWS if None in within else [window for window in WINDOWS if window in within]
        """Those that something has to leave for a feature to change that a rule names, but by a day a day."""

    def look(self, days: Mask) -> tuple[Mask, Days]:
        """Of the `days` from now on which rules may turn [n, horizon + 1], those on which the model has to be asked if
        one does [n, horizon + 1], and the first on which one surely has turned, 0 if none has [n].

        The model has to be asked where a rule hangs on it and what else it demands is not as it was the day before.
        """
        asked = np.zeros_like(days)
        first = np.zeros(len(days), np.int64)
        days = days.copy()
        days[:, 0] = True
        cells = np.cumsum(days.sum(axis=1)) * len(self._rules)
        for some in np.split(np.arange(len(days)), np.flatnonzero(np.diff(cells // CELLS_AT_ONCE)) + 1):
            row, day = np.nonzero(days[some])
            who = some[row]
            met = self._rules.judge(self._customers(who, day), with_predicted=False)
            at = np.flatnonzero(self._may_turn(met) & (day > 0))
            ask, sure = self._judged(who[at], met.take(at, axis=1), met.take(at - 1, axis=1))
            asked[who[at[ask]], day[at[ask]]] = True
            turned = at[sure][::-1]
            first[who[turned]] = day[turned]
        return asked, first

    def _may_turn(self, met: Mask) -> Mask:
        """Whether anything demanded is not as at the instant before, or may not be [n]."""
        turns = np.full(met.shape[1], self._rules.mixed.any())
        for one in met[~self._rules.predicted]:
            turns[1:] |= one[1:] != one[:-1]
        return turns

    def _judged(self, who: Days, met: Mask, before: Mask) -> tuple[Mask, Mask]:
        """Whether the model has to be asked, and whether a rule surely is not as it is now, at some instants [n each].

        `met` says which demands are met, none of those that are predicted, and `before` which were an instant before.
        """
        least = np.array(self._rules.holds(met))
        most = np.array(self._rules.holds(met | self._rules.predicted[:, None]))
        now = self._holds.take(who, axis=1)
        differs = (met != before) | self._rules.mixed[:, None]
        ask = np.zeros(len(who), bool)
        for j in np.flatnonzero((least != most).any(axis=1)).tolist():
            ask |= most[j] & ~least[j] & differs[self._rules.demanded[j]].any(axis=0)
        return ask, ((now & ~most) | (least & ~now)).any(axis=0)

    def _customers(self, who: Days, days: Days) -> Customers:
        """Customers at midnights to come, and now where the day is 0."""
        # By columns, as the others are never asked for: so they take no memory.
        known = np.empty((len(FEATURE_NAMES), len(who)), np.float32).T
        today = days == 0
        if self._columns:
            known[np.ix_(~today, self._columns)] = self._carried.on(who[~today], days[~today])
            known[np.ix_(today, self._columns)] = self._now.customers.features[np.ix_(who[today], self._columns)]
        at_ms = np.where(today, self._now.customers.at_ms, self._midnights(days))
        return Customers(known, {}, self._now.customers.histories, who, at_ms)


def _named(rules: Iterable[Rule]) -> list[str]:
    """The features that rules name, and what their values on days to come rest on."""
    names = {operand.name for rule in rules for operand in operands(rule) if isinstance(operand, Field)}
    if OVERDUE in names:
        names.update(OVERDUE_RESTS_ON)
    return [name for name in FEATURE_NAMES if name in names]
