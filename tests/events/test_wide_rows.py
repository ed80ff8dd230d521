"""Rows that tell several events: by their lists, and by what they must be for each."""

import json
from collections.abc import Mapping

import pytest

from shared.events.dialects import LineBroken
from tests.events.test_translator import translator

ORDERS = """
prices = "before_discount"
[columns]
timestamp = "placed"
customer_id = "customer.id"
order_id = "number"
product_id = "items[].sku"
quantity = "items[].count"
price = "items[].price"
discount = "items[].off"
[constants]
event_type = "purchase"
"""
ORDER = {
    "placed": "2024-05-01T10:00:00Z",
    "customer": {"id": 7},
    "number": "A1",
    "items": [{"sku": "s", "count": 2, "price": 10, "off": 5}, {"sku": "t", "count": 1, "price": "3"}],
}


@pytest.mark.parametrize("order", [ORDER, {**ORDER, "items": json.dumps(ORDER["items"])}], ids=["list", "as text"])
def test_each_entry_of_a_list_is_an_event(order: Mapping[str, object]) -> None:
    events = translator(ORDERS).events(order)
    assert [(e.customer_id, e.order_id, e.product_id, e.quantity, e.price) for e in events] == [
        ("7", "A1", "s", 2, 7.5),
        ("7", "A1", "t", 1, 3),
    ]
    assert len({event.event_id for event in events}) == 2


def test_a_list_that_is_empty_leaves_the_rest_of_the_event() -> None:
    [event] = translator(ORDERS).events({**ORDER, "items": []})
    assert (event.order_id, event.product_id, event.price) == ("A1", None, None)


def test_events_of_one_row_have_ids_of_their_own_by_the_rows_id() -> None:
    document = ORDERS.replace("[columns]", '[columns]\nevent_id = "uuid"')
    assert [event.event_id for event in translator(document).events({**ORDER, "uuid": "u"})] == ["u/0/0", "u/0/1"]
    long = translator(document).events({**ORDER, "uuid": "u" * 128})
    assert len({event.event_id for event in long}) == 2


def test_lists_in_lists_and_what_rows_must_be() -> None:
    document = """
        [columns]
        timestamp = "visits[].at"
        anonymous_id = "visitor"
        [[events]]
        constants = {event_type = "page_view"}
        where = {"visits[].type" = "action"}
        [[events]]
        constants = {event_type = "purchase"}
        where = {"visits[].type" = ["order", "sale*"]}
        columns = {product_id = "visits[].things[].sku", order_id = "visits[].id"}
    """
    visits = [
        {"at": 1_700_000_000, "type": "action"},
        {"at": 1_700_000_001, "type": "order", "id": 3, "things": [{"sku": "a"}, {"sku": "b"}]},
        {"at": 1_700_000_002, "type": "salesman", "id": 4},
        {"at": 1_700_000_003, "type": "download"},
    ]
    events = translator(document).events({"visitor": "v", "visits": visits})
    assert [(e.event_type, e.order_id, e.product_id) for e in events] == [
        ("page_view", None, None),
        ("purchase", "3", "a"),
        ("purchase", "3", "b"),
        ("purchase", "4", None),
    ]


def test_texts_that_hold_lists_and_values_of_several_columns() -> None:
    document = """
        [columns]
        timestamp = "at"
        anonymous_id = "visitor"
        product_id = "products[].2"
        [constants]
        event_type = "view_item"
        [where]
        events = "2"
        [joined]
        visitor = ["high", "low"]
        [lists]
        events = ","
        products = [",", ";"]
    """
    row = {"at": "1700000000", "high": "12", "low": "34", "events": "200=3,2", "products": "Shoes;a;1;2.50,;b"}
    read = translator(document)
    assert [(e.anonymous_id, e.product_id) for e in read.events(row)] == [("12/34", "a"), ("12/34", "b")]
    assert read.events({**row, "events": "12,200=2"}) == []
    assert read.people(row) == ("visitor#12/34",)
    with pytest.raises(LineBroken, match="visitor is missing"):
        read.events({**row, "low": ""})
    assert read.absent(["at", "events", "high"]) == ["low", "products[].2"]


def test_a_list_of_more_entries_than_a_row_may_tell_is_refused() -> None:
    with pytest.raises(LineBroken, match="items lists more than 1,000 entries"):
        translator(ORDERS).events({**ORDER, "items": [{}] * 1_001})
