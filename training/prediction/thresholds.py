"""What intents are decided by: thresholds that meet a wanted precision or a budget on the latest slice."""

from collections.abc import Sequence

import numpy as np

from shared.features import FEATURE_NAMES
from training.base.config import Config
from training.data.preparation import Matrix
from training.prediction.calibration import Vector
from training.prediction.predictions import FittedTarget
from training.prediction.targets import Target

INTENTS = {"churn": "likely_to_churn", "conversion": "likely_to_convert", "ltv": "high_value"}
"""The threshold that each target's latest slice decides."""
FEWEST = 30
"""Customers above a threshold, at least, for its precision to mean something."""


def thresholds(X: Matrix, targets: Sequence[FittedTarget], config: Config) -> dict[str, float]:
    """By name, what intents are decided by: the config's days, the orders within a year that `loyal_share` of the
    customers X [n, n_features] reach, and a prediction for each target that has a model."""
    orders = X[:, FEATURE_NAMES.index("orders_365d")]
    return {
        "dormant_days": float(config.dormant_days),
        "newcomer_days": float(config.newcomer_days),
        "sure_to_convert": config.sure_to_convert,
        "expected_to_leave": config.expected_to_leave,
        "loyal_orders": max(2.0, float(np.quantile(orders, 1 - config.loyal_share))),
        **{
            intent: threshold(fitted, config)[0]
            for fitted in targets
            if fitted.holdout is not None and (intent := intent_of(fitted.target)) is not None
        },
    }


def intent_of(target: Target) -> str | None:
    """The intent that the target decides, if any."""
    return INTENTS.get(target.name, target.entry.intent)


def threshold(fitted: FittedTarget, config: Config) -> tuple[float, str]:
    """The lowest prediction that marks a customer, and what it was chosen for: the wanted precision where one is set
    and can be had, else the budget, a share of the customers to whom the rule comes."""
    predicted, y = _asked(fitted, config)
    intent = intent_of(fitted.target)
    wanted = getattr(config, f"{intent}_precision", 0.0)
    if wanted and (lowest := lowest_for(wanted, predicted, y)) is not None:
        return lowest, f"a precision of {wanted:g}"
    share = getattr(config, f"{intent}_share", fitted.target.entry.share)
    missed = f"; a precision of {wanted:g} is out of reach" if wanted else ""
    return float(np.quantile(predicted, 1 - share)), f"a share of {share:g}{missed}"


def lowest_for(precision: float, predicted: Vector, y: Vector) -> float | None:
    """The lowest threshold such that the outcome is 1 for a share of at least `precision` of those at or above it; None
    where there is none. `predicted` and `y` are of the same customers [n]."""
    order = np.argsort(-predicted, kind="stable")
    ranked = predicted[order]
    reached = np.cumsum(y[order]) / np.arange(1, len(y) + 1) >= precision
    # Equal predictions are marked together.
    reached &= np.append(ranked[1:] < ranked[:-1], True)
    reached[: FEWEST - 1] = False
    return float(ranked[np.flatnonzero(reached)[-1]]) if reached.any() else None


def _asked(fitted: FittedTarget, config: Config) -> tuple[Vector, Vector]:
    """Of the latest slice, predictions and outcomes of those whom no rule before takes: who is neither dormant nor, for
    conversion, sure to convert. Of everybody, where that leaves too few."""
    assert fitted.holdout is not None
    predicted, y = fitted.holdout
    asked = np.ones(len(y), bool)
    if fitted.held_out is not None:
        asked &= ~(fitted.held_out[:, FEATURE_NAMES.index("days_since_visit")] >= config.dormant_days)
    if fitted.target.name == "conversion":
        asked &= predicted < config.sure_to_convert
    return (predicted[asked], y[asked]) if asked.sum() >= FEWEST else (predicted, y)


def reached(fitted: FittedTarget, config: Config) -> dict[str, float | str]:
    """What the threshold picks out of the latest slice: its share, and of what kind."""
    value, chosen_for = threshold(fitted, config)
    predicted, y = _asked(fitted, config)
    above = predicted >= value
    figures: dict[str, float | str] = {"value": value, "chosen_for": chosen_for, "share": float(above.mean())}
    if fitted.target.kind != "probability":
        return {**figures, "share_of_total": float(y[above].sum() / y.sum())}
    return {**figures, "precision": float(y[above].mean()), "recall": float(y[above].sum() / y.sum())}
