"""Where a customer lies outside what a bundle was trained on: which features, and how far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.features import FEATURE_NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOLERATED = 0.1
"""How far a value may lie beyond the range that training saw, in widths of that range."""
AGES = [FEATURE_NAMES.index(name) for name in ("tenure", "days_since_first_order")]
"""How long somebody is a customer, which grows for everybody whatever they do."""
UNKNOWN = {"least": None, "most": None, "undefined": True}
"""What is said of a feature that a bundle does not need, or that was undefined for everybody."""
MOST_NAMED = 10
"""Features, at most, that a decision names: the farthest."""


def beyond(features: NDArray[np.float32], manifest: Mapping[str, Any]) -> NDArray[np.float32]:
    """How far each value of `features` [n, len(FEATURE_NAMES)] lies beyond the range that the bundle of `manifest` was
    trained on, in widths of the range: 0 within it, infinite where it is undefined and never was in training.

    A feature that was the same for everybody tells the bundle nothing, and nothing of it is outside.
    """
    features = features[:, : len(FEATURE_NAMES)]
    ranges = manifest.get("trained_on", {})
    known = [ranges.get(name, UNKNOWN) for name in FEATURE_NAMES]
    least, most = (np.array([of[end] for of in known], np.float32) for end in ("least", "most"))
    never_undefined = np.array([not of["undefined"] for of in known])
    telling = least < most
    far = np.maximum(np.maximum(least - features, features - most), 0) / np.where(telling, most - least, 1)
    far = np.where(np.isnan(features), np.where(never_undefined, np.float32(np.inf), 0), far)
    return np.where(telling, far, np.float32(0))


def behaves_outside(features: NDArray[np.float32], manifest: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Whether what a customer did, or did not do, lies farther beyond what was trained on than is tolerated: any value
    of a row of `features` but their age [n]."""
    far = beyond(features, manifest)
    far[:, AGES] = 0
    outside: NDArray[np.bool_] = (far > TOLERATED).any(axis=1)
    return outside


def outside_training(features: NDArray[np.float32], manifest: Mapping[str, Any]) -> list[dict[str, float | None]]:
    """For each row of `features` [n, len(FEATURE_NAMES)], the values that lie outside by the feature's name, None where
    it is undefined; the farthest first."""
    far = beyond(features, manifest)
    outside: list[dict[str, float | None]] = [{} for _ in far]
    some = np.flatnonzero((far > TOLERATED).any(axis=1))  # few, of those whom a bundle was trained for
    order = np.argsort(-far[some], axis=1, kind="stable")[:, :MOST_NAMED]
    for i, columns in zip(some.tolist(), order.tolist(), strict=True):
        values, row = features[i], far[i]
        outside[i] = {
            FEATURE_NAMES[j]: float(str(values[j])) if np.isfinite(values[j]) else None
            for j in columns
            if row[j] > TOLERATED
        }
    return outside
