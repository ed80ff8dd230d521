"""The field's classic beside the learnt models: BG/NBD for when customers buy, Gamma-Gamma for how much they spend.

It knows nothing but the days of a customer's purchases and their amounts. It stands in the leaderboard so that one can
see what all other events are worth, and is never exported.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from lifetimes import BetaGeoFitter, GammaGammaFitter, fitters
from lifetimes.utils import ConvergenceError

from shared.durations import DAY_MS
from shared.features import MONEY_UNITS, PURCHASE, Profiles
from training.prediction.calibration import Vector
from training.prediction.metrics import Metrics, mean, measure
from training.prediction.targets import PointsInTime, Slice, Target

NAME = "BG/NBD + Gamma-Gamma"
PENALTY = 0.001
"""Keeps the parameters from running away where there are few repeat purchases."""
MOST_CUSTOMERS = 20_000
"""Buyers that the parameters are fitted on, at most: evenly drawn."""
FEWEST_RETURNING = 30
"""Fewest of them with a second day of purchase. With fewer, the processor's rounding decides whether the search for the
parameters ends, and what it ends in says little of other customers."""

# Where its search does not end, the library prints what it came to, which the exception says better.
setattr(fitters, "print", lambda *_: None)  # noqa: B010


class TooFewReturning(Exception):
    """The classic has too few returning buyers to be fitted on."""


@dataclass(frozen=True)
class Buyers:
    """The days on which each profile had bought at an instant; all are of length n_profiles."""

    days: Vector
    """Different days with a purchase."""
    recency: Vector
    """Days from the first of them to the last."""
    age: Vector
    """Days from the first of them to the instant."""
    value: Vector
    """Mean spend of a day with a purchase after the first, in the data's currency."""

    @classmethod
    def of(cls, points: PointsInTime, cutoff_ms: int) -> Self:
        """What the model knows of everyone at the cut-off (UTC milliseconds)."""
        return cls(*np.ascontiguousarray(points.ask(BuyersAt(cutoff_ms)).T))


@dataclass(frozen=True)
class BuyersAt:
    """The question what the model knows of each at an instant (UTC milliseconds)."""

    at_ms: int

    def __call__(self, profiles: Profiles) -> Vector:
        """The columns of `Buyers` [n_profiles, 4]."""
        of = buyers(profiles, self.at_ms)
        return np.column_stack([of.days, of.recency, of.age, of.value])


def judge(target: Target, points: PointsInTime, slices: Sequence[Slice]) -> tuple[dict[str, Metrics], dict[str, str]]:
    """Its line of the leaderboard, the mean over the slices, and why there is none, each by name and one of them empty.

    For conversion both are empty: most of those who might convert have never bought, of whom it knows nothing.
    """
    if not target.in_silence:
        return {}, {}
    try:
        # In search of its parameters the library steps out of their range now and then, and comes back.
        with np.errstate(all="ignore"):
            figures = [measure(target, s.y, predict(target, Buyers.of(points, s.cutoff_ms), s)) for s in slices]
    except (TooFewReturning, ConvergenceError, ValueError) as error:
        return {}, {NAME: " ".join(str(error).split()) or "it does not converge"}
    return {NAME: mean(figures)}, {}


def predict(target: Target, of: Buyers, rows: Slice) -> Vector:
    """The slice's predictions [n]: the expected spend, or the chance that a Poisson variable of the expected number of
    purchases is 0. Of those who never bought, none are expected.

    Raises TooFewReturning, or what the library raises where its search for the parameters does not end.
    """
    bought = np.flatnonzero(of.days > 0)
    fitted = bought[:: max(1, len(bought) // MOST_CUSTOMERS)]
    returning = fitted[of.days[fitted] > 1]
    if target.kind == "amount":
        returning = returning[of.value[returning] > 0]
    if len(returning) < FEWEST_RETURNING:
        spent = " and spent" if target.kind == "amount" else ""
        raise TooFewReturning(f"{len(returning)} buyers came back{spent}; {FEWEST_RETURNING} are needed")

    timing = BetaGeoFitter(PENALTY).fit(of.days[fitted] - 1, of.recency[fitted], of.age[fitted])
    expected = np.zeros(len(of.days))
    expected[bought] = timing.conditional_expected_number_of_purchases_up_to_time(
        target.horizon_days, of.days[bought] - 1, of.recency[bought], of.age[bought]
    )
    if target.kind == "probability":
        return np.exp(-expected[rows.customers])
    spending = GammaGammaFitter(PENALTY).fit(of.days[returning] - 1, of.value[returning])
    if spending.params_["q"] <= 1:
        raise ConvergenceError("its distribution of spend has no mean here")
    spend = spending.conditional_expected_average_profit(np.maximum(of.days - 1, 0), np.maximum(of.value, 0))
    amount: Vector = (expected * spend)[rows.customers]
    return amount


def buyers(profiles: Profiles, cutoff_ms: int) -> Buyers:
    """What the model knows of each profile at the cut-off (UTC milliseconds)."""
    rows = profiles.rows
    kept = (rows.kind == PURCHASE) & (rows.time_ms < cutoff_ms)
    owner = profiles.owner[kept]
    day = rows.time_ms[kept] // DAY_MS
    net = rows.net[kept] / MONEY_UNITS
    pairs, at = np.unique(np.column_stack([owner, day]), axis=0, return_inverse=True)
    spent = np.bincount(at.ravel(), net, minlength=len(pairs))
    who, when = pairs.T
    n = len(profiles)
    days = np.bincount(who, minlength=n).astype(float)
    first, last = np.full(n, np.inf), np.full(n, -np.inf)
    np.minimum.at(first, who, when)
    np.maximum.at(last, who, when)
    begins = np.diff(who, prepend=-1) > 0
    later = np.bincount(who[~begins], spent[~begins], minlength=n)
    none = days == 0
    return Buyers(
        days,
        np.where(none, 0, last - first),
        np.where(none, 0, cutoff_ms / DAY_MS - first),
        later / np.maximum(days - 1, 1),
    )
