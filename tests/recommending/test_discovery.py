"""Which products may be new to a customer, and what speaks for them."""

import numpy as np

from shared.features import Rows
from shared.recommending.customer import Customer
from shared.recommending.discovery import NEW, candidates
from tests.support.recommenders import AS_OF_MS, event, rows_of, small_recommender


def of(*events: dict[str, object]) -> tuple[Customer, dict[str, dict[str, float]]]:
    """The customer, and what speaks for each product."""
    known = small_recommender()
    customer = Customer.at(rows_of(*events) if events else Rows.empty(), AS_OF_MS, known.products)
    unbought = candidates(customer, known.products, None)
    signals = unbought.signals(customer, known.products)
    assert np.isfinite(signals).all()
    rows = zip(unbought.place.tolist(), signals.tolist(), strict=True)
    return customer, {known.ids[place]: dict(zip(NEW, row, strict=True)) for place, row in rows}


def test_what_was_bought_is_never_new_and_what_was_looked_at_may_be() -> None:
    _, signals = of(event("x", "purchase", "a1", "2017-09-01"), event("x", "view_item", "c1", "2017-09-29"))
    assert "a1" not in signals
    assert signals["c1"]["last_viewed"] < signals["b1"]["last_viewed"]


def test_who_did_nothing_is_shown_what_is_in_demand() -> None:
    _, signals = of()
    assert {*signals} == {"a1", "a2", "b1", "c1"}
    assert signals["a1"]["demand"] > signals["b1"]["demand"]


def test_what_goes_with_a_product_is_pulled_by_it() -> None:
    _, signals = of(event("x", "purchase", "b1", "2017-09-01"))
    assert signals["c1"]["goes_with_bought"] > signals["a2"]["goes_with_bought"] == 0
    _, looked = of(event("x", "view_item", "b1", "2017-09-29"))
    assert looked["c1"]["goes_with_viewed"] > 0 == looked["c1"]["goes_with_bought"]
