"""How good predictions are, in figures and by groups of customers."""

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    mean_tweedie_deviance,
    roc_auc_score,
)

from training.prediction.calibration import TWEEDIE_POWER, Vector
from training.prediction.qini import by_weights
from training.prediction.targets import Target

LIFT_SHARE = 0.1
BINS = 10
LEAST = 1e-6
"""Amounts are held above this when the deviance is taken, which knows no zero."""

type Metrics = dict[str, float]


def measure(target: Target, y: Vector, predicted: Vector) -> Metrics:
    """How good the predictions [n] are: for probabilities AUC, average precision, lift, Brier score and log loss; for
    amounts Spearman's rank correlation, the mean absolute error, the Tweedie deviance and predicted over actual total;
    for uplift, of transformed outcomes, the area of Qini's curve above that of a ranking by chance.
    """
    predicted = predicted.astype(np.float64)
    if target.kind == "uplift":
        return {"rows": len(y), "effect": float(y.mean()), "gained_above_chance": by_weights(y, predicted)}
    if target.kind == "amount":
        positive = np.maximum(predicted, LEAST)
        return {
            "rows": len(y),
            "actual_total": float(y.sum()),
            "spearman": rank_correlation(y, predicted),
            "mean_absolute_error": float(np.abs(y - predicted).mean()),
            "deviance": float(mean_tweedie_deviance(np.maximum(y, 0), positive, power=TWEEDIE_POWER)),
            "total_ratio": float(predicted.sum() / y.sum()) if y.sum() else float("nan"),
        }
    top = np.argsort(-predicted, kind="stable")[: max(1, round(len(y) * LIFT_SHARE))]
    return {
        "rows": len(y),
        "positives": int(y.sum()),
        "base_rate": float(y.mean()),
        "auc": float(roc_auc_score(y, predicted)),
        "average_precision": float(average_precision_score(y, predicted)),
        "lift_at_10_percent": float(y[top].mean() / y.mean()),
        "brier": float(brier_score_loss(y, predicted)),
        "log_loss": float(log_loss(y, predicted, labels=[0, 1])),
    }


def rank_correlation(y: Vector, predicted: Vector) -> float:
    """Spearman's; NaN where either is the same for all, and so has no order."""
    return float(spearmanr(y, predicted).statistic) if np.ptp(y) and np.ptp(predicted) else float("nan")


def mean(figures: list[Metrics]) -> Metrics:
    """The mean of each figure over several slices; of rows, positives and totals the sum."""
    summed = ("rows", "positives", "actual_total")
    return {
        name: float(sum(each[name] for each in figures) / (1 if name in summed else len(figures)))
        for name in figures[0]
    }


def bins(y: Vector, predicted: Vector) -> list[tuple[float, float, int]]:
    """Mean prediction, mean outcome and rows of each tenth of the customers [n], by prediction."""
    order = np.array_split(np.argsort(predicted, kind="stable"), BINS)
    return [(float(predicted[part].mean()), float(y[part].mean()), len(part)) for part in order if len(part)]
