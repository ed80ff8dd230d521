"""Demand of the next weeks by segment and category, beside what a seasonal-naive forecast would have said.

What a segment's customers buy of a category in a week, each on average, is smoothed exponentially; the forecast is that
rate times how many customers the segment has by now. Segments grow and shrink faster than habits change, which totals
alone would follow late. The seasonal-naive forecast of a day is the same weekday of the week before, so that of a week
is the week before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SMOOTHING = 0.3
"""The weight of the latest week; a week before has 1 - SMOOTHING of that of the one after it."""
WEEKS_AHEAD = 4
ORIGINS = 10
"""From which forecasts are tried on weeks that are known by now, one week apart."""
LEAST_WEEKS = 8
"""Known weeks before a forecast is made."""
LEAST_A_WEEK = 10
"""In the mean, of what errors are reckoned of: a share of next to nothing says nothing."""

type Floats = NDArray[np.float64]
type Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sales:
    """What customers bought, week by week."""

    segments: Sequence[str]
    categories: Sequence[str]
    bought: Floats
    """[n_segments, n_categories, n_weeks]"""
    customers: Floats
    """In each segment at the beginning of each week, and of the one that comes [n_segments, n_weeks + 1]."""

    def until(self, week: int) -> Sales:
        """What was known when a week began."""
        return Sales(self.segments, self.categories, self.bought[:, :, :week], self.customers[:, : week + 1])


@dataclass(frozen=True, slots=True)
class Errors:
    """Of forecasts that were tried."""

    percentage: float
    """The mean absolute error as a share of what came, of all pairs and weeks [MAPE]."""
    weighted: float
    """The sum of errors as a share of the sum of what came."""


def forecast(sales: Sales) -> Floats:
    """What is bought in each of the weeks that come [n_segments, n_categories]."""
    weight = (1 - SMOOTHING) ** np.arange(sales.bought.shape[2])[::-1]
    known = np.maximum(sales.customers[:, :-1] @ weight, 1.0)
    rate: Floats = (sales.bought @ weight) / known[:, None]
    return rate * sales.customers[:, -1:]


def seasonal_naive(sales: Sales) -> Floats:
    """The week before, again [n_segments, n_categories]."""
    return sales.bought[:, :, -1]


def backtest(sales: Sales, origins: int = ORIGINS, ahead: int = WEEKS_AHEAD) -> tuple[Errors, Errors, Floats] | None:
    """Errors of the forecast and of the seasonal-naive one on weeks that are known by now, and of the forecast by pair
    [n_segments, n_categories], NaN where too little is bought; None where there are too few weeks."""
    weeks = sales.bought.shape[2]
    last = weeks - ahead
    begins = range(max(LEAST_WEEKS, last - origins + 1), last + 1)
    if not begins:
        return None
    tried = [(sales.until(week), sales.bought[:, :, week : week + ahead]) for week in begins]
    counted = np.stack([_counted(known, came) for known, came in tried])
    came = np.stack([came for _, came in tried])
    apart = [
        np.abs(np.stack([how(known) for known, _ in tried])[..., None] - came) for how in (forecast, seasonal_naive)
    ]
    if not counted.any():
        return None
    ours, naive = (_errors(each, came, counted) for each in apart)
    shares = np.where(counted, apart[0] / np.where(counted, came, 1.0), 0.0).sum(axis=(0, 3))
    number = counted.sum(axis=(0, 3))
    by_pair = np.divide(shares, number, out=np.full(shares.shape, np.nan), where=number > 0)
    return ours, naive, by_pair


def _counted(known: Sales, came: Floats) -> Mask:
    """Of which pairs and weeks errors are reckoned: what was bought before, and is bought [.., n_weeks]."""
    usual: Mask = known.bought[:, :, -LEAST_WEEKS:].mean(axis=2) >= LEAST_A_WEEK
    counted: Mask = usual[:, :, None] & (came > 0)
    return counted


def _errors(apart: Floats, came: Floats, counted: Mask) -> Errors:
    return Errors(
        float((apart[counted] / came[counted]).mean()),
        float(apart[counted].sum() / came[counted].sum()),
    )


def report(sales: Sales) -> dict[str, Any]:
    """The forecast, with the errors of both; by the seasonal-naive one where that was the better."""
    weeks = sales.bought.shape[2]
    tried = backtest(sales) if weeks >= LEAST_WEEKS else None
    if tried is None:
        return {"state": "not_enough_data", "weeks_known": weeks, "weeks_needed": LEAST_WEEKS + WEEKS_AHEAD}
    ours, naive, by_pair = tried
    is_better = ours.percentage <= naive.percentage
    ahead = forecast(sales) if is_better else seasonal_naive(sales)
    return {
        "state": "forecast",
        "method": "rates" if is_better else "seasonal_naive",
        "weeks_ahead": WEEKS_AHEAD,
        "weeks_known": weeks,
        "errors": {
            name: {"mean_absolute_percentage": error.percentage, "weighted_percentage": error.weighted}
            for name, error in (("rates", ours), ("seasonal_naive", naive))
        },
        "demand": [
            {
                "segment": segment,
                "category": category,
                "a_week": float(ahead[i, j]),
                "last_week": float(sales.bought[i, j, -1]),
                "error": None if np.isnan(by_pair[i, j]) else float(by_pair[i, j]),
            }
            for i, segment in enumerate(sales.segments)
            for j, category in enumerate(sales.categories)
            if sales.bought[i, j].any()
        ],
    }
