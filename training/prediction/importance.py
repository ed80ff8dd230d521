"""Which features a prediction rests on: how much worse it gets when one is shuffled.

Permutation importance (Breiman, Random Forests, Machine Learning 45, 2001) through the fitted model, on the holdout.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from shared.features import FEATURE_NAMES
from training.prediction.holdout import Holdout
from training.prediction.models import Model, Vector

ROWS = 4_000
REPEATS = 3


def importance(model: Model, holdout: Holdout, seed: int) -> dict[str, float]:
    """Loss of AUC, or for amounts of Spearman's rank correlation, by shuffled feature; the largest first."""
    random = np.random.default_rng(seed)
    rows = _rows(holdout, model.kind == "probability", random)
    X, y = holdout.X[rows], holdout.y[rows]
    margin = model.margin(X)
    whole = _quality(model, margin, y)
    losses = {}
    for j, name in enumerate(FEATURE_NAMES):
        if np.ptp(np.nan_to_num(X[:, j], nan=-1)) == 0:
            continue
        shuffled = X.copy()
        qualities = []
        for _ in range(REPEATS):
            shuffled[:, j] = random.permutation(X[:, j])
            other = model.margin(shuffled)
            # Most models look at few features, and the same margins need no judging again.
            qualities.append(whole if np.array_equal(other, margin) else _quality(model, other, y))
        losses[name] = float(np.mean(whole - np.array(qualities)))
    return dict(sorted(losses.items(), key=lambda item: -item[1]))


def _rows(holdout: Holdout, balanced: bool, random: np.random.Generator) -> NDArray[np.int64]:
    """Rows to measure on; the AUC does not mind that the rarer outcome is kept and the other thinned."""
    drawn = random.permutation(len(holdout.y))
    if not balanced:
        return drawn[:ROWS]
    positive = holdout.y[drawn] > 0
    return np.concatenate([drawn[positive][: ROWS // 2], drawn[~positive][: ROWS // 2]])


def _quality(model: Model, margin: Vector, y: Vector) -> float:
    """The AUC, or Spearman's rank correlation, both from ranks alone: they are asked for hundreds of times."""
    predicted = model.calibration(margin)
    ranks = rankdata(predicted)
    if model.kind == "probability":
        positive = y > 0
        count = positive.sum()
        return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(y) - count)))
    return float(np.corrcoef(rankdata(y), ranks)[0, 1]) if np.ptp(predicted) else 0.0
