"""Products to buy again: which they may be, and what speaks for each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.recommending.customer import LATELY_DAYS, SEASON_DAYS, Customer
from shared.recommending.products import Products

AGAIN = (
    "bought", "bought_lately", "bought_this_season", "last_bought", "overdue", "overdue_for_all", "pace", "share",
    "orders_lately", "last_order", "repeats", "trend", "demand", "viewed", "in_cart", "interest",
)  # fmt: skip
"""What speaks for a product that was bought before, in the order of the columns."""
SURE_AFTER = 2.0
"""Gaps of a customer's own that count as much as what is usual for the product."""


def again_candidates(customer: Customer, products: Products) -> NDArray[np.intp]:
    """Positions among the customer's products of those that may be recommended to buy again."""
    return np.flatnonzero((customer.bought > 0) & products.available[customer.product])


def own_gap(customer: Customer, products: Products) -> NDArray[np.float64]:
    """Days between two purchases of each product as this customer makes them: what is usual for the product, as long as
    they bought it rarely [n]."""
    gaps = np.maximum(customer.bought - 1, 0)
    often = customer.bought > 1
    span = np.where(often, customer.first_bought, 0.0) - np.where(often, customer.last_bought, 0.0)
    gap: NDArray[np.float64] = (span + SURE_AFTER * products.gap_days[customer.product]) / (gaps + SURE_AFTER)
    return gap


def again_signals(customer: Customer, products: Products, at: NDArray[np.intp]) -> NDArray[np.float64]:
    """What speaks for the customer's products at `at` [m, AGAIN]."""
    product = customer.product[at]
    since = np.maximum(customer.last_bought[at], 0.02)
    gap = np.maximum(own_gap(customer, products)[at], 1.0)
    order_days = max(customer.order_days, 1.0)
    season = max(customer.order_days_this_season, 1.0)
    columns = {
        "bought": np.log1p(customer.bought[at]),
        "bought_lately": np.log1p(customer.bought_lately[at]),
        "bought_this_season": np.log1p(customer.bought_this_season[at]),
        "last_bought": np.log(since + 1),
        "overdue": np.log(since / gap),
        "overdue_for_all": np.log(since / np.maximum(products.gap_days[product], 1.0)),
        "pace": np.log(LATELY_DAYS / gap),
        "share": np.log((customer.bought_this_season[at] + 0.5 * customer.bought[at] / order_days) / (season + 0.5)),
        "orders_lately": np.log1p(customer.order_days_lately),
        "last_order": np.log1p(min(customer.last_order, 10 * SEASON_DAYS)),
        "repeats": _logit(products.repeats[product]),
        "trend": products.trend[product],
        "demand": products.demand[product],
        "viewed": np.log1p(customer.viewed[at]),
        "in_cart": 1 / (1 + customer.in_cart[at]),
        "interest": _interest(customer, products, product),
    }
    signals = np.empty((len(at), len(AGAIN)))
    for column, name in enumerate(AGAIN):
        signals[:, column] = columns[name]
    return signals


def _logit(share: NDArray[np.float32]) -> NDArray[np.float64]:
    bounded = np.clip(share.astype(np.float64), 1e-4, 1 - 1e-4)
    return np.log(bounded / (1 - bounded))


def _interest(customer: Customer, products: Products, product: NDArray[np.int64]) -> NDArray[np.float64]:
    at = products.category_place[product]
    return np.sqrt(np.where(at >= 0, np.append(customer.interest, 0.0)[at], 0.0))
