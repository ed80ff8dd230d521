"""What is predicted, and the rows to learn it from: features at a cut-off, outcomes from what came after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.durations import DAY_MS
from shared.features import FEATURE_NAMES, Profiles, features
from shared.features.columns import CAMPAIGN_EXPOSURE
from shared.features.time_zone import UTC_TIME, TimeZone
from training.base.config import Config
from training.base.target_entry import COUNTED_BY, DEFAULTS, TargetEntry, own_types
from training.data.own_types import without_own_types
from training.data.preparation import Matrix
from training.engines.engine import Question
from training.prediction.candidates import Task
from training.prediction.happenings import Instants, first_exposures, outcome
from training.prediction.happenings import known_at as known_at
from training.prediction.models import Kind, Vector
from training.prediction.questions import BoughtBefore, FeaturesAt, KnownAt, Outcome

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
    entry: TargetEntry
    """How the config asks for it."""
    own: tuple[str, ...]
    """The event types of the shop's own that were told apart as events were read."""
    in_silence: int = 0
    """Whether it may only rise (1) or fall (-1) the longer nothing is heard of a customer; 0 where it may do either."""

    def eligible(self, profiles: Profiles, cutoff_ms: int) -> Mask:
        """Who is predicted for at a cut-off (UTC ms) [n_profiles]."""
        return self.asks_whom(cutoff_ms)(profiles)

    def outcome(self, profiles: Profiles, start_ms: Instants, end_ms: Instants) -> Vector:
        """What happened from a cut-off to the horizon's end (UTC ms) [n_profiles]."""
        return outcome(self.entry, self.own, profiles, start_ms, end_ms)

    def asks_whom(self, cutoff_ms: int) -> KnownAt | BoughtBefore:
        """The question who is predicted for."""
        return BoughtBefore(cutoff_ms) if self.entry.whom == "buyers" else KnownAt(cutoff_ms)

    def asks(self, start_ms: int, end_ms: int) -> Outcome:
        """The question what happened."""
        return Outcome(self.entry, self.own, start_ms, end_ms)

    @property
    def meaning(self) -> str:
        """The question, of the horizon."""
        # What the shop calls things comes after the days.
        return self.question.replace("{}", str(self.horizon_days), 1)

    @property
    def asked(self) -> dict[str, Any]:
        """All that decides what is predicted, ready for JSON."""
        return self.entry.asked | {"within_days": self.horizon_days}

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
    """Churn, conversion and lifetime value over the horizons of `config`, and the shop's own."""
    own = own_types(config.targets)
    return tuple(_target(entry, own) for entry in config.targets)


def target_in(manifest: Mapping[str, Any], name: str) -> Target:
    """The target of that name as a bundle's manifest tells of it, over the days that it was trained for."""
    about = manifest["targets"][name]
    given = about.get("asked")
    entry = next(each for each in Config().targets if each.name == name) if given is None else TargetEntry.of(given)
    target = _target(entry, own_types([entry]))
    return replace(target, horizon_days=about.get("horizon_days", target.horizon_days))


def _target(entry: TargetEntry, own: tuple[str, ...]) -> Target:
    is_ours = entry.name in DEFAULTS and entry.asked == _OURS[entry.name] | {"within_days": entry.within_days}
    question, in_silence = _KNOWN[entry.name] if is_ours else (_question(entry), 0)
    return Target(
        name=entry.name,
        output=entry.output,
        kind=entry.kind,
        horizon_days=entry.within_days,
        question=question,
        entry=entry,
        own=own,
        in_silence=in_silence,
    )


_OURS = {entry.name: entry.asked for entry in Config().targets}
_KNOWN = {
    "churn": ("no purchase in the next {} days, for customers with a purchase before", 1),
    "conversion": ("at least one purchase in the next {} days", 0),
    "ltv": ("spend less refunds in the next {} days", -1),
}
"""What is asked of those that every config has, and whether they may only rise or fall in silence."""
_FOR = {
    "everyone": "",
    "buyers": ", for customers with a purchase before",
    "exposed": " after they were approached, for customers whom a campaign approached",
}


