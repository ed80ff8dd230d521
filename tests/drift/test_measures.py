from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.drift import measures
from shared.drift.measures import (
    BASKET,
    CAME,
    ENOUGH_LINES,
    LINE,
    MOST_DAYS,
    PRICE,
    SEGMENT,
    TYPES,
    customers,
    days,
    sampled,
    together,
)
from shared.durations import DAY_MS
from shared.features import Profiles
from shared.features.columns import EVENT_TYPES
from shared.models.bundle import Bundle
from tests.support.bundles import make_bundle
from tests.support.event_files import profiles, purchase

AS_OF_MS = round(datetime(2017, 10, 10, tzinfo=UTC).timestamp() * 1_000)


def bought(
    customer: str, number: int, day: int, price: float, product: str = "p", **fields: object
) -> dict[str, object]:
    return {**purchase(customer, number, day), "price": price, "product_id": product, **fields}


def test_days_tell_what_came_on_each() -> None:
    known = profiles(
        *(bought("a", n, 9, 5.0, order_id="one") for n in range(2)),
        bought("b", 3, 8, 7.0),
        {**purchase("b", 4, 9), "event_type": "page_view"},
        {**purchase("c", 5, 9), "event_type": "campaign_exposure", "campaign": "x", "arm": "control"},
    )
    seen = days(known, AS_OF_MS, 3)
    assert sorted(EVENT_TYPES[int(kind)] for kind in seen[TYPES].of(0)) == ["page_view", "purchase", "purchase"]
    assert [EVENT_TYPES[int(kind)] for kind in seen[TYPES].of(1)] == ["purchase"]
    assert (seen[BASKET].of(0).tolist(), seen[BASKET].of(1).tolist()) == ([10.0], [7.0])
    assert seen[LINE].of(0).tolist() == [5.0, 5.0]
    assert seen[TYPES].of(2).tolist() == []
    came = seen[CAME]
    assert sorted(came.of(0).tolist()) == [1.0, 1.0, 1.0]
    assert came.of(1).tolist() == [1.0]  # the others had never been there by then
    assert came.of(2).tolist() == []


def test_who_was_there_within_ninety_days_and_does_not_come_counts_as_one_who_did_not() -> None:
    known = profiles(purchase("a", 1, 1), purchase("b", 1, 9))
    assert sorted(days(known, AS_OF_MS, 1)[CAME].of(0).tolist()) == [0.0, 1.0]
    later = AS_OF_MS + 89 * DAY_MS
    assert days(known, later, 1)[CAME].of(0).tolist() == [0.0]
    assert days(known, later + 2 * DAY_MS, 1)[CAME].of(0).tolist() == []


def prices(known: Profiles) -> list[float]:
    return sorted(days(known, AS_OF_MS, 1)[PRICE].of(0).tolist())


def test_a_price_is_held_against_what_the_product_came_to_on_days_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "ENOUGH_LINES", 1)
    before = [bought("a", n, 1 + n, 10.0) for n in range(5)]
    known = profiles(*before, bought("b", 9, 9, 13.0), bought("c", 9, 9, 13.0), bought("d", 9, 9, 1.0, "new"))
    assert prices(known) == pytest.approx([np.log(1.3)] * 2, abs=1e-3)


def test_prices_are_the_same_however_many_are_worked_out_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    known = profiles(*(bought("a", n, 1 + n % 9, 5.0 + n % 7, f"p{n % 5}") for n in range(90)))
    at_once = days(known, AS_OF_MS, 8)[PRICE]
    monkeypatch.setattr(measures, "MEDIANS_AT_ONCE", 4)
    few = days(known, AS_OF_MS, 8)[PRICE]
    assert len(few.value) > 50
    assert (few.value.tolist(), few.days_ago.tolist()) == (at_once.value.tolist(), at_once.days_ago.tolist())


def test_lines_of_several_pieces_do_not_move_what_a_product_usually_comes_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "ENOUGH_LINES", 1)
    before = [bought("a", n, 1 + n, 10.0 * pieces) for n, pieces in enumerate((1, 4, 1, 1, 3, 1))]
    assert prices(profiles(*before, bought("b", 9, 9, 11.0))) == [0.095]


@given(st.lists(st.integers(0, 12), max_size=60), st.integers(1, 6))
def test_days_are_taken_together_as_they_would_be_one_by_one(ago: list[int], number: int) -> None:
    at, day = together(np.array(ago, np.int64), number)
    expected = []
    for first in range(number):
        last = first
        while last < first + MOST_DAYS - 1 and sum(first <= one <= last for one in ago) < ENOUGH_LINES:
            last += 1
        expected += [(i, first) for i, one in enumerate(ago) if first <= one <= last]
    assert sorted(zip(at.tolist(), day.tolist(), strict=True)) == sorted(expected)


def test_customers_are_those_who_were_active_and_no_more_of_them_than_are_asked_for() -> None:
    bundle = Bundle.from_files(*make_bundle())
    known = profiles(*(purchase(f"c{i}", n, 1 + n) for i in range(9) for n in range(1 + i % 3)))
    seen = customers(known, bundle, AS_OF_MS)
    assert sorted(seen["feature/orders_lifetime"].of(0).tolist()) == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert (seen[SEGMENT].labels, len(seen[SEGMENT].value)) == (("0", "1", "2"), 9)
    assert len(customers(known, bundle, AS_OF_MS, 4)["prediction/churn_probability"].value) == 4
    assert len(customers(known, bundle, AS_OF_MS + 100 * DAY_MS)[SEGMENT].value) == 0


def test_of_many_customers_a_sample_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    known = profiles(*(purchase(f"c{i}") for i in range(9)))
    assert sampled(known, 1) is known
    monkeypatch.setattr(measures, "MOST_CUSTOMERS", 4)
    assert len(sampled(known, 1)) == 4
    assert sampled(known, 1).keys == sampled(known, 1).keys
