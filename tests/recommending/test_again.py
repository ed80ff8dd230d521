"""What speaks for buying again."""

import numpy as np

from shared.recommending.again import AGAIN, again_candidates, again_signals, own_gap
from shared.recommending.customer import Customer
from tests.support.recommenders import AS_OF_MS, event, rows_of, small_recommender

WEEKLY = [event("x", "purchase", "a1", f"2017-09-{day:02}") for day in (3, 10, 17, 24)]


def test_only_what_was_bought_can_be_bought_again() -> None:
    known = small_recommender()
    rows = rows_of(*WEEKLY, event("x", "view_item", "c1", "2017-09-29"))
    customer = Customer.at(rows, AS_OF_MS, known.products)
    at = again_candidates(customer, known.products)
    assert [known.ids[customer.product[i]] for i in at] == ["a1"]


def test_a_customers_own_rhythm_counts_the_more_the_better_it_is_known() -> None:
    known = small_recommender()
    usual = float(known.products.gap_days[known.ids.index("b1")])

    def gap(*days: int) -> float:
        rows = rows_of(*(event("x", "purchase", "b1", f"2017-09-{day:02}") for day in days))
        return float(own_gap(Customer.at(rows, AS_OF_MS, known.products), known.products)[0])

    assert np.isclose(gap(1), usual)
    assert abs(gap(1, 4, 7, 10, 13, 16, 19, 22, 25, 28) - 3) < abs(gap(1, 4) - 3) < abs(usual - 3)


def test_signals_are_finite_whatever_is_known() -> None:
    known = small_recommender()
    customer = Customer.at(rows_of(*WEEKLY), AS_OF_MS, known.products)
    signals = again_signals(customer, known.products, np.arange(1))
    assert signals.shape == (1, len(AGAIN))
    assert np.isfinite(signals).all()
    assert again_signals(customer, known.products, np.arange(0)).shape == (0, len(AGAIN))
