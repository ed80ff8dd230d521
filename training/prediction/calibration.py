"""From a margin to a prediction: Platt's sigmoid or an isotonic curve for probabilities, a scale for amounts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression, TweedieRegressor

from training.base.config import Config

type Vector = NDArray[np.float64]
type Kind = Literal["probability", "amount", "uplift"]

TWEEDIE_POWER = 1.5
"""Between 1 and 2: mostly zeros, and otherwise amounts with a long tail."""
BLOCKS = 40
"""Margins are pooled into this many groups of equal weight of the rarer outcome before the curve is fitted."""
ROUNDING = 1e-9
STEEPEST = 10.0
"""Largest rise of the curve over a distance as long as the largest margin. A steeper one would move a prediction by
more than a hundred-thousandth where ONNX Runtime differs in the last digits of a margin."""
CLOSEST = 1e-4
"""Points of the curve are at least this share of the largest margin apart, so that they stay apart in float32."""


@dataclass(frozen=True)
class Scaled:
    """link(slope * margin + offset); the link is the sigmoid (Platt's calibration), for amounts exp, and of uplift
    none."""

    kind: Kind
    slope: float = 1.0
    offset: float = 0.0

    @property
    def name(self) -> str:
        """What the calibration is called."""
        return {"probability": "platt", "amount": "scale", "uplift": "none"}[self.kind]

    def __call__(self, margin: Vector) -> Vector:
        """Probabilities, or amounts in the data's currency [n]."""
        return link(self.kind, self.slope * margin + self.offset)


@dataclass(frozen=True)
class Isotonic:
    """A rising curve through the points (x, y) [k], straight between them and flat beyond its ends."""

    x: Vector
    y: Vector
    name: str = "isotonic"

    def __call__(self, margin: Vector) -> Vector:
        """Probabilities [n]."""
        return np.interp(margin, self.x, self.y)


type Calibration = Scaled | Isotonic


def link(kind: Kind, margin: Vector) -> Vector:
    """The prediction that a calibrated margin stands for [n]."""
    if kind == "uplift":
        return margin
    # tanh is the sigmoid that cannot overflow.
    return 0.5 * (1 + np.tanh(0.5 * margin)) if kind == "probability" else np.exp(margin)


def calibrated(
    kind: Kind, margin: Vector, y: Vector, weight: Vector, part: NDArray[np.int64], config: Config
) -> Calibration:
    """The calibration for held-out margins, their outcomes and weights [n].

    For probabilities Platt's or the isotonic one, whichever has the lower Brier score when fitted without the `part`
    [n] of the rows it is judged on; Platt's where the rarer outcome has under `isotonic_minimum` rows.
    """
    if kind == "amount":
        return scale(margin, y, weight)
    rarer = min((y > 0).sum(), (y <= 0).sum())
    if rarer < config.isotonic_minimum or len(set(part.tolist())) < 2:
        return platt(margin, y, weight)
    scores = []
    for fit in (platt, isotonic):
        errors = [
            _error(fit(margin[~own], y[~own], weight[~own])(margin[own]), y[own], weight[own]) for own in _own(part)
        ]
        scores.append((sum(errors), fit))
    return min(scores, key=lambda score: score[0])[1](margin, y, weight)


def _own(part: NDArray[np.int64]) -> Sequence[NDArray[np.bool_]]:
    return [part == number for number in np.unique(part)]


def _error(predicted: Vector, y: Vector, weight: Vector) -> float:
    return float(weight @ (predicted - y) ** 2)


def platt(margin: Vector, y: Vector, weight: Vector) -> Scaled:
    """The sigmoid under which the outcomes [n] are most likely; where it would not rise, the base rate for everyone."""
    mean = margin.mean()
    deviation = margin.std() or 1.0
    fitted = LogisticRegression(C=1e6, max_iter=1000).fit((margin - mean)[:, None] / deviation, y, sample_weight=weight)
    slope = float(fitted.coef_[0, 0] / deviation)
    if slope <= 0:
        rate = np.average(y, weights=weight)
        return Scaled("probability", 0.0, float(np.log(rate / (1 - rate))))
    return Scaled("probability", slope, float(fitted.intercept_[0] - slope * mean))


def isotonic(margin: Vector, y: Vector, weight: Vector) -> Isotonic:
    """Centred isotonic regression: the steps of the ordinary one, joined by lines through their centres, so that
    customers of different margins keep their order. Every step counts one row more, of the base rate.
    """
    order = np.argsort(margin, kind="stable")
    margin, y, weight = margin[order], y[order], weight[order]
    rate = np.average(y, weights=weight)
    rare = weight * (y if rate < 0.5 else 1 - y)
    passed = (np.cumsum(rare) - rare) / rare.sum()
    # A group begins where the margin differs from the one before, so that no two points share a place.
    begins = np.diff(margin, prepend=margin[0]) > 0
    group = np.maximum.accumulate(np.where(begins, (passed * BLOCKS + ROUNDING).astype(np.int64), 0))
    x, level, total = _pooled(margin, y, weight, np.unique(group, return_inverse=True)[1])
    smoothed = (level * total + rate) / (total + 1)
    steps = IsotonicRegression().fit_transform(x, smoothed, sample_weight=total)
    step = np.cumsum(np.diff(steps, prepend=steps[0]) > 0)
    curve = _gentle(*_pooled(x, steps, total, step), float(np.abs(margin).max()))
    return _reaching(curve, float(margin[0]), float(margin[-1]))


def _gentle(x: Vector, y: Vector, weight: Vector, reach: float) -> Isotonic:
    """Joins neighbouring points until the curve is nowhere too steep; float32 holds what is left."""
    while len(x) > 1:
        apart = np.diff(x)
        excess = np.maximum(np.diff(y) * reach / STEEPEST, CLOSEST * reach) - apart
        if excess.max() <= 0:
            break
        after = np.arange(len(x)) > excess.argmax()
        x, y, weight = _pooled(x, y, weight, np.arange(len(x)) - after)
    if len(x) == 1:
        x, y = np.array([x[0], x[0] + max(reach, 1.0)]), np.repeat(y, 2)
    return Isotonic(x, y)


def _reaching(curve: Isotonic, lowest: float, highest: float) -> Isotonic:
    """Draws the curve on to the lowest and the highest margin, so that customers beyond its ends keep their order.

    It goes on as steeply as at its end, but at most half the way to 0 or 1.
    """
    x, y = curve.x, curve.y
    slope = np.diff(y)[[0, -1]] / np.diff(x)[[0, -1]]
    apart = CLOSEST * max(abs(lowest), abs(highest))
    if x[0] - lowest > apart:
        x, y = np.append(lowest, x), np.append(max(y[0] - slope[0] * (x[0] - lowest), y[0] / 2), y)
    if highest - x[-1] > apart:
        x, y = np.append(x, highest), np.append(y, min(y[-1] + slope[1] * (highest - x[-1]), (1 + y[-1]) / 2))
    return Isotonic(x.astype(np.float32).astype(np.float64), y.astype(np.float32).astype(np.float64))


def _pooled(x: Vector, y: Vector, weight: Vector, group: NDArray[np.int64]) -> tuple[Vector, Vector, Vector]:
    total = np.bincount(group, weight)
    return np.bincount(group, weight * x) / total, np.bincount(group, weight * y) / total, total


def scale(margin: Vector, y: Vector, weight: Vector) -> Scaled:
    """The slope that the amounts y [n] ask for by Tweedie's deviance, and the offset that makes the totals agree."""
    mean = margin.mean()
    deviation = margin.std() or 1.0
    unit = np.average(y, weights=weight)
    fitted = TweedieRegressor(power=TWEEDIE_POWER, link="log", alpha=0.0, max_iter=1000)
    slope = float(fitted.fit((margin - mean)[:, None] / deviation, y / unit, sample_weight=weight).coef_[0] / deviation)
    slope = slope if slope > 0 else 1.0
    return levelled(Scaled("amount", slope, -slope * mean), margin, y, weight)


def levelled(scaled: Scaled, margin: Vector, y: Vector, weight: Vector) -> Scaled:
    """The same for amounts, by another offset: the one that makes the totals of rows of this `weight` [n] agree."""
    missing = np.average(y, weights=weight) / np.average(scaled(margin), weights=weight)
    return replace(scaled, offset=scaled.offset + float(np.log(missing)))
