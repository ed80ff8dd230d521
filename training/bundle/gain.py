"""How much better predictions are than others of the same rows, and how far chance moves that."""

from collections.abc import Mapping

import numpy as np

from training.prediction.metrics import measure
from training.prediction.models import Vector
from training.prediction.targets import Target

HIGHER_IS_BETTER = {"auc": 0.5, "average_precision": 0.0, "spearman": 0.0, "gained_above_chance": 0.0}
"""Figures that decide, with what they are by chance."""
LOWER_IS_BETTER = ("brier", "mean_absolute_error")
RESAMPLES = 60
"""From which a standard error is known to a tenth."""
MOST_ROWS = 50_000
"""Samples of more take minutes; an error is known from a part as well, as it falls with the square root of the rows."""
SEED = 11

type Figures = Mapping[str, float | None]


def gain(ours: Figures, live: Figures) -> float:
    """How much better our figures are than the live one's: the mean share of how far those are from chance, or from 0.

    Figures that only one of them has do not count; 0 without any.
    """
    shares = []
    for name, chance in {**HIGHER_IS_BETTER, **dict.fromkeys(LOWER_IS_BETTER)}.items():
        mine, theirs = ours.get(name), live.get(name)
        if mine is None or theirs is None or not np.isfinite([mine, theirs]).all():
            continue
        better = theirs - mine if chance is None else mine - theirs
        shares.append(better / max(abs(theirs - (chance or 0.0)), 1e-9))
    return sum(shares) / len(shares) if shares else 0.0


def standard_error(target: Target, y: Vector, ours: Vector, live: Vector) -> float:
    """Of the gain over the outcomes y [n] of two predictions [n] each: its spread over samples of the rows, drawn with
    replacement, which are the same for both."""
    step = -(-len(y) // MOST_ROWS)
    y, ours, live = y[::step], ours[::step], live[::step]
    random = np.random.default_rng(SEED)
    gains = []
    for _ in range(RESAMPLES):
        rows = random.integers(len(y), size=len(y))
        if len(np.unique(y[rows])) > 1:
            gains.append(gain(measure(target, y[rows], ours[rows]), measure(target, y[rows], live[rows])))
    return float(np.std(gains) / np.sqrt(step)) if len(gains) > 1 else 0.0
