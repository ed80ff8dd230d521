"""What is predicted, and the rows to learn it from: features at a cut-off, outcomes from what came after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shared.features import FEATURE_NAMES, MONEY_UNITS, PURCHASE, REFUND, Profiles, features
from shared.features.columns import CAMPAIGN_EXPOSURE, DAY_MS
from shared.features.time_zone import UTC_TIME, TimeZone
from training.base.config import Config
from training.data.preparation import Matrix
from training.prediction.candidates import Task
from training.prediction.models import Kind, Vector

type Mask = NDArray[np.bool_]

TIMES_SINCE = ("days_since_visit", "days_since_order", "days_since_cart", "order_overdue")
AGES = ("tenure", "days_since_first_order")
COUNTS = [f"{what}_{days}d" for what in ("visits", "orders") for days in (7, 30, 90, 365)]
ACTIVE_DAYS = [f"active_days_{days}d" for days in (30, 90, 365)]
IN_SILENCE: Mapping[str, int] = {
    **dict.fromkeys((*TIMES_SINCE, *AGES), 1),
    **dict.fromkeys((*COUNTS, *ACTIVE_DAYS), -1),
}
"""Features that only grow (1) or only fall (-1) as long as nothing is heard of a customer."""
SHORTER_DAYS = (60, 30)
"""Horizons of an amount where the events do not cover the one that is wanted, the longest first."""


@dataclass(frozen=True)
class Target:
    """Something about the days after a cut-off that is worth knowing at it."""

    name: str
    output: str
    """Name of the bundle's output."""
    kind: Kind
    horizon_days: int
    question: str
    """What is asked at the cut-off; `{}` stands for the days of the horizon."""
    eligible: Callable[[Profiles, int], Mask]
    """Of profiles and a cut-off (UTC ms), who is predicted for [n_profiles]."""
    outcome: Callable[[Profiles, int, int], Vector]
    """Of profiles, a cut-off and the horizon's end (UTC ms), what happened in between [n_profiles]."""
    in_silence: int = 0
    """Whether it may only rise (1) or fall (-1) the longer nothing is heard of a customer; 0 where it may do either."""

    @property
    def meaning(self) -> str:
        """The question, of the horizon."""
        return self.question.format(self.horizon_days)

    @property
    def task(self) -> Task:
        """What there is to learn from features in the order of FEATURE_NAMES."""
        return Task(self.kind, [self.in_silence * IN_SILENCE.get(name, 0) for name in FEATURE_NAMES])

    def shorter(self) -> list[Target]:
        """The same over each of the shorter horizons, of an amount: spend of fewer days is worth knowing as well."""
        days = [days for days in SHORTER_DAYS if days < self.horizon_days]
        return [replace(self, horizon_days=each) for each in days] if self.kind == "amount" else []


@dataclass(frozen=True)
class Slice:
    """The rows of one cut-off."""

    cutoff_ms: int
    customers: NDArray[np.int64]
    """Index of each row's profile [n]."""
    X: Matrix
    """Features at the cut-off [n, n_features]."""
    y: Vector
    """Outcomes of the horizon after the cut-off [n]."""


def targets(config: Config) -> tuple[Target, ...]:
    """Churn, conversion and lifetime value over the horizons of `config`."""
    return (
        Target(
            "churn",
            "churn_probability",
            "probability",
            config.churn_horizon_days,
            "no purchase in the next {} days, for customers with a purchase before",
            lambda profiles, cutoff: _purchases(profiles, 0, cutoff) > 0,
            lambda profiles, cutoff, end: (_purchases(profiles, cutoff, end) == 0).astype(float),
            in_silence=1,
        ),
        Target(
            "conversion",
            "conversion_probability",
            "probability",
            config.conversion_horizon_days,
            "at least one purchase in the next {} days",
            known_at,
            lambda profiles, cutoff, end: (_purchases(profiles, cutoff, end) > 0).astype(float),
        ),
        Target(
            "ltv",
            "expected_ltv",
            "amount",
            config.ltv_horizon_days,
            "spend less refunds in the next {} days",
            known_at,
            _net_spend,
            in_silence=-1,
        ),
    )


def known_at(profiles: Profiles, cutoff_ms: int) -> Mask:
    """Who did anything before the cut-off; to be approached by a campaign is not to do anything [n_profiles]."""
    did = (profiles.rows.time_ms < cutoff_ms) & (profiles.rows.kind != CAMPAIGN_EXPOSURE)
    return np.bincount(profiles.owner[did], minlength=len(profiles)) > 0


class PointsInTime:
    """Rows of many cut-offs of the same profiles; the features of each instant are computed once."""

    def __init__(self, profiles: Profiles, zone: TimeZone = UTC_TIME) -> None:
        self.profiles = profiles
        self.zone = zone
        self._features: dict[int, Matrix] = {}

    def features(self, cutoff_ms: int) -> Matrix:
        """Features of every profile at the cut-off [n_profiles, n_features]."""
        if cutoff_ms not in self._features:
            self._features[cutoff_ms] = features(self.profiles, cutoff_ms, self.zone)
        return self._features[cutoff_ms]

    def slice(self, target: Target, cutoff_ms: int) -> Slice:
        """The target's rows at one cut-off: everyone known and eligible then."""
        end_ms = cutoff_ms + target.horizon_days * DAY_MS
        rows = known_at(self.profiles, cutoff_ms) & target.eligible(self.profiles, cutoff_ms)
        outcome = target.outcome(self.profiles, cutoff_ms, end_ms)
        return Slice(cutoff_ms, np.flatnonzero(rows), self.features(cutoff_ms)[rows], outcome[rows])


def cutoffs(first_ms: int, end_ms: int, horizon_days: int, config: Config) -> list[int]:
    """Instants whose outcomes are known by `end_ms`, latest first: the last possible one, then one every few days."""
    latest = end_ms - horizon_days * DAY_MS
    earliest = first_ms + config.minimum_history_days * DAY_MS
    step = config.cutoff_every_days * DAY_MS
    return list(range(latest, earliest - 1, -step))[: config.maximum_cutoffs]


def _between(profiles: Profiles, kind: int, start_ms: int, end_ms: int) -> Mask:
    rows = profiles.rows
    between: Mask = (rows.kind == kind) & (rows.time_ms >= start_ms) & (rows.time_ms < end_ms)
    return between


def _purchases(profiles: Profiles, start_ms: int, end_ms: int) -> NDArray[np.int64]:
    return np.bincount(profiles.owner[_between(profiles, PURCHASE, start_ms, end_ms)], minlength=len(profiles))


def _net_spend(profiles: Profiles, start_ms: int, end_ms: int) -> Vector:
    owner = profiles.owner
    net = profiles.rows.net
    total = np.zeros(len(profiles))
    for kind, sign in ((PURCHASE, 1), (REFUND, -1)):
        rows = _between(profiles, kind, start_ms, end_ms)
        total += sign * np.bincount(owner[rows], net[rows], minlength=len(profiles))
    return total / MONEY_UNITS
