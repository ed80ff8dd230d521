"""How likely a product is bought, by boosted trees: for what speaks together in other ways than by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAVES = 8
"""Of a tree, at most: as many as a byte has bits."""
ALL = 2**LEAVES - 1
_LOWEST = np.array([max(number & -number, 1).bit_length() - 1 for number in range(ALL + 1)])
"""By a byte, which is its lowest bit that is set."""

type Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Trees:
    """Boosted trees, all of whose conditions are looked at together: each strikes out the leaves that it leads away
    from, and the first that is left is the tree's (C. Lucchese et al., QuickScorer, SIGIR 2015).
    """

    signal: NDArray[np.int64]
    """The column that each condition looks at [n_trees, LEAVES - 1]."""
    limit: Numbers
    """Up to it nothing is struck out; infinite of conditions that a tree lacks [n_trees, LEAVES - 1]."""
    kept: NDArray[np.uint8]
    """The leaves, a bit each, that are left beyond it [n_trees, LEAVES - 1]."""
    leaf: Numbers
    """Log-odds that each leaf adds [n_trees, LEAVES]."""
    base: float
    """Log-odds that all trees are added to."""

    def log_odds(self, signals: Numbers) -> Numbers:
        """Of a purchase, given signals [m, n_signals]."""
        trees = len(self.leaf)
        beyond = signals[:, self.signal.ravel()] > self.limit.ravel()
        left = np.where(beyond, self.kept.ravel(), np.uint8(ALL)).reshape(len(signals), trees, LEAVES - 1)
        which = _LOWEST[np.bitwise_and.reduce(left, axis=2)]
        total: Numbers = self.base + self.leaf[np.arange(trees), which].sum(axis=1)
        return total
