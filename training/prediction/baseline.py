"""The plain model that every bundle is held against: histogram gradient boosting on hand-made features.

Recency, frequency and money of the purchases and the visits are what an analyst computes in an afternoon; the boosting
is scikit-learn's, as it comes.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from shared.durations import DAY_MS
from shared.features import MONEY_UNITS, PURCHASE, Profiles
from training.base.config import Config
from training.prediction.calibration import Vector
from training.prediction.targets import Slice, Target

WINDOWS_DAYS = (30, 90, 365)


def predictions(target: Target, profiles: Profiles, known: list[Slice], rows: Slice, config: Config) -> Vector:
    """What the plain model, fitted on the slices `known`, predicts for the slice `rows` [n]."""
    X = np.concatenate([hand_made(profiles, s.cutoff_ms)[s.customers] for s in known])
    y = np.concatenate([s.y for s in known])
    asked = hand_made(profiles, rows.cutoff_ms)[rows.customers]
    if target.kind == "amount":
        predicted: Vector = HistGradientBoostingRegressor(random_state=config.seed).fit(X, y).predict(asked)
        return predicted
    return np.asarray(HistGradientBoostingClassifier(random_state=config.seed).fit(X, y).predict_proba(asked)[:, 1])


def hand_made(profiles: Profiles, cutoff_ms: int) -> NDArray[np.float64]:
    """Hand-made features of everyone at the cut-off (UTC ms) [n_profiles, 13].

    Five each of any events and of purchases: days since the last and since the first, NaN where there was none, and the
    days with one within each window. Then the spend within each window.
    """
    rows = profiles.rows
    n = len(profiles)
    before = rows.time_ms < cutoff_ms
    columns: list[NDArray[np.float64]] = []
    for kept in (before, before & (rows.kind == PURCHASE)):
        owner = profiles.owner[kept]
        age = (cutoff_ms - rows.time_ms[kept]) / DAY_MS
        last, first = np.full(n, np.inf), np.full(n, -np.inf)
        np.minimum.at(last, owner, age)
        np.maximum.at(first, owner, age)
        columns += [np.where(np.isfinite(last), last, np.nan), np.where(np.isfinite(first), first, np.nan)]
        days = np.unique(np.column_stack([owner, rows.time_ms[kept] // DAY_MS]), axis=0)
        for window in WINDOWS_DAYS:
            recent = days[days[:, 1] >= (cutoff_ms - window * DAY_MS) // DAY_MS, 0]
            columns.append(np.bincount(recent, minlength=n).astype(float))
    for window in WINDOWS_DAYS:
        recent = age <= window
        columns.append(np.bincount(owner[recent], rows.net[kept][recent], minlength=n) / MONEY_UNITS)
    return np.column_stack(columns)
