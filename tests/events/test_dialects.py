"""What Segment, RudderStack and GA4 send means in the words of the contract, as the docs say."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events import FIELDS, Event
from shared.events.dialects import DIALECTS, Dialect, translate
from shared.events.dialects.ga4 import GA4
from shared.events.dialects.segment import CALLS, SEGMENT
from shared.features import EVENT_TYPES
from tests.events.records import ORDER, PURCHASE, order

DOCS = (Path(__file__).parents[2] / "docs" / "events.md").read_text()


def as_bigquery_writes(value: Any) -> Any:
    """The same as JSON of BigQuery, where whole numbers are text."""
    if isinstance(value, dict):
        return {name: as_bigquery_writes(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [as_bigquery_writes(inner) for inner in value]
    return str(value) if isinstance(value, int) else value


def track(event: str, **properties: Any) -> dict[str, Any]:
    return {**ORDER, "event": event, "properties": properties}


def test_an_order_of_segment_gives_a_purchase_for_each_product() -> None:
    first, second = translate(ORDER)
    assert first == Event(
        event_type="purchase",
        timestamp="2023-05-01T10:00:00.905Z",
        event_id="ajs-next-1f3a/0",
        customer_id="889",
        anonymous_id="507f191e-810c",
        session_id="1682935200",
        order_id="50314b8e",
        product_id="507f",
        category="Games",
        quantity=1.0,
        price=17.1,
        discount=1.9,
        currency="USD",
        device="mobile",
        channel="email",
    )
    assert (second.product_id, second.brand, second.event_id) == ("46493-32", "Mattel", "ajs-next-1f3a/1")
    assert [second.quantity, second.price, second.discount] == pytest.approx([2.0, 2.7, 0.6])


def test_a_purchase_of_ga4_gives_a_line_for_each_item() -> None:
    first, second = translate(PURCHASE)
    assert first.event_id is not None
    assert first == Event(
        event_type="purchase",
        timestamp=1606003200.123456,
        event_id=first.event_id,
        anonymous_id="1146540.1921992520",
        session_id="1146540.1921992520.3599645542",
        order_id="T_12345",
        product_id="SKU_123",
        category="Widgets",
        quantity=3.0,
        price=8.0,
        discount=6.0,
        currency="USD",
        device="desktop",
        region="United States",
        channel="Organic Search",
        engagement_seconds=1.5,
    )
    assert (second.product_id, second.brand, second.price, second.discount) == ("SKU_456", "Acme", 17.6, 0.0)
    assert first.event_id != second.event_id


@given(
    st.lists(st.tuples(st.integers(0, 99_999), st.integers(1, 9)), min_size=1, max_size=12),
    st.floats(0, 1, allow_nan=False),
)
def test_a_discount_is_spread_to_the_cent(prices: list[tuple[int, int]], share: float) -> None:
    total = sum(price * quantity for price, quantity in prices)
    discount = int(total * share)
    products = [{"price": price / 100, "quantity": quantity} for price, quantity in prices]
    events = translate(order(products=products, discount=discount / 100))
    parts = [round((event.discount or 0.0) * 100, 2) for event in events]
    net = [round((event.price or 0.0) * (event.quantity or 1.0) * 10_000) for event in events]
    assert sum(parts) == discount
    assert all(part == int(part) for part in parts)
    assert sum(net) == (total - discount) * 100
    for (price, quantity), part in zip(prices, parts, strict=True):
        assert abs(part - price * quantity * discount / max(total, 1)) <= 1


def test_an_order_without_products_counts_what_was_paid() -> None:
    paid = {"order_id": "o1", "revenue": 60.0, "discount": 5.0, "quantity": 3}
    [event] = translate(track("Order Completed", **paid))
    assert (event.price, event.quantity, event.discount, event.event_id) == (60.0, 1.0, 5.0, "ajs-next-1f3a")
    [event] = translate(track("Order Completed", **paid, price=20.0))
    assert [event.price, event.quantity, event.discount] == pytest.approx([55 / 3, 3.0, 5.0])
    [refund] = translate({**PURCHASE, "event_name": "refund", "items": [], "ecommerce": {"refund_value": 12.5}})
    assert (refund.event_type, refund.price, refund.quantity) == ("refund", 12.5, 1.0)


@pytest.mark.parametrize(("name", "event_type"), SEGMENT.types.items())
def test_every_event_of_segment_becomes_one_of_the_contract(name: str, event_type: str) -> None:
    call = {"type": name} if name in CALLS else {"type": "track", "event": name}
    assert {event.event_type for event in translate({**ORDER, **call})} == {event_type}


@pytest.mark.parametrize(
    "name",
    ["page_view", "view_item", "search", "add_to_cart", "begin_checkout", "select_promotion", "scroll", *GA4.types],
)
def test_every_event_of_ga4_becomes_one_of_the_contract(name: str) -> None:
    [event] = translate({**PURCHASE, "event_name": name})
    assert event.event_type == GA4.types.get(name, name)
    assert event.product_id is None, "of several items none can be told"


def test_an_event_has_the_fields_of_its_one_product() -> None:
    [viewed] = translate(track("Product Viewed", sku="G-32", category="Games", brand="Hasbro", price=18.99))
    assert (viewed.product_id, viewed.category, viewed.brand, viewed.price) == ("G-32", "Games", "Hasbro", 18.99)
    [listed] = translate(track("Product List Viewed", category="Deals", products=[{"sku": "a"}, {"sku": "b"}]))
    assert (listed.category, listed.product_id) == ("Deals", None)
    [added] = translate({**PURCHASE, "event_name": "add_to_cart", "items": PURCHASE["items"][:1]})
    assert (added.product_id, added.category, added.quantity) == ("SKU_123", "Widgets", 3.0)


def test_identify_and_alias_link_a_visitor_to_a_customer() -> None:
    people = {"userId": "889", "timestamp": "2023-05-01", "messageId": "m"}
    for call in ({"type": "identify", "anonymousId": "v"}, {"type": "alias", "previousId": "v", "anonymousId": "w"}):
        [event] = translate({**people, **call})
        assert (event.event_type, event.customer_id, event.anonymous_id) == ("identify", "889", "v")
    assert "identify" in EVENT_TYPES


def test_a_visitor_of_rudderstack_has_an_empty_user_id_and_the_next_time_counts() -> None:
    page = {"type": "page", "userId": "", "anonymousId": "v", "timestamp": "", "originalTimestamp": "2023-05-01"}
    [event] = translate(page)
    assert (event.event_type, event.customer_id, event.anonymous_id) == ("page_view", None, "v")
    assert event.timestamp == "2023-05-01"
    assert [event] == translate(dict(reversed(page.items()))), "without a messageId, the whole record is its identity"
    assert [event] != translate({**page, "originalTimestamp": "2023-05-02"})


@pytest.mark.parametrize(
    ("context", "device"),
    [
        ({"device": {"type": "ios"}}, "mobile"),
        ({"device": {"type": "android"}, "userAgent": "Dalvik/2.1.0"}, "mobile"),
        ({"device": {"type": "fridge"}, "userAgent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"}, "desktop"),
        ({"userAgent": "Mozilla/5.0 (iPad; CPU OS 12_2 like Mac OS X) Mobile/15E148"}, "tablet"),
        ({"userAgent": "axios/1.6.0"}, None),
        ({"userAgent": None}, None),
    ],
)
def test_a_device_is_told_by_its_type_or_its_browser(context: dict[str, Any], device: str | None) -> None:
    [event] = translate({**ORDER, "type": "page", "context": context})
    assert event.device == device


def test_ids_are_stable_distinct_and_short() -> None:
    long = {**ORDER, "messageId": "m" * 500}
    ids = [event.event_id or "" for event in translate(long)]
    assert ids == [event.event_id for event in translate(long)]
    assert len({*ids}) == 2
    assert max(map(len, ids)) <= 128
    assert translate(as_bigquery_writes(PURCHASE)) == translate(PURCHASE)
    other_item = {**PURCHASE, "event_name": "view_item", "items": [{"item_id": "SKU_9"}]}
    assert translate(other_item) != translate({**other_item, "items": [{"item_id": "SKU_8"}]})


def documented(section: str, header: str) -> dict[str, tuple[str, ...]]:
    """The rows of a section's table with this header: what its first column names, and what its last one does."""
    [text] = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", DOCS, re.M | re.S)
    [table] = re.findall(rf"^\| {header}[^\n]*\n\|[-|]+\n((?:\|[^\n]*\n)+)", text, re.M)
    rows = [[re.findall(r"`([^`]+)`", cell) for cell in row.strip("|").split("|")] for row in table.splitlines()]
    return {name: tuple(row[-1]) for row in rows for name in row[0]}


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.title)
def test_the_docs_hold_every_mapping_and_no_other(dialect: Dialect) -> None:
    assert documented(dialect.title, "Their event") == {name: (kind,) for name, kind in dialect.types.items()}
    assert documented(dialect.title, "Field") == dialect.fields


def test_the_docs_hold_every_field_and_event_type() -> None:
    assert {*documented("Fields", "Field")} == {*FIELDS}
    for name in EVENT_TYPES[1:]:
        assert f"`{name}`" in DOCS
