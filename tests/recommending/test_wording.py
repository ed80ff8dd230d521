"""Reasons in words."""

import numpy as np
import pytest

from shared.recommending.customer import NEVER, Customer
from shared.recommending.wording import bought_again, carted, category, companion, everyone, looked_at
from shared.recommending.wording import segment_favourite as favourite


def customer(times: float, first: float, last: float, in_cart: float = NEVER) -> Customer:
    none = np.full(1, NEVER)
    often = np.array([times])
    return Customer(
        product=np.zeros(1, np.int64),
        bought=often,
        bought_lately=often,
        bought_this_season=often,
        first_bought=np.array([first]),
        last_bought=np.array([last]),
        viewed=np.zeros(1),
        last_viewed=none,
        in_cart=np.array([in_cart]),
        returned=none,
        order_days=1.0,
        order_days_lately=1.0,
        order_days_this_season=1.0,
        last_order=0.0,
        price=0.0,
        interest=np.zeros(0),
    )


@pytest.mark.parametrize(
    ("who", "text"),
    [
        (customer(5, 103, 19), "bought every 21 days, last 19 days ago"),
        (customer(9, 8.2, 0.2), "bought every day, last today"),
        (customer(2, 40, 1.5), "bought twice, last yesterday"),
        (customer(1, 12, 12), "bought 12 days ago; usually bought again after 30 days"),
        (customer(3, 30, 10, 0.1), "put into the cart today; bought 10 days ago"),
    ],
)
def test_what_was_bought_before(who: Customer, text: str) -> None:
    assert bought_again(who, 0, 30.0) == text


def test_what_is_new() -> None:
    assert carted(2) == "put into the cart 2 days ago"
    assert looked_at(1, 1) == "viewed yesterday"
    assert looked_at(3, 4) == "viewed 3 days ago, 4 times lately"
    assert companion("Bread", customer(1, 5, 5), 0) == "goes with Bread that you bought"
    assert companion("Bread", customer(0, NEVER, NEVER), 0) == "goes with Bread that you viewed"
    assert companion("Bread", customer(0, NEVER, NEVER, 1), 0) == "goes with Bread that you put into the cart"
    assert category("Shoes", 0.5) == "popular in Shoes, which you often choose"
    assert category("Shoes", 0.01) == "popular in Shoes, which you know"
    assert favourite("Frequent shoppers") == "favourite of Frequent shoppers"
    assert everyone(400, "Shoes") == "popular with all customers"
    assert everyone(3, "Shoes") == "new in Shoes"
    assert everyone(3, "") == "new in the shop"
