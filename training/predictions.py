"""Fitting a target: candidates judged on the latest time slice, the winner fitted again on all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score, brier_score_loss, mean_tweedie_deviance, roc_auc_score

from training.config import Config
from training.models import CANDIDATES, TWEEDIE_POWER, Model, Vector, fit_calibrated
from training.preparation import Matrix
from training.targets import DAY_MS, PointsInTime, Slice, Target, cutoffs

LIFT_SHARE = 0.1
BINS = 10


@dataclass(frozen=True)
class Outcome:
    """What came of one target: a model with its figures, or the reason why there is none."""

    target: Target
    reason: str | None = None
    model: Model | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    """Of the winner on the latest slice, fitted on slices whose labels were complete before it."""
    leaderboard: dict[str, dict[str, float]] = field(default_factory=dict)
    """Metrics of every candidate, by name."""
    bins: list[tuple[float, float, int]] = field(default_factory=list)
    """Mean prediction, mean outcome and rows for each tenth of the latest slice, by prediction."""
    holdout: tuple[Vector, Vector] | None = None
    """Predictions and labels of the latest slice."""
    cutoffs: list[int] = field(default_factory=list)
    """Of the slices behind the model, UTC milliseconds, latest first."""
    fitted: Matrix | None = None
    """The rows that the model was fitted on [n, n_features]."""


@dataclass(frozen=True)
class Sample:
    """Rows of several slices to fit a model on; all are of length n."""

    X: Matrix
    y: Vector
    weight: Vector
    """How many rows each stands for."""
    customers: NDArray[np.int64]


def fit_target(target: Target, points: PointsInTime, first_ms: int, end_ms: int, config: Config) -> Outcome:
    """Fits `target` on what the events from `first_ms` to `end_ms` (UTC milliseconds) support."""
    at = cutoffs(first_ms, end_ms, target.horizon_days, config)
    earlier = [cutoff for cutoff in at if cutoff + target.horizon_days * DAY_MS <= at[0]]
    if not earlier:
        needed = config.minimum_history_days + target.horizon_days + max(target.horizon_days, config.cutoff_every_days)
        return Outcome(target, f"the events span {(end_ms - first_ms) / DAY_MS:.0f} days; {needed} are needed")
    slices = [points.slice(target, cutoff) for cutoff in at]
    known = [s for s in slices if s.cutoff_ms in earlier]
    if reason := _unsupported(target, slices, known, config):
        return Outcome(target, reason)

    latest = slices[0]
    before = _sample(target, known, config)
    judged = {name: _fit(name, target, before, config).predict(latest.X) for name in CANDIDATES}
    leaderboard = {name: measure(target, latest.y, predicted) for name, predicted in judged.items()}
    winner = _winner(target, leaderboard, config)
    everything = _sample(target, slices, config)
    return Outcome(
        target,
        model=_fit(winner, target, everything, config),
        metrics=leaderboard[winner],
        leaderboard=leaderboard,
        bins=_bins(latest.y, judged[winner]),
        holdout=(judged[winner], latest.y),
        cutoffs=at,
        fitted=everything.X,
    )


def measure(target: Target, y: Vector, predicted: Vector) -> dict[str, float]:
    """How good the predictions [n] are: for probabilities AUC, average precision, lift and Brier score; for amounts
    Spearman's rank correlation, the mean absolute error, the Tweedie deviance and predicted over actual total."""
    if target.kind == "amount":
        return {
            "rows": len(y),
            "actual_total": float(y.sum()),
            "spearman": float(spearmanr(y, predicted).statistic),
            "mean_absolute_error": float(np.abs(y - predicted).mean()),
            "deviance": float(mean_tweedie_deviance(np.maximum(y, 0), predicted, power=TWEEDIE_POWER)),
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
    }


def _sample(target: Target, slices: Sequence[Slice], config: Config) -> Sample:
    X, y, customers = (np.concatenate([getattr(s, part) for s in slices]) for part in ("X", "y", "customers"))
    # The Tweedie loss knows no negative amounts: who returns more than they buy is worth nothing.
    y = np.maximum(y, 0) if target.kind == "amount" else y
    kept, weight = thinned(y, config)
    return Sample(X[kept], y[kept], weight, customers[kept])


def _fit(name: str, target: Target, rows: Sample, config: Config) -> Model:
    return fit_calibrated(name, target.kind, rows.X, rows.y, rows.weight, rows.customers, config)


def thinned(y: Vector, config: Config) -> tuple[NDArray[np.int64], Vector]:
    """Rows to fit on [m] of those labelled `y` [n], and how many rows each of them stands for [m].

    Where there are too many rows, as many of the rarer kind (positive or not) are kept as fill half the room.
    """
    if len(y) <= config.training_rows:
        return np.arange(len(y)), np.ones(len(y))
    rare = y > 0 if (y > 0).mean() < 0.5 else y <= 0
    rarer = int(rare.sum())
    kept_rare = min(rarer, config.training_rows / 2)
    share = np.where(rare, kept_rare / max(rarer, 1), (config.training_rows - kept_rare) / (len(y) - rarer))
    kept = np.flatnonzero(np.random.default_rng(config.seed).random(len(y)) < share)
    return kept, 1 / share[kept]


def _winner(target: Target, leaderboard: dict[str, dict[str, float]], config: Config) -> str:
    """The better candidate, by `choose_by` for probabilities and by the lower deviance for amounts."""
    by = "deviance" if target.kind == "amount" else config.choose_by
    sign = 1 if by == "average_precision" else -1
    return max(leaderboard, key=lambda name: sign * leaderboard[name][by])


def _unsupported(target: Target, slices: Sequence[Slice], known: Sequence[Slice], config: Config) -> str | None:
    positives = sum(int((s.y > 0).sum()) for s in slices)
    negatives = sum(len(s.y) for s in slices) - positives
    counts = {"with": positives} if target.kind == "amount" else {"with": positives, "without": negatives}
    for word, count in counts.items():
        if count < config.minimum_class_count:
            return f"only {count} rows {word} {target.meaning}; {config.minimum_class_count} are needed"
    for y in (slices[0].y, np.concatenate([s.y for s in known])):
        if (len(np.unique(y > 0)) < 2 and target.kind == "probability") or not (y > 0).any():
            return f"all rows of a time slice are alike in: {target.meaning}"
    return None


def _bins(y: Vector, predicted: Vector) -> list[tuple[float, float, int]]:
    order = np.array_split(np.argsort(predicted, kind="stable"), BINS)
    return [(float(predicted[part].mean()), float(y[part].mean()), len(part)) for part in order if len(part)]
