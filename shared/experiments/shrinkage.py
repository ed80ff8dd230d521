"""Effects of many segments, drawn towards what they have in common as far as chance alone tells them apart.

Empirical Bayes with the variance between segments as R. DerSimonian and N. Laird estimate it, Meta-analysis in clinical
trials, 1986.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shared.experiments.moments import Floats


def shrunk(differences: Sequence[float], errors: Sequence[float]) -> Floats:
    """The likeliest effect of each segment, given its own estimate, its standard error and those of all others [k].

    An estimate without an error stays as it is.
    """
    estimate, error = np.array(differences, float), np.array(errors, float)
    known = error > 0
    if known.sum() < 2:
        return estimate
    precision = np.divide(1.0, error**2, out=np.zeros(len(error)), where=known)
    between = _between(estimate[known], precision[known])
    weight = np.divide(1.0, error**2 + between, out=np.zeros(len(error)), where=known)
    common = float((weight * estimate).sum() / weight.sum())
    own = np.divide(between, between + error**2, out=np.ones(len(error)), where=known)
    towards: Floats = own * estimate + (1 - own) * common
    return towards


def _between(estimate: Floats, precision: Floats) -> float:
    """The variance between segments beyond what chance makes of them."""
    common = (precision * estimate).sum() / precision.sum()
    heterogeneity = float((precision * (estimate - common) ** 2).sum())
    scale = float(precision.sum() - (precision**2).sum() / precision.sum())
    return max(0.0, (heterogeneity - (len(estimate) - 1)) / scale) if scale > 0 else 0.0
