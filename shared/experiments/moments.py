"""Means and scatter of some columns of a group: all that every estimate needs, whatever the number of customers.

Groups are united without their rows, so that parts may be counted apart (T. Chan, G. Golub and R. LeVeque, Updating
Formulae and a Pairwise Algorithm for Computing Sample Variances, 1979).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Moments:
    """Of a group's rows, of k columns each."""

    n: int
    mean: Floats
    """[k]"""
    scatter: Floats
    """Sums of products of what columns differ from their means by [k, k]."""

    @classmethod
    def of(cls, rows: Floats) -> Self:
        """Of rows [n, k]."""
        mean = rows.mean(axis=0) if len(rows) else np.zeros(rows.shape[1])
        apart = rows - mean
        return cls(len(rows), mean, apart.T @ apart)

    @classmethod
    def none(cls, k: int) -> Self:
        """Of no rows of `k` columns."""
        return cls(0, np.zeros(k), np.zeros((k, k)))

    def __add__(self, other: Self) -> Self:
        n = self.n + other.n
        if not n:
            return self
        apart = other.mean - self.mean
        mean = self.mean + apart * (other.n / n)
        between = np.outer(apart, apart) * (self.n * other.n / n)
        return type(self)(n, mean, self.scatter + other.scatter + between)

    @property
    def covariance(self) -> Floats:
        """Of the columns [k, k]."""
        return self.scatter / max(1, self.n - 1)
