"""Why a product is recommended, in words for whoever it is shown to."""

from __future__ import annotations

import math

from shared.recommending.customer import Customer

NEW_DAYS = 30
OFTEN = 0.1
"""Share of what somebody does from which a category is one that they often buy."""


def bought_again(customer: Customer, at: int, gap: float) -> str:
    """Of a product that was bought before; `gap` is the usual number of days between two purchases of it."""
    if math.isfinite(customer.in_cart[at]):
        return f"{carted(float(customer.in_cart[at]))}; bought {_ago(customer.last_bought[at])}"
    times, last = int(customer.bought[at]), _ago(customer.last_bought[at])
    if times >= 3:
        own = (customer.first_bought[at] - customer.last_bought[at]) / (times - 1)
        return f"bought every {_days(own)}, last {last}"
    if times == 2:
        return f"bought twice, last {last}"
    return f"bought {last}; usually bought again after {_days(gap)}"


def carted(days: float) -> str:
    """Of what is in the cart."""
    return f"put into the cart {_ago(days)}"


def looked_at(days: float, views: int) -> str:
    """Of what was only looked at."""
    return f"viewed {_ago(days)}" + (f", {views} times lately" if views > 1 else "")


def companion(title: str, customer: Customer, at: int) -> str:
    """Of what goes with the customer's product at `at`, which is called `title`."""
    if customer.bought[at]:
        return f"goes with {title} that you bought"
    return f"goes with {title} that you {'put into the cart' if math.isfinite(customer.in_cart[at]) else 'viewed'}"


def category(name: str, share: float) -> str:
    """Of what is in demand in a category that makes up a `share` of what the customer does."""
    return f"popular in {name}, which you {'often choose' if share >= OFTEN else 'know'}"


def segment_favourite(name: str) -> str:
    """Of what a segment buys more of than others do."""
    return f"favourite of {name}"


def everyone(age_days: float, category: str) -> str:
    """Of what speaks for itself."""
    if age_days < NEW_DAYS:
        return f"new in {category}" if category else "new in the shop"
    return "popular with all customers"


def _ago(days: float) -> str:
    whole = int(days)
    return "today" if whole == 0 else "yesterday" if whole == 1 else f"{whole} days ago"


def _days(days: float) -> str:
    whole = max(round(days), 1)
    return "day" if whole == 1 else f"{whole} days"
