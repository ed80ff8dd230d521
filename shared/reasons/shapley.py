"""Exact interventional Shapley values of trees and of linear models."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import factorial

import numpy as np
from numpy.typing import NDArray

from shared.reasons.nearest import Preparation, Row, Vector

LEAVES_AT_ONCE = 256
"""Leaves whose answers are worked out together, which bounds the memory."""


@dataclass(frozen=True)
class Trees:
    """An ensemble as its leaves: each is a value, and a condition on every feature that the way to it asks for.

    Leaves that ask for fewer than m features are filled up with conditions that everyone meets.
    """

    feature: NDArray[np.int64]
    """[n_leaves, m]"""
    low: Row
    high: Row
    """low <= x < high [n_leaves, m]"""
    undefined: NDArray[np.bool_]
    """Whether NaN meets the condition [n_leaves, m]."""
    value: Vector
    """[n_leaves]"""
    shares: Vector
    """Share of the background that meets each set of a leaf's conditions, a set's bit k standing for the k-th
    [n_leaves, 2 ** m]."""
    base: float

    @cached_property
    def baseline(self) -> float:
        """Mean margin of the background."""
        return self.base + float(self.value @ self.shares[:, -1])

    def margin(self, x: Row) -> float:
        """Of one customer."""
        return self.base + float(self.value @ self._met(x).all(axis=1))

    def contributions(self, x: Row) -> Vector:
        """Interventional Shapley values of the margin [n_features]: they sum to margin less baseline.

        The features S of `x` make a leaf worth its value times the share of the background that meets what is left of
        its conditions, if `x` meets those of S. Only the leaf's own features count, so its Shapley values are a sum
        over 2 ** m sets. H. Laberge and Y. Pequignot, Understanding Interventional TreeSHAP, arXiv:2209.15123.
        """
        m = self.feature.shape[1]
        met = self._met(x) @ (1 << np.arange(m))
        each = self._by_met[np.arange(len(met)), met]
        return np.bincount(self.feature.ravel(), each.ravel(), minlength=len(x))

    @cached_property
    def _by_met(self) -> Vector:
        # Of each leaf, for each set of its conditions that a customer may meet, its features' values
        # [n_leaves, 2 ** m, m]: worked out once a bundle.
        inside, weights = _games(self.feature.shape[1])
        blocks = range(0, len(self.value), LEAVES_AT_ONCE)
        return np.concatenate([(inside * self._worth[i : i + LEAVES_AT_ONCE, None, :]) @ weights for i in blocks])

    @cached_property
    def _worth(self) -> Vector:
        # Of each leaf by the set of conditions that the customer stands for, if they meet them.
        return np.ascontiguousarray(self.shares[:, ::-1] * self.value[:, None])

    def _met(self, x: Row) -> NDArray[np.bool_]:
        asked = x[self.feature]
        met: NDArray[np.bool_] = ((asked >= self.low) & (asked < self.high)) | (self.undefined & np.isnan(asked))
        return met


_GAMES: dict[int, tuple[Vector, Vector]] = {}


def _games(m: int) -> tuple[Vector, Vector]:
    """For m players: which sets lie in which, as 1 and 0 [2 ** m, 2 ** m], and how much each set counts for each
    player's Shapley value [2 ** m, m]."""
    if m not in _GAMES:
        sets = np.arange(1 << m)
        size = np.array([int(s).bit_count() for s in sets])
        joins = np.array([factorial(max(s - 1, 0)) * factorial(m - s) for s in size]) / factorial(m)
        leaves = np.array([factorial(s) * factorial(max(m - s - 1, 0)) for s in size]) / factorial(m)
        has = (sets[:, None] >> np.arange(m)) & 1 == 1
        _GAMES[m] = ((sets & ~sets[:, None] == 0).astype(np.float64), np.where(has, joins[:, None], -leaves[:, None]))
    return _GAMES[m]


@dataclass(frozen=True)
class Linear:
    """A linear model on prepared features."""

    prepare: Preparation
    coefficients: Vector
    intercept: float
    average: Vector
    """Mean of the background's prepared features [n_features]."""

    @property
    def baseline(self) -> float:
        """Mean margin of the background."""
        return float(self.average @ self.coefficients) + self.intercept

    def margin(self, x: Row) -> float:
        """Of one customer."""
        return float(self.prepare(x).astype(np.float64) @ self.coefficients) + self.intercept

    def contributions(self, x: Row) -> Vector:
        """Shapley values of the margin [n_features]: coefficient times what is above the background's mean."""
        return self.coefficients * (self.prepare(x) - self.average)
