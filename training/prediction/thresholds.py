"""What intents are decided by: thresholds that meet a wanted precision or a budget on the latest slice."""

from collections.abc import Sequence

import numpy as np

from shared.features import FEATURE_NAMES
from training.base.config import Config
from training.data.preparation import Matrix
from training.prediction.calibration import Vector
from training.prediction.predictions import Outcome

INTENTS = {"churn": "likely_to_churn", "conversion": "likely_to_convert", "ltv": "high_value"}
"""The threshold that each target's latest slice decides."""
FEWEST = 30
"""Customers above a threshold, at least, for its precision to mean something."""


def thresholds(X: Matrix, outcomes: Sequence[Outcome], config: Config) -> dict[str, float]:
    """Days from the config, the orders that a stated share of the customers X [n, n_features] reached, and a prediction
    for each target that has a model."""
    orders = X[:, FEATURE_NAMES.index("orders_365d")]
    return {
        "dormant_days": float(config.dormant_days),
        "newcomer_days": float(config.newcomer_days),
        "loyal_orders": max(2.0, float(np.quantile(orders, 1 - config.loyal_share))),
        **{INTENTS[o.target.name]: threshold(o, config)[0] for o in outcomes if o.holdout is not None},
    }


def threshold(outcome: Outcome, config: Config) -> tuple[float, str]:
    """The lowest prediction that marks a customer, and what it was chosen for: the wanted precision where one is set
    and can be had, else the budget, a share of the customers."""
    assert outcome.holdout is not None
    predicted, y = outcome.holdout
    intent = INTENTS[outcome.target.name]
    wanted = getattr(config, f"{intent}_precision", 0.0)
    if wanted and (found := lowest_for(wanted, predicted, y)) is not None:
        return found, f"a precision of {wanted:g}"
    share = getattr(config, f"{intent}_share")
    missed = f"; a precision of {wanted:g} is out of reach" if wanted else ""
    return float(np.quantile(predicted, 1 - share)), f"a share of {share:g}{missed}"


def lowest_for(precision: float, predicted: Vector, y: Vector) -> float | None:
    """The lowest threshold of which everyone at or above it [n] has the label 1 with the precision, if there is one."""
    order = np.argsort(-predicted, kind="stable")
    ranked = predicted[order]
    reached = np.cumsum(y[order]) / np.arange(1, len(y) + 1) >= precision
    # Equal predictions are marked together.
    reached &= np.append(ranked[1:] < ranked[:-1], True)
    reached[: FEWEST - 1] = False
    return float(ranked[np.flatnonzero(reached)[-1]]) if reached.any() else None


def reached(outcome: Outcome, config: Config) -> dict[str, float | str]:
    """What the threshold picks out of the latest slice: its share, and of what kind."""
    assert outcome.holdout is not None
    value, chosen_for = threshold(outcome, config)
    predicted, y = outcome.holdout
    above = predicted >= value
    found: dict[str, float | str] = {"value": value, "chosen_for": chosen_for, "share": float(above.mean())}
    if outcome.target.kind == "amount":
        return {**found, "share_of_total": float(y[above].sum() / y.sum())}
    return {**found, "precision": float(y[above].mean()), "recall": float(y[above].sum() / y.sum())}
