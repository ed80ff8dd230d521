"""How well a ranking finds those whom a campaign changes: Qini's curve and its coefficient, with an interval."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.prediction.calibration import Vector

type Mask = NDArray[np.bool_]

RESAMPLED = 200
USUAL = 1.96
"""Standard errors to either side of the interval that is told: 95 %."""
SURE = 3.29 * 2**0.5
"""Of the one that decides: 99.9 %, as several ways compete and shops train often. Parts of the customers that learn
from each other agree by chance where there is nothing to learn: each pair of parts counts twice, which doubles the
variance that resamples of the customers show."""


@dataclass(frozen=True)
class Qini:
    """A coefficient and its standard error: 0 is a ranking by chance, 1 the best that there is."""

    value: float
    error: float

    def interval(self, errors: float = USUAL) -> tuple[float, float]:
        """From where to where it may lie."""
        return self.value - errors * self.error, self.value + errors * self.error

    @property
    def is_sure(self) -> bool:
        """Whether it is above 0 beyond doubt."""
        return bool(self.value > 0 and self.interval(SURE)[0] > 0)


def curve(y: Vector, uplift: Vector, treated: Mask) -> tuple[Vector, Vector]:
    """Of the customers approached in the order of `uplift`, how many there are, and how many more did it than would
    have, by the control group. N. Radcliffe, Using Control Groups to Target on Predicted Lift, 2007."""
    order = np.argsort(-uplift, kind="stable")
    y, treated, uplift = y[order], treated[order], uplift[order]
    # Equal predictions are approached together.
    last = np.append(np.flatnonzero(np.diff(uplift)), len(y) - 1)
    n = 1.0 + last
    approached = np.cumsum(treated)[last].astype(float)
    with_it, without = np.cumsum(y * treated)[last], np.cumsum(y * ~treated)[last]
    held_back = n - approached
    would_have = np.divide(without * approached, held_back, out=np.zeros_like(n), where=held_back > 0)
    return np.append(0.0, n), np.append(0.0, with_it - would_have)


def coefficient(y: Vector, uplift: Vector, treated: Mask) -> float:
    """The area between the curve and a straight line, as a share of that of the best ranking: scikit-uplift's
    `qini_auc_score`."""
    best = np.where(treated, y, -y)
    areas = []
    for ranking in (uplift, best):
        n, gained = curve(y, ranking, treated)
        areas.append(float(np.trapezoid(gained, n)) - n[-1] * gained[-1] / 2)
    return float(areas[0] / areas[1]) if areas[1] else 0.0


def qini(y: Vector, uplift: Vector, treated: Mask, seed: int) -> Qini:
    """The coefficient of a ranking of customers [n] whom it did not know, and how far chance may have moved it: by
    customers drawn again from each arm."""
    random = np.random.default_rng(seed)
    arms = [np.flatnonzero(treated), np.flatnonzero(~treated)]
    again = []
    for _ in range(RESAMPLED):
        at = np.concatenate([random.choice(arm, len(arm)) for arm in arms])
        again.append(coefficient(y[at], uplift[at], treated[at]))
    return Qini(coefficient(y, uplift, treated), float(np.std(again)))


def by_weights(outcome: Vector, uplift: Vector) -> float:
    """The same area where all that is known of a customer is the transformed outcome, whose mean is what a campaign
    changes [n]; in what is gained of one customer."""
    order = np.argsort(-uplift, kind="stable")
    gained = np.cumsum(outcome[order]) / len(outcome)
    return float(gained.mean() - gained[-1] / 2)