def _question(entry: TargetEntry) -> str:
    events = " or ".join(entry.event)
    what = f"how much {events} amounts to" if entry.is_of_money else f"how many {events} there are"
    if entry.kind != "amount":
        what = f"at least {entry.least:,} {events}" if entry.happens else f"fewer than {entry.least:,} {events}"
        if entry.least_spent:
            what += f" of at least {entry.least_spent:,.2f}"
    if "{}" in what:  # a type that the shop calls so
        what = "events"
    named = [f", {column} {name}" for column in (*COUNTED_BY, "campaign") if (name := getattr(entry, column))]
    if entry.kind == "uplift":
        what = f"what being approached changes of the probability of {what}"
    return f"{what} in the next {{}} days{_FOR[entry.whom]}{''.join(named)}"


class PointsInTime:
    """Rows of many cut-offs of the same profiles; the features of each instant are computed once."""

    def __init__(
        self, profiles: Profiles, zone: TimeZone = UTC_TIME, exposed_days: int = Config().cutoff_every_days
    ) -> None:
        """`exposed_days` is how long before a cut-off an exposure counts at it."""
        self.profiles = profiles
        self.keys: Sequence[str] = profiles.keys
        self.zone = zone
        self._exposed_ms = exposed_days * DAY_MS
        self._features: dict[int, Matrix] = {}

    def ask[T: np.generic](self, question: Callable[[Profiles], NDArray[T]]) -> NDArray[T]:
        """What the profiles answer [n_profiles, …]."""
        return question(self.profiles)

    def foresee(self, questions: Iterable[Question]) -> None:
        """Says beforehand what will be asked, which is quicker answered at once where profiles are not in memory."""

    def forget(self) -> None:
        """Lets go of features, which have to be computed anew."""
        self._features.clear()

    @cached_property
    def known(self) -> Profiles:
        """The profiles as the functions keep them, where they are in memory."""
        return without_own_types(self.profiles)

    def some(self, index: NDArray[np.int64]) -> Profiles:
        """The profiles with these indices, ascending, as the functions keep them."""
        return self.known.take(index)

    @cached_property
    def approached(self) -> tuple[NDArray[np.int64], Profiles]:
        """Whom a campaign was to approach: the index of each, and their profiles."""
        exposed = np.unique(self.profiles.owner[self.profiles.rows.kind == CAMPAIGN_EXPOSURE])
        return exposed, self.profiles.take(exposed)

    def features(self, cutoff_ms: int) -> Matrix:
        """Features of every profile at the cut-off [n_profiles, n_features]."""
        if cutoff_ms not in self._features:
            self._features[cutoff_ms] = self.ask(FeaturesAt(cutoff_ms, self.zone.name))
        return self._features[cutoff_ms]

    def slice(self, target: Target, cutoff_ms: int) -> Slice:
        """The target's rows at one cut-off: everyone known and eligible then. Those who were exposed stand as they did
        when they first were in the days before it."""
        if target.entry.whom == "exposed":
            return self._exposed(target, cutoff_ms)
        known, eligible, happened = asked_at(target, cutoff_ms)
        rows = self.ask(known) & self.ask(eligible)
        y = self.ask(happened)
        return Slice(cutoff_ms, np.flatnonzero(rows), self.features(cutoff_ms)[rows], y[rows])

    def _exposed(self, target: Target, cutoff_ms: int) -> Slice:
        begin_ms = cutoff_ms - self._exposed_ms
        index, people = self.approached
        at_ms = first_exposures(people, target.entry.campaign, begin_ms, cutoff_ms)
        rows = np.flatnonzero((at_ms >= 0) & known_at(people, at_ms))
        y = target.outcome(people, at_ms, at_ms + target.horizon_days * DAY_MS)
        X = features(without_own_types(people.take(rows)), at_ms[rows], self.zone)
        return Slice(cutoff_ms, index[rows], X, y[rows])


def asked_at(target: Target, cutoff_ms: int) -> tuple[KnownAt, KnownAt | BoughtBefore, Outcome]:
    """What is asked for a slice of the target: who is known, who is eligible, and what happened."""
    end_ms = cutoff_ms + target.horizon_days * DAY_MS
    return KnownAt(cutoff_ms), target.asks_whom(cutoff_ms), target.asks(cutoff_ms, end_ms)


def cutoffs(first_ms: int, end_ms: int, horizon_days: int, config: Config) -> list[int]:
    """Instants whose outcomes are known by `end_ms`, latest first: the last possible one, then one every few days."""
    latest = end_ms - horizon_days * DAY_MS
    earliest = first_ms + config.minimum_history_days * DAY_MS
    step = config.cutoff_every_days * DAY_MS
    return list(range(latest, earliest - 1, -step))[: config.maximum_cutoffs]
