"""Whether two arms were told apart by lot: who was approached must not be told by what was known of them before."""

from dataclasses import dataclass
from math import erfc, sqrt

import numpy as np
from numpy.typing import NDArray

from shared.features import FEATURES
from training.data.preparation import Matrix

LEAST_DIFFERENCE = 0.1
"""Standard deviations by which the arms' means of a feature have to differ to count: what is smaller does no harm."""
CHANCE = 0.001
"""Of all features together."""
FEWEST_KNOWN = 20


@dataclass(frozen=True)
class Difference:
    """A feature in which the arms differ most."""

    feature: str
    shown: str
    treatment: float
    control: float
    deviations: float
    """Of the means, in standard deviations."""
    chance: float
    """That a lot would have brought one as large in any feature."""

    @property
    def is_no_chance(self) -> bool:
        """Whether it was no lot."""
        return abs(self.deviations) >= LEAST_DIFFERENCE and self.chance < CHANCE

    def __str__(self) -> str:
        return f"{self.shown.lower()}: {self.treatment:,.4g} of those approached, {self.control:,.4g} of the others"


def largest_difference(X: Matrix, treated: NDArray[np.bool_], group: NDArray[np.int64]) -> Difference:
    """The feature of the rows X [n, n_features] that tells the arms apart most, within groups that were each drawn by a
    lot of their own [n]."""
    n = len(treated)
    facts: list[tuple[float, int, list[float], float]] = []
    columns = np.concatenate([X, np.isnan(X).astype(np.float32)], axis=1).astype(np.float64)
    for j in range(columns.shape[1]):
        column = columns[:, j].copy()
        known = ~np.isnan(column)
        own = known & treated, known & ~treated
        if min(mask.sum() for mask in own) < FEWEST_KNOWN:
            continue
        means = [float(column[mask].mean()) for mask in own]
        for each in np.unique(group):
            inside = known & (group == each)
            if inside.any():
                column[inside] -= column[inside].mean()
        share = np.zeros(n)
        for each in np.unique(group):
            share[group == each] = treated[group == each].mean()
        deviation = float(column[known].std())
        if deviation == 0:
            continue
        # Of a lot within groups, this sum has mean 0 and the variance below.
        weight = treated - share
        total = float((weight * column)[known].sum())
        variance = float((share * (1 - share) * column**2)[known].sum())
        z = abs(total) / sqrt(variance) if variance else 0.0
        spread = float((share * (1 - share))[known].sum())
        facts.append((z, j, means, total / spread / deviation if spread else 0.0))
    ranked = sorted(facts, key=lambda fact: (-(abs(fact[3]) >= LEAST_DIFFERENCE), -fact[0]))
    if not ranked:
        return Difference("", "nothing", 0.0, 0.0, 0.0, 1.0)
    z, j, means, deviations = ranked[0]
    feature = FEATURES[j % X.shape[1]]
    shown = feature.shown if j < X.shape[1] else f"share without {feature.shown.lower()}"
    chance = min(1.0, len(facts) * erfc(z / sqrt(2)))
    return Difference(feature.name, shown, means[0], means[1], deviations, chance)
