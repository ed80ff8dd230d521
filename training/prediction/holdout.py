"""The latest time slice of every target, kept with the bundle so that another bundle can be judged on the same rows."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shared.decisions.decision import iso
from shared.durations import DAY_MS
from training.data.preparation import Matrix
from training.prediction.models import Vector
from training.prediction.predictions import FittedTarget
from training.prediction.targets import PointsInTime

HOLDOUT_FILE = "holdout.npz"
KEPT_ROWS = 500_000
"""Rows of a target, at most, that are kept; drawn by chance where there are more."""


@dataclass(frozen=True)
class Holdout:
    """Rows of one target's latest slice."""

    X: Matrix
    """[n, n_features]"""
    y: Vector
    """What came of them [n]."""
    predicted: Vector
    """What the chosen kind of model, fitted on earlier slices alone, had predicted [n]."""

    def digest(self) -> str:
        """SHA-256 of rows and outcomes, hexadecimal: the same for whatever was judged on the same."""
        content = hashlib.sha256(np.ascontiguousarray(self.X).tobytes())
        content.update(np.ascontiguousarray(self.y).tobytes())
        return content.hexdigest()


def held_out(targets: Sequence[FittedTarget], points: PointsInTime, seed: int) -> dict[str, Holdout]:
    """The latest slice of every target that has a model, by the target's name."""
    return {
        fitted.target.name: _latest_slice(fitted, fitted.holdout, points, seed)
        for fitted in targets
        if fitted.holdout is not None
    }


def _latest_slice(fitted: FittedTarget, outcomes: tuple[Vector, Vector], points: PointsInTime, seed: int) -> Holdout:
    predicted, y = outcomes
    assert fitted.held_out is not None
    X = fitted.held_out
    kept = np.sort(np.random.default_rng(seed).permutation(len(y))[:KEPT_ROWS])
    return Holdout(X[kept], np.asarray(y, np.float64)[kept], np.asarray(predicted, np.float64)[kept])


def about(fitted: FittedTarget, holdout: Holdout, figures_after: Mapping[str, float]) -> dict[str, Any]:
    """What the manifest says of it; `figures_after` are those of the bundle itself, which was fitted on it too."""
    begin = fitted.cutoffs[0]
    until = begin + fitted.target.horizon_days * DAY_MS
    digest = holdout.digest()
    after = {name: round(value, 6) for name, value in figures_after.items()}
    return {"from": iso(begin), "until": iso(until), "rows": len(holdout.y), "sha256": digest, "figures_after": after}


def save(folder: Path, holdouts: Mapping[str, Holdout]) -> str:
    """Keeps the holdouts of the targets, by name; returns the file's SHA-256."""
    arrays = {
        f"{name}/{part}": getattr(holdout, part)
        for name, holdout in holdouts.items()
        for part in ("X", "y", "predicted")
    }
    np.savez_compressed(folder / HOLDOUT_FILE, allow_pickle=False, **arrays)
    with (folder / HOLDOUT_FILE).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load(folder: Path) -> dict[str, Holdout]:
    """The holdouts in a bundle's folder, by name of their target."""
    with np.load(folder / HOLDOUT_FILE, allow_pickle=False) as kept:
        names = dict.fromkeys(key.split("/")[0] for key in kept.files)
        return {name: Holdout(*(kept[f"{name}/{part}"] for part in ("X", "y", "predicted"))) for name in names}
