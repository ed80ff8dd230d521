"""What is measured of the customers in an experiment, and how its arms differ in it.

Means and ratios of means are treated alike: near its value, either is a weighted sum of columns (delta method). What
customers spent before they were exposed explains part of it, which is taken out: A. Deng, Y. Xu, R. Kohavi and T.
Walker, Improving the Sensitivity of Online Controlled Experiments by Utilizing Pre-Experiment Data, WSDM 2013 (CUPED).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from shared.experiments.moments import Floats, Moments
from shared.experiments.sequences import LEVEL, log_e_value, width

COLUMNS = (
    "visited", "converted", "orders", "revenue", "buyer", "churned", "spend_before",
    "visited_before", "converted_before", "orders_before", "revenue_before",
)  # fmt: skip
"""Of each customer, within the window after the first exposure: whether they came and bought, how many orders, revenue
less refunds; whether they had bought before, and bought nothing now; spend of COVARIATE_DAYS before; and of a window
before the exposure the same as after it."""
COVARIATE_DAYS = 90
COVARIATE = "spend_before"
LEAST_CUSTOMERS = 100
"""In each arm, before anything is said."""
LEAST_OCCURRENCES = 20
"""Customers in each arm of whom what is measured is true, and as many of whom it is not."""
LEAST_AMOUNTS = 100
"""Customers in each arm who bought, before anything is said of amounts: a few large ones make most of them, so that of
few customers their mean and its error are both too small."""
_SMALL = 1e-12


@dataclass(frozen=True, slots=True)
class Metric:
    """Something measured: the mean of a column, or of one over that of another."""

    name: str
    numerator: str
    denominator: str | None
    occurs: str
    """The column that says of which customers it is true."""
    of: str | None = None
    """The column of those of whom it may be true; all where it is None."""
    is_share: bool = False
    least: int = LEAST_OCCURRENCES
    """Customers in each arm of whom it is true, before anything is said."""
    before: str | None = None
    """The column of the same before the exposure."""


METRICS = (
    Metric("conversion", "converted", None, "converted", is_share=True, before="converted_before"),
    Metric("revenue", "revenue", None, "converted", least=LEAST_AMOUNTS, before="revenue_before"),
    Metric("orders", "orders", None, "converted", before="orders_before"),
    Metric("average_order_value", "revenue", "orders", "converted", least=LEAST_AMOUNTS),
    Metric("churn", "churned", "buyer", "churned", of="buyer", is_share=True),
    Metric("visit", "visited", None, "visited", is_share=True, before="visited_before"),
)


@dataclass(frozen=True, slots=True)
class Effect:
    """How much higher a metric is in the treatment arm than in the control arm."""

    treatment: float
    control: float
    """The values of both arms, as they are."""
    difference: float
    """With what spending before explains taken out."""
    error: float
    """Its standard error."""
    log_error: float | None
    """The standard error of the logarithm of the ratio of both; None where that has no meaning."""
    ratio: float | None
    n: int
    """Customers in both arms."""
    explained: float
    """The share of the variance that was taken out."""

    @property
    def log_e(self) -> float:
        """Logarithm of the evidence that there is an effect."""
        return log_e_value(self.difference / self.error, self.n) if self.error > 0 else 0.0

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Where the difference lies, whenever one looks."""
        half = width(self.n, level) * self.error
        return self.difference - half, self.difference + half

    @property
    def relative(self) -> tuple[float, float, float] | None:
        """The difference as a share of the control arm's value, and where that lies."""
        if self.ratio is None or self.log_error is None:
            return None
        factor = math.exp(min(700.0, width(self.n) * self.log_error))
        return self.ratio - 1, self.ratio / factor - 1, self.ratio * factor - 1


def value(metric: Metric, arm: Moments) -> float:
    """The metric of an arm; nought where it has nothing to be measured on."""
    below = arm.mean[COLUMNS.index(metric.denominator)] if metric.denominator else 1.0
    return float(arm.mean[COLUMNS.index(metric.numerator)] / below) if below else 0.0


def is_enough(metric: Metric, arm: Moments) -> bool:
    """Whether an arm has what a normal approximation needs."""
    true = arm.n * arm.mean[COLUMNS.index(metric.occurs)]
    every = arm.n * (arm.mean[COLUMNS.index(metric.of)] if metric.of else 1.0)
    enough = every >= LEAST_CUSTOMERS and true >= metric.least - 0.5
    return bool(enough and (not metric.is_share or every - true >= metric.least - 0.5))


def effect(metric: Metric, treatment: Moments, control: Moments) -> Effect:
    """How the arms differ, which must have enough."""
    arms = (treatment, control)
    values = [value(metric, arm) for arm in arms]
    total = treatment + control
    weights = _weights(metric, total)
    at = COLUMNS.index(COVARIATE)
    spread = total.scatter[at, at]
    slope = float(total.scatter[at] @ weights / spread) if spread > _SMALL else 0.0
    adjusted = [each - slope * float(arm.mean[at] - total.mean[at]) for each, arm in zip(values, arms, strict=True)]
    plain = [_variance(_weights(metric, arm), arm) for arm in arms]
    variances = [_variance(_less(_weights(metric, arm), at, slope), arm) for arm in arms]
    higher, lower = adjusted
    has_ratio = min(adjusted) > 0
    relative_error = math.sqrt(sum(v / a**2 for v, a in zip(variances, adjusted, strict=True))) if has_ratio else None
    return Effect(
        treatment=values[0],
        control=values[1],
        difference=higher - lower,
        error=math.sqrt(sum(variances)),
        log_error=relative_error,
        ratio=higher / lower if has_ratio else None,
        n=treatment.n + control.n,
        explained=max(0.0, 1 - sum(variances) / sum(plain)) if sum(plain) > 0 else 0.0,
    )


def _weights(metric: Metric, arm: Moments) -> Floats:
    """What columns weigh in the metric near its value in an arm [k]."""
    weights = np.zeros(len(COLUMNS))
    below = arm.mean[COLUMNS.index(metric.denominator)] if metric.denominator else 1.0
    if not below:
        return weights
    weights[COLUMNS.index(metric.numerator)] += 1 / below
    if metric.denominator:
        weights[COLUMNS.index(metric.denominator)] -= value(metric, arm) / below
    return weights


def _less(weights: Floats, at: int, slope: float) -> Floats:
    reduced = weights.copy()
    reduced[at] -= slope
    return reduced


def _variance(weights: Floats, arm: Moments) -> float:
    """Of a weighted sum's mean over the arm."""
    spread = float(weights @ arm.covariance @ weights)
    return max(0.0, spread) / max(1, arm.n)
