"""Of which customers of each segment a pattern of behaviour is true, each by what they did themselves."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from training.data.preparation import Matrix
from training.segmentation.facts import Facts, facts_of, typical
from training.segmentation.patterns import Mask, Pattern


class Truth:
    """Customers X [n, n_features] in segments, whose ids are `segment` [n]."""

    def __init__(self, segment: NDArray[np.int64], X: Matrix) -> None:
        ids, self._place = np.unique(segment, return_inverse=True)
        self.ids: list[int] = ids.tolist()
        self.sizes: list[int] = np.bincount(self._place).tolist()
        self._values = facts_of(X)
        self._holds: dict[Pattern, Mask] = {}
        self._n = len(X)

    @cached_property
    def everyone(self) -> Facts:
        """What is typical of all."""
        return {name: typical(name, values) for name, values in self._values.items()}

    @cached_property
    def typical(self) -> list[Facts]:
        """What is typical of each segment, in the order of ids."""
        members = [np.flatnonzero(self._place == n) for n in range(len(self.ids))]
        return [{name: typical(name, values[own]) for name, values in self._values.items()} for own in members]

    def holds(self, pattern: Pattern) -> Mask:
        """Of which customers the pattern is true [n]."""
        if pattern not in self._holds:
            self._holds[pattern] = pattern.holds(self._values, self.everyone)
        return self._holds[pattern]

    def shares(self, true: Mask) -> NDArray[np.float64]:
        """Of each segment, in the order of ids, the share of whom something is true [n_segments]."""
        shares: NDArray[np.float64] = np.bincount(self._place, true, minlength=len(self.ids)) / np.array(self.sizes)
        return shares

    def share_of_others(self, true: Mask, n: int) -> float:
        """Of everybody who is not in the nth segment, the share of whom it is true; 0 where there is nobody else."""
        others = self._n - self.sizes[n]
        return float(true[self._place != n].sum() / others) if others else 0.0
