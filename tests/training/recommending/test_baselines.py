"""What recommendations are held against."""

import numpy as np

from tests.support.recommenders import AS_OF_MS, event, shop_of, small_shop
from training.recommending.baselines import Baselines
from training.recommending.building import products_at


def test_each_baseline_lists_what_its_name_says() -> None:
    events = [*small_shop(), *(event("x", "purchase", "b1", f"2017-09-0{day}") for day in (1, 2))]
    shop = shop_of([*events, event("x", "purchase", "a2", "2017-09-05")])
    products = products_at(shop.profiles, AS_OF_MS, shop.assortment)
    names = np.array([shop.assortment.ids[code] for code in products.code.tolist()])
    baselines = Baselines.at(shop.profiles, products, AS_OF_MS)
    known = np.flatnonzero(np.isin(names, ["a2", "b1"]))
    lists = baselines.lists(shop.profiles.keys.index("customer#x"), known, 3)

    assert {*lists} == {"popularity", "own frequency", "item cosine", "TF-IDF neighbours"}
    assert names[lists["popularity"][0]][0] == "a1"
    assert names[lists["own frequency"][0]].tolist()[:2] == ["b1", "a2"]
    assert all(len(of_all) == 3 for of_all, _ in lists.values())
    assert all(not {*names[of_new].tolist()} & {"a2", "b1"} for _, of_new in lists.values())
    assert names[lists["item cosine"][1]][0] == "a1"
