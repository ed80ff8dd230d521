"""What report.html shows beyond the manifest: where customers lie, what predictions rest on, what came of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.decisions.intent import intents
from shared.models.bundle import Bundle
from training.base.progress import progress
from training.bundle.fitted import Fitted
from training.data.preparation import Matrix
from training.prediction.holdout import Holdout
from training.prediction.importance import importance
from training.segmentation.segments import Segmentation

MAPPED_CUSTOMERS = 2_000
"""Customers on the map: more would hide each other."""


@dataclass(frozen=True)
class Findings:
    """The material of the report's plots and tables."""

    heights: NDArray[np.float64]
    """How far each segment lies from the average customer, in standard deviations [n_segments, n_features]."""
    points: Matrix
    """Some customers on the two main components [n, 2]."""
    segment: NDArray[np.int64]
    """Their segments [n]."""
    explained: Sequence[float]
    """Share of all differences that each of the two components tells."""
    leaderboard: Sequence[Mapping[str, Any]]
    """Everything that was tried."""
    holdouts: Mapping[str, Holdout]
    """The latest slice of every target that has a model."""
    importance: Mapping[str, Mapping[str, float]]
    """By target, what shuffling each feature costs."""
    intents: Mapping[str, int]
    """Customers by intent."""


def find(
    bundle: Bundle,
    fitted: Fitted,
    heights: NDArray[np.float64],
    leaderboard: Sequence[Mapping[str, Any]],
    holdouts: Mapping[str, Holdout],
    seed: int,
) -> Findings:
    """The findings on the customers that the bundle was fitted on; `holdouts` are keyed by target."""
    decisions = bundle.decide(fitted.X)
    some = np.sort(np.random.default_rng(seed).permutation(len(fitted.X))[:MAPPED_CUSTOMERS])
    points, explained = _map(fitted.segmentation, fitted.X[some])
    return Findings(
        heights,
        points,
        decisions.segment[some],
        explained,
        leaderboard,
        holdouts,
        _importance(fitted, holdouts, seed),
        Counter(intents(decisions, fitted.X, bundle.manifest)),
    )


def _map(segmentation: Segmentation, X: Matrix) -> tuple[Matrix, list[float]]:
    """The customers X [n, n_features] on the two main components [n, 2], and what share of differences each tells."""
    points = segmentation.components(X)[:, :2]
    explained = segmentation.pca.explained_variance_ratio_[:2].tolist()
    # Where one axis says enough of how customers differ, they lie on a line.
    missing = 2 - len(explained)
    return np.pad(points, ((0, 0), (0, missing))), explained + [0.0] * missing


def _importance(fitted: Fitted, holdouts: Mapping[str, Holdout], seed: int) -> dict[str, dict[str, float]]:
    """By target that has a holdout, what shuffling each feature costs."""
    models = {target.target.name: target.model for target in fitted.targets if target.model}
    losses: dict[str, dict[str, float]] = {}
    with progress("weighing features", len(holdouts)) as advance:
        for name, holdout in holdouts.items():
            losses[name] = importance(models[name], holdout, seed)
            advance(1, name)
    return losses
