"""How likely a product is bought: a sum of broken lines, one for each thing that speaks for it or against it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

type Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Blend:
    """A generalised additive model (T. Hastie and R. Tibshirani, 1986): beyond their ends its lines go on level, so
    that what training never saw counts as the most that it saw."""

    knots: Numbers
    """Where each signal's line breaks, ascending [n_signals, n_knots]."""
    values: Numbers
    """Log-odds there [n_signals, n_knots]."""
    base: float
    """Log-odds that all lines are added to."""

    def contributions(self, signals: Numbers) -> Numbers:
        """What each signal adds to the log-odds [m, n_signals]."""
        lines = zip(signals.T, self.knots, self.values, strict=True)
        return np.column_stack([np.interp(*line) for line in lines])

    def log_odds(self, signals: Numbers) -> Numbers:
        """Of a purchase, given signals [m, n_signals]."""
        total: Numbers = self.base + self.contributions(signals).sum(axis=1)
        return total


def probability(log_odds: Numbers) -> Numbers:
    """From log-odds."""
    share: Numbers = 0.5 * (1 + np.tanh(0.5 * log_odds))
    return share
