"""Sampled Shapley values of a model that is neither trees nor linear, with how far they may be off."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from shared.reasons.nearest import Row, Vector

if TYPE_CHECKING:
    import onnxruntime

SEED = 7


@dataclass(frozen=True)
class Sampled:
    """A margin as a graph, explained by changing a customer into one of the background, feature by feature.

    Each of the background is come to once, on a way of its own: what the features add on it is what the customer's
    margin lies above that one's, so that the average over all ways sums to margin less baseline exactly. What is left
    to chance is the order of the features: E. Strumbelj and I. Kononenko, Explaining prediction models and individual
    predictions with feature contributions, KAIS 2014.
    """

    graph: bytes
    """From `features` [n, n_features] to `margin` [n, 1]."""
    background: Row
    """[n_background, n_features]."""

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        import onnxruntime as ort  # slow to load, and most look-ups need it for nothing

        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        return ort.InferenceSession(self.graph, options, providers=["CPUExecutionProvider"])

    @cached_property
    def _orders(self) -> np.ndarray:
        # The second of two ways goes through the features the other way round: what one overstates, that understates.
        random = np.random.default_rng(SEED)
        n, m = self.background.shape
        there = random.permuted(np.tile(np.arange(m), ((n + 1) // 2, 1)), axis=1)
        return np.concatenate([there, there[:, ::-1]])[:n]

    @cached_property
    def baseline(self) -> float:
        """Mean margin of the background."""
        return float(self.margins(self.background).mean())

    def margins(self, X: Row) -> Vector:
        """Of the rows X [n, n_features], [n]."""
        (margins,) = self._session.run(["margin"], {"features": np.ascontiguousarray(X, np.float32)})
        return np.asarray(margins, np.float64).ravel()

    def margin(self, x: Row) -> float:
        """Of one customer."""
        return float(self.margins(x[None])[0])

    def contributions(self, x: Row) -> Vector:
        """Estimated Shapley values of the margin [n_features]: they sum to margin less baseline."""
        return self._ways(x).mean(axis=0)

    def error(self, x: Row) -> float:
        """The largest standard error of the contributions."""
        ways = self._ways(x)
        half = len(ways) // 2
        pairs = (ways[:half] + ways[half : 2 * half]) / 2
        return float((pairs.std(axis=0, ddof=1) / np.sqrt(half)).max())

    def _ways(self, x: Row) -> Vector:
        """What each feature adds on each way [n_background, n_features]."""
        n, m = self.background.shape
        rows = np.repeat(self.background[:, None], m + 1, axis=1)
        for way, order in enumerate(self._orders):
            for passed, feature in enumerate(order.tolist(), 1):
                rows[way, passed:, feature] = x[feature]
        margins = self.margins(rows.reshape(-1, m)).reshape(n, m + 1)
        ways = np.empty((n, m))
        np.put_along_axis(ways, self._orders, np.diff(margins, axis=1), axis=1)
        return ways
