"""Products as they were known at an instant."""

import numpy as np
import pytest

from shared.durations import DAY_MS
from shared.events.columns import product_code
from shared.features import category_hash
from shared.recommending.products import NOWHERE, Products
from tests.support.recommenders import AS_OF_MS, event, shop_of, small_recommender, small_shop
from training.recommending import building
from training.recommending.building import Entry, products_at


def of(events: list[dict[str, object]], as_of_ms: int = AS_OF_MS, **changes: object) -> tuple[Products, list[str]]:
    shop = shop_of(events, **changes)  # type: ignore[arg-type]
    products = products_at(shop.profiles, as_of_ms, shop.assortment)
    return products, [shop.assortment.ids[code] for code in products.code.tolist()]


def test_the_rhythm_of_a_product_is_that_of_its_buyers() -> None:
    known = small_recommender()
    gaps = dict(zip(known.ids, known.products.gap_days.tolist(), strict=True))
    repeats = dict(zip(known.ids, known.products.repeats.tolist(), strict=True))
    assert 6 < gaps["a1"] < 9 < gaps["a2"]
    assert repeats["a1"] > repeats["a2"] > repeats["b1"]


def test_nothing_from_the_instant_on_is_known() -> None:
    middle = AS_OF_MS - 60 * DAY_MS
    earlier = [one for one in small_shop() if one["timestamp"] < "2017-08-02"]
    once, again = of(small_shop(), middle)[0], of(earlier, middle)[0]
    for name in Products.__dataclass_fields__:
        assert np.array_equal(getattr(once, name), getattr(again, name), equal_nan=name == "price"), name


def test_what_is_new_is_expected_to_sell_as_its_category_does() -> None:
    entries = {product_code(one): Entry(one, category=category_hash(f"kind {one[0]}")) for one in ("a1", "b1", "a9")}
    products, ids = of(small_shop(), catalogue=entries)
    demand = dict(zip(ids, products.demand.tolist(), strict=True))
    assert demand["b1"] < demand["a9"] < demand["a1"]


def test_of_a_catalogue_only_what_can_be_had_is_shown() -> None:
    entries = {product_code(one): Entry(one, available=one != "b1") for one in ("a1", "b1", "d1")}
    products, ids = of(small_shop(), catalogue=entries)
    assert {name for name, shown in zip(ids, products.available.tolist(), strict=True) if shown} == {"a1", "d1"}
    shown = {ids[place] for place in products.of_all.tolist() if place != NOWHERE}
    assert shown == {"a1", "d1"}
    listed = {ids[place] for place in products.of_category.ravel().tolist() if place != NOWHERE}
    assert "b1" not in listed


def test_two_products_with_one_code_are_none() -> None:
    shop = shop_of(small_shop())
    ids = {code: one for code, one in shop.assortment.ids.items() if one != "b1"}
    products = products_at(shop.profiles, AS_OF_MS, building.Assortment(ids))
    assert product_code("b1") not in products.code


def test_where_there_are_too_many_those_of_the_catalogue_and_in_demand_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(building, "MOST_PRODUCTS", 2)
    _, ids = of(small_shop())
    assert len(ids) == 2
    assert "a1" in ids


def test_a_shop_without_products_has_none() -> None:
    products, ids = of([event("x", "page_view", "", "2017-09-01", product_id=None)])
    assert (len(products), ids) == (0, [])
