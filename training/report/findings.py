"""What report.html shows beyond the manifest: where customers lie, what predictions rest on, what came of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.decisions.intent import intents
from shared.models.bundle import Bundle
from training.base.config import Config
from training.base.progress import progress
from training.data.preparation import Matrix
from training.prediction.holdout import Holdout
from training.prediction.importance import importance
from training.prediction.models import Model
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
    X: Matrix,
    segmentation: Segmentation,
    heights: NDArray[np.float64],
    leaderboard: Sequence[Mapping[str, Any]],
    models: Mapping[str, Model],
    holdouts: Mapping[str, Holdout],
    config: Config,
) -> Findings:
    """The findings on the customers X [n, n_features]; `models` are keyed by output, `holdouts` by target."""
    decisions = bundle.decide(X)
    some = np.sort(np.random.default_rng(config.seed).permutation(len(X))[:MAPPED_CUSTOMERS])
    resting: dict[str, dict[str, float]] = {}
    with progress("weighing features", len(holdouts)) as advance:
        for target, holdout in holdouts.items():
            model = models[bundle.manifest["targets"][target]["output"]]
            resting[target] = importance(model, holdout, config.seed)
            advance(1, target)
    points = segmentation.components(X[some])[:, :2]
    explained = segmentation.pca.explained_variance_ratio_[:2].tolist()
    # Where one axis says enough of how customers differ, they lie on a line.
    missing = 2 - len(explained)
    return Findings(
        heights,
        np.pad(points, ((0, 0), (0, missing))),
        decisions.segment[some],
        explained + [0.0] * missing,
        leaderboard,
        holdouts,
        resting,
        Counter(intents(decisions, X, bundle.manifest)),
    )
