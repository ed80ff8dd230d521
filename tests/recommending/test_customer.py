"""What a customer did with products, held to counting by hand."""

from collections import defaultdict

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.durations import DAY_MS
from shared.events.event import parse_timestamp
from shared.features import Rows
from shared.recommending.customer import NEVER, Customer
from tests.support.examples import at_most
from tests.support.recommenders import AS_OF_MS, event, rows_of, small_recommender

KINDS = ("purchase", "view_item", "add_to_cart", "remove_from_cart", "refund", "search")
DONE = st.lists(
    st.tuples(st.sampled_from(KINDS), st.sampled_from(["a1", "a2", "b1", "c1", "z9"]), st.integers(1, 30)),
    max_size=30,
    unique=True,
)


@settings(max_examples=at_most(100))
@given(DONE)
def test_times_and_days_are_what_one_would_count_by_hand(done: list[tuple[str, str, int]]) -> None:
    events = [event("x", kind, product, f"2017-09-{day:02}") for kind, product, day in done]
    known = small_recommender()
    customer = Customer.at(rows_of(*events) if events else Rows.empty(), AS_OF_MS, known.products)

    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for one in events:
        ago = (AS_OF_MS - parse_timestamp(one["timestamp"])) / DAY_MS
        times[one["event_type"], one["product_id"]].append(ago)
    about = {product for (kind, product) in times if kind != "search" and product in known.ids}
    assert {known.ids[place] for place in customer.product.tolist()} == about
    for at, place in enumerate(customer.product.tolist()):
        name = known.ids[place]
        bought, carted = times["purchase", name], min(times["add_to_cart", name], default=NEVER)
        assert customer.bought[at] == len(bought) == customer.bought_this_season[at]
        assert customer.last_bought[at] == min(bought, default=NEVER)
        assert customer.first_bought[at] == max(bought, default=NEVER)
        assert customer.last_viewed[at] == min(times["view_item", name], default=NEVER)
        assert customer.returned[at] == min(times["refund", name], default=NEVER)
        gone = min([*bought, *times["remove_from_cart", name]], default=NEVER)
        assert customer.in_cart[at] == (carted if carted < gone else NEVER)
    days = {ago for (kind, _), some in times.items() if kind == "purchase" for ago in some}
    assert customer.order_days == len(days) == customer.order_days_lately
    assert customer.interest.sum() == 0 or np.isclose(customer.interest.sum(), 1)


def test_what_is_not_before_the_instant_is_not_known() -> None:
    known = small_recommender()
    rows = rows_of(event("x", "purchase", "a1", "2017-09-01"), event("x", "purchase", "b1", "2017-10-01"))
    customer = Customer.at(rows, AS_OF_MS, known.products)
    assert [known.ids[place] for place in customer.product.tolist()] == ["a1"]
