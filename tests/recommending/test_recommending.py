"""Both lists of a customer, as they are shown."""

from typing import Any

import numpy as np

from shared.events.columns import product_code
from shared.features import Rows
from shared.recommending.lists import SENT
from shared.recommending.recommending import recommendations, recommended_products, segment_in
from tests.support.recommenders import AS_OF_MS, event, recommender_of, rows_of, small_recommender, small_shop
from tests.support.stored_profiles import decision
from training.recommending.building import Entry

HISTORY = [event("x", "purchase", "a2", f"2017-09-{day:02}") for day in (3, 10, 17)]


def lists(*events: dict[str, Any], limit: int = 10, **changes: Any) -> dict[str, list[dict[str, Any]]]:
    known = changes.get("recommender", small_recommender())
    rows = rows_of(*events) if events else Rows.empty()
    return recommendations(known, rows, AS_OF_MS, changes.get("segment"), limit)


def ids(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["product_id"] for entry in entries]


def test_each_product_is_in_one_list_and_the_likeliest_come_first() -> None:
    shown = lists(*HISTORY, event("x", "view_item", "c1", "2017-09-29"))
    assert ids(shown["buy_again"]) == ["a2"]
    assert {*ids(shown["new_for_you"])} == {"a1", "b1", "c1"}
    for entries in shown.values():
        scores = [entry["score"] for entry in entries]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)


def test_reasons_say_what_speaks_for_a_product() -> None:
    shown = lists(*HISTORY, event("x", "view_item", "c1", "2017-09-29"))
    reasons = {entry["product_id"]: entry["reason"] for entries in shown.values() for entry in entries}
    assert reasons["a2"] == "bought every 7 days, last 13 days ago"
    assert reasons["c1"] == "viewed yesterday"
    assert reasons["a1"] == "popular with all customers"


def test_one_event_changes_the_answer() -> None:
    before = lists(*HISTORY)
    after = lists(*HISTORY, event("x", "purchase", "a1", "2017-09-30"))
    assert "a1" in ids(before["new_for_you"])
    assert "a1" not in ids(after["new_for_you"])
    assert "a1" in ids(after["buy_again"])


def test_who_did_nothing_is_shown_what_is_popular_with_all() -> None:
    shown = lists()
    assert shown["buy_again"] == []
    assert shown["new_for_you"][0]["reason"] == "popular with all customers"


def test_what_is_sent_are_the_products_that_are_shown() -> None:
    known = small_recommender()
    for events in ([], HISTORY, [*HISTORY, event("x", "view_item", "c1", "2017-09-29")]):
        rows = rows_of(*events) if events else Rows.empty()
        shown = {name: ids(entries) for name, entries in lists(*events, limit=SENT).items()}
        sent = recommended_products(known, rows, AS_OF_MS, None)
        assert {name: [known.ids[place] for place in places] for name, places in sent.items()} == shown


def test_a_list_is_no_longer_than_was_asked_for() -> None:
    assert [len(entries) for entries in lists(*HISTORY, limit=1).values()] == [1, 1]


def test_what_is_not_in_the_catalogue_or_cannot_be_had_never_appears() -> None:
    entries = [Entry("a1", "Bread"), Entry("b1", available=False), Entry("d1", "Cake")]
    known = recommender_of(small_shop(), {product_code(one.product_id): one for one in entries})
    shown = lists(*HISTORY, event("x", "purchase", "a1", "2017-09-30"), recommender=known)
    assert ids(shown["buy_again"]) == ["a1"]
    assert shown["buy_again"][0]["name"] == "Bread"
    assert ids(shown["new_for_you"]) == ["d1"]
    assert shown["new_for_you"][0]["reason"] == "new in the shop"


def test_favourites_of_a_segment_are_those_of_the_bundle_that_decided_it() -> None:
    events = small_shop()
    segment = np.array([number % 2 for number in (0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9)])
    known = recommender_of(events, segments=lambda _: segment, segment_names={1: "Odd"}, model_version="b-1")
    assert known.segment_names == ["segment 0", "Odd"]
    assert segment_in(known, decision(segment=1, model_version="b-1")) == 1
    assert segment_in(known, decision(segment=1, model_version="b-2")) is None
    assert segment_in(known, decision(segment=7, model_version="b-1")) is None
    assert segment_in(known, None) is None
    place = known.products.of_segment[1]
    assert known.ids[place[0]] == "a2"
    assert {*ids(lists(recommender=known, segment=1)["new_for_you"])} == {"a1", "a2", "b1", "c1"}
