"""Products found by what events call them."""

import numpy as np

from shared.events.columns import product_code
from shared.features import category_hash
from shared.recommending.products import NOWHERE
from tests.support.recommenders import small_recommender


def test_products_are_found_by_code_and_what_is_not_known_is_nowhere() -> None:
    known = small_recommender()
    codes = np.array([product_code("c1"), 0, product_code("never seen"), product_code("a1")], np.uint32)
    places = known.products.places(codes).tolist()
    assert [known.ids[place] if place != NOWHERE else None for place in places] == ["c1", None, None, "a1"]


def test_each_product_knows_where_its_category_is() -> None:
    known = small_recommender()
    products = known.products
    for place, name in enumerate(known.ids):
        assert products.categories[products.category_place[place]] == category_hash(f"kind {name[0]}")
