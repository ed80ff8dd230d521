"""How far two histograms lie apart, and how likely chance alone and the shop's own ups and downs put them there.

The distance is the population stability index, sum((p - q) * log(p / q)), Jeffreys' divergence. Between the histograms
of n and m draws of one distribution over k bins it is about (1/n + 1/m) times a chi-square of k - 1 degrees of freedom
(Yurdakul and Naranjo, Statistical properties of the population stability index, Journal of Risk Model Validation 2020):
so that what is chance among a thousand customers is a finding among a million.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

type Counts = NDArray[np.int64]
type Ups = NDArray[np.float64]

NONE_SEEN = 0.5
"""Added to each bin, so that an empty one is rare rather than impossible."""
MOST_FREEDOM = 1e5
"""Degrees of freedom from which on a variance counts as known."""


@dataclass(frozen=True, slots=True)
class Natural:
    """By how much the index goes up and down by itself, beyond what draws alone would make of it."""

    mean: float = 0.0
    """What it comes to on the average."""
    freedom: float = MOST_FREEDOM
    """How many independent looks that average is worth."""


def stability_index(now: Counts, before: Counts | Ups) -> float:
    """The population stability index of two histograms over the same bins [k each]."""
    p, q = _shares(now), _shares(before)
    return float(((p - q) * np.log(p / q)).sum())


def by_chance(bins: int, now: int, before: float) -> float:
    """What the index comes to between histograms of so many draws of one distribution."""
    return max(bins - 1, 1) * (1 / now + 1 / before)


def p_value(index: float, bins: int, chance: float, natural: Natural) -> float:
    """How likely it is that the index is at least so large where nothing has changed.

    Chance has bins - 1 directions; what is natural may all go in one, which is what makes its tail longest. The sum is
    taken for a multiple of one chi-square with the same mean and variance (Satterthwaite 1946), divided by a mean that
    is itself only known from so many looks: an F distribution.
    """
    mean = chance + natural.mean
    variance = chance**2 / max(bins - 1, 1) + natural.mean**2
    freedom = mean**2 / variance
    known = MOST_FREEDOM
    if natural.mean > 0:
        known = min(known, natural.freedom * (mean / natural.mean) ** 2)
    return f_tail(index / mean, freedom, known)


def which_fall(p_values: Sequence[float], rate: float) -> list[bool]:
    """Which of many hypotheses fall, so that of those that do at most a `rate` is true on the average, however they
    hang together (Benjamini and Yekutieli 2001). Where all are true, that is the probability that any falls."""
    number = len(p_values)
    harmonic = sum(1 / i for i in range(1, number + 1))
    in_order = sorted(p_values)
    below = [p for i, p in enumerate(in_order, 1) if p <= rate * i / (number * harmonic)]
    limit = below[-1] if below else -1.0
    return [p <= limit for p in p_values]


def f_tail(value: float, freedom: float, known: float) -> float:
    """The probability that an F of `freedom` and `known` degrees of freedom is larger."""
    if value <= 0:
        return 1.0
    both = known + freedom * value
    return _incomplete_beta(known / 2, freedom / 2, known / both, freedom * value / both)


def _shares(counts: Counts | Ups) -> NDArray[np.float64]:
    raised = np.asarray(counts, np.float64) + NONE_SEEN
    shares: NDArray[np.float64] = raised / raised.sum()
    return shares


def _incomplete_beta(a: float, b: float, x: float, rest: float) -> float:
    """The regularised incomplete beta function at x, of which `rest` is 1 - x to all its digits; by its continued
    fraction (Numerical Recipes, 6.4)."""
    if x <= 0 or rest <= 0:
        return float(rest <= 0)
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, rest, x)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest)
    return min(1.0, math.exp(front) * _fraction(a, b, x) / a)


def _fraction(a: float, b: float, x: float) -> float:
    """Lentz's method."""
    tiny = 1e-300
    c = 1.0
    d = 1 / _apart(1 - (a + b) * x / (a + 1), tiny)
    value = d
    for i in range(1, 5_000):
        even = i * (b - i) * x / ((a + 2 * i - 1) * (a + 2 * i))
        odd = -(a + i) * (a + b + i) * x / ((a + 2 * i) * (a + 2 * i + 1))
        for part in (even, odd):
            d = 1 / _apart(1 + part * d, tiny)
            c = _apart(1 + part / c, tiny)
            value *= d * c
        if abs(d * c - 1) < 1e-12:
            break
    return value


def _apart(value: float, tiny: float) -> float:
    """The value, or next to nothing in the place of nothing."""
    return value if abs(value) > tiny else tiny
