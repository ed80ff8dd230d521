"""Rolling origin: every candidate predicts the latest slices, each by a model of what was known before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.durations import DAY_MS
from training.base.config import Config
from training.data.preparation import Matrix
from training.prediction.calibration import Calibration, Scaled, Vector, calibrated, levelled
from training.prediction.candidates import Estimator, fit_all
from training.prediction.metrics import Metrics, mean, measure
from training.prediction.targets import Slice, Target

EARLIER_COUNTS = 0.5
"""How much a slice counts for the level of amounts, for each one after it: spend follows the latest months."""
CUSTOMER_FOLDS = 3
"""Parts of a single judged slice that are calibrated without each other."""


@dataclass(frozen=True)
class Sample:
    """Rows of several slices to fit a model on; all are of length n."""

    X: Matrix
    y: Vector
    weight: Vector
    """How many rows each stands for."""


@dataclass(frozen=True)
class Judged:
    """What one candidate predicted for slices that it did not know."""

    calibration: Calibration
    """From all of its margins; the level of amounts from the latest ones more than from others."""
    predicted: list[Vector]
    """For each slice, latest first, with a calibration that did not see the slice."""
    figures: list[Metrics]
    """Of each slice."""
    estimators: list[Estimator]
    """What each slice was predicted by."""

    def mean(self) -> Metrics:
        """The figures' mean over the slices."""
        return mean(self.figures)


def origins(target: Target, slices: Sequence[Slice], config: Config) -> list[tuple[Slice, list[Slice]]]:
    """The latest slices, latest first, each with those whose outcomes were complete at its cut-off.

    A slice is left out where either has none of what the target is about, or for probabilities nothing else.
    """
    rounds = []
    for judged in slices[: config.validation_slices]:
        known = [s for s in slices if s.cutoff_ms + target.horizon_days * DAY_MS <= judged.cutoff_ms]
        if known and all(_varied(target, y) for y in (judged.y, np.concatenate([s.y for s in known]))):
            rounds.append((judged, known))
    return rounds


def judge(target: Target, rounds: Sequence[tuple[Slice, list[Slice]]], config: Config) -> dict[str, Judged]:
    """Every candidate on the slices of `origins`, by name."""
    estimators: dict[str, list[Estimator]] = {}
    for _, known in rounds:
        before = sample(target, known, config)
        for name, model in fit_all(target.task, before.X, before.y, before.weight, config).items():
            estimators.setdefault(name, []).append(model)
    slices = [judged for judged, _ in rounds]
    return {name: _judged(target, slices, each, config) for name, each in estimators.items()}


def _judged(target: Target, slices: Sequence[Slice], estimators: list[Estimator], config: Config) -> Judged:
    margin = np.concatenate([model.margin(s.X) for model, s in zip(estimators, slices, strict=True)])
    y = _amounts(target, slices)
    rows = [len(s.y) for s in slices]
    by_slice = np.repeat(np.arange(len(slices)), rows)
    # With one slice to judge, parts of its customers stand in for slices.
    part = by_slice if len(slices) > 1 else slices[0].customers % CUSTOMER_FOLDS
    predicted = np.empty(len(y))
    for number in np.unique(part):
        own = part == number
        fitted = _calibration(target, margin[~own], y[~own], part[~own], config)
        predicted[own] = fitted(margin[own])
    each = np.split(predicted, np.cumsum(rows)[:-1])
    figures = [measure(target, s.y, p) for s, p in zip(slices, each, strict=True)]
    calibration = _calibration(target, margin, y, part, config)
    if isinstance(calibration, Scaled) and target.kind == "amount":
        kept, weight = thinned(y, config)
        calibration = levelled(calibration, margin[kept], y[kept], weight * EARLIER_COUNTS ** by_slice[kept])
    return Judged(calibration, each, figures, estimators)


def _calibration(target: Target, margin: Vector, y: Vector, part: NDArray[np.int64], config: Config) -> Calibration:
    kept, weight = thinned(y, config)
    return calibrated(target.kind, margin[kept], y[kept], weight, part[kept], config)


def sample(target: Target, slices: Sequence[Slice], config: Config) -> Sample:
    """The slices' rows, thinned where there are too many."""
    y = _amounts(target, slices)
    kept, weight = thinned(y, config)
    begins = np.cumsum([0, *(len(s.y) for s in slices)])
    own = np.split(kept, np.searchsorted(kept, begins[1:-1]))
    X = np.concatenate([s.X[rows - begin] for s, rows, begin in zip(slices, own, begins[:-1], strict=True)])
    return Sample(X, y[kept], weight)


def _amounts(target: Target, slices: Sequence[Slice]) -> Vector:
    y = np.concatenate([s.y for s in slices])
    # The Tweedie loss knows no negative amounts: who returns more than they buy is worth nothing.
    return np.maximum(y, 0) if target.kind == "amount" else y


def thinned(y: Vector, config: Config) -> tuple[NDArray[np.int64], Vector]:
    """Rows to fit on [m] of those whose outcomes are `y` [n], and how many rows each of them stands for [m].

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


def winner(target: Target, leaderboard: Mapping[str, Metrics], config: Config) -> str:
    """The best candidate by the mean over the slices: of `choose_by` for probabilities, else of the deviance."""
    by = "deviance" if target.kind == "amount" else config.choose_by
    sign = 1 if by == "average_precision" else -1
    return max(leaderboard, key=lambda name: sign * leaderboard[name][by])


def _varied(target: Target, y: Vector) -> bool:
    return bool((y > 0).any() and (target.kind == "amount" or (y <= 0).any()))
