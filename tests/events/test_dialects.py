import gzip
import io
import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events import FIELDS, Event, Rejection, Rules, read_file
from shared.events.dialects import GA4, SEGMENT, SEGMENT_CALLS, Dialect, translate
from shared.events.parquet import read_parquet
from shared.events.readers import Batch, read_batches
from shared.features import EVENT_TYPES

DOCS = (Path(__file__).parents[2] / "docs" / "events.md").read_text()

ORDER: dict[str, Any] = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "ajs-next-1f3a",
    "userId": 889,
    "anonymousId": "507f191e-810c",
    "originalTimestamp": "2023-05-01T10:00:01.000Z",
    "receivedAt": "2023-05-01T10:00:03.000Z",
    "sentAt": "2023-05-01T10:00:02.000Z",
    "timestamp": "2023-05-01T10:00:00.905Z",
    "context": {
        "campaign": {"medium": "email", "name": "Spring"},
        "ip": "8.8.8.8",
        "location": {"country": "France"},
        "sessionId": 1682935200,
        "userAgent": "Mozilla/5.0 (iPhone; CPU iPhone OS 16_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    },
    "properties": {
        "order_id": "50314b8e",
        "total": 27.5,
        "subtotal": 22.5,
        "revenue": 25.0,
        "shipping": 3,
        "tax": 2,
        "discount": 2.5,
        "coupon": "spring",
        "currency": "usd",
        "products": [
            {"product_id": "507f", "sku": "45790-32", "price": 19, "quantity": 1, "category": "Games"},
            {"sku": "46493-32", "price": "3.00", "quantity": 2, "brand": "Mattel", "category": "Games"},
        ],
    },
}
PURCHASE: dict[str, Any] = {
    "event_date": "20201122",
    "event_timestamp": 1606003200123456,
    "event_name": "purchase",
    "event_params": [
        {"key": "ga_session_id", "value": {"string_value": None, "int_value": 3599645542}},
        {"key": "engagement_time_msec", "value": {"int_value": 1500}},
        {"key": "currency", "value": {"string_value": "USD", "int_value": None}},
        {"key": "page_location", "value": {"string_value": "https://shop.example/done"}},
    ],
    "event_bundle_sequence_id": 7658063987,
    "user_id": None,
    "user_pseudo_id": "1146540.1921992520",
    "device": {"category": "desktop", "operating_system": "Web"},
    "geo": {"country": "United States", "city": "(not set)"},
    "traffic_source": {"medium": "organic", "name": "(organic)", "source": "google"},
    "ecommerce": {"transaction_id": "T_12345", "purchase_revenue": 41.6, "total_item_quantity": 4},
    "items": [
        {
            "item_id": "SKU_123",
            "item_brand": "(not set)",
            "item_category": "Widgets",
            "price": 8.0,
            "quantity": 3,
            "item_params": [{"key": "discount", "value": {"double_value": 2.0}}],
        },
        {"item_id": "SKU_456", "item_brand": "Acme", "item_category": "Widgets", "price": 17.6, "quantity": 1},
    ],
}
CANONICAL = {"event_id": "e1", "event_type": "search", "timestamp": 1_606_003_200, "customer_id": "889"}


def read(content: bytes, name: str = "events.ndjson") -> tuple[list[Event], list[Rejection]]:
    stream = io.BytesIO(content)
    if name.endswith(".parquet"):
        batches: list[Batch] = [rest for _, rest in read_parquet(stream, Rules())]
    else:
        batches = list(read_batches(stream, name))
    return [e for batch in batches for e in batch.events], [r for batch in batches for r in batch.rejections]


def lines(*records: Any) -> bytes:
    return b"\n".join(json.dumps(record).encode() for record in records)


def as_bigquery_writes(value: Any) -> Any:
    """The same as JSON of BigQuery, where whole numbers are text."""
    if isinstance(value, dict):
        return {name: as_bigquery_writes(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [as_bigquery_writes(inner) for inner in value]
    return str(value) if isinstance(value, int) else value


def order(**properties: Any) -> dict[str, Any]:
    return {**ORDER, "properties": {**ORDER["properties"], **properties}}


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
        channel="organic",
        engagement_seconds=1.5,
    )
    assert (second.product_id, second.brand, second.price, second.discount) == ("SKU_456", "Acme", 17.6, 0.0)
    assert first.event_id != second.event_id


def test_lines_of_an_order_are_counted_once_however_often_it_comes() -> None:
    [chunk] = read_file(io.BytesIO(lines(ORDER, PURCHASE, ORDER, PURCHASE)), "a.ndjson", Rules())
    fingerprints = chunk.events.rows.fingerprint.tolist()
    assert len(fingerprints) == 8
    assert len(set(fingerprints)) == 4
    assert chunk.events.rows.net[:4].tolist() == [171_000, 54_000, 240_000, 176_000]
    assert chunk.events.keys == ["customer#889", "visitor#1146540.1921992520"]


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
    call = {"type": name} if name in SEGMENT_CALLS else {"type": "track", "event": name}
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


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({**ORDER, "userId": None, "anonymousId": ""}, "userId is missing, and so is anonymousId"),
    ({**PURCHASE, "user_pseudo_id": None}, "user_id is missing, and so is user_pseudo_id"),
    ({**ORDER, "event": ""}, "event must be the name of an event type"),
    ({**ORDER, "userId": "x" * 129}, "userId must be text of 1 to 128 characters"),
    (order(currency="dollars"), "properties.currency must be a currency code of ISO 4217"),
    (order(discount=-1), "properties.discount must be a number from 0"),
    (order(discount=25.01), "properties.discount is 25.01, but the products cost 25.00 in all"),
    (order(products="all"), "properties.products must be a list of objects"),
    (order(products=[{"price": 1}, {"price": "free"}]), "properties.products[1].price must be a number from 0"),
    (order(products=[{"price": 1, "quantity": 0}]), "properties.products[0].quantity must be a number above 0"),
    (order(products=[{"price": 1e9, "quantity": 9}]), "properties.products[0].quantity times the price"),
    ({**PURCHASE, "items": [{"price": 1, "quantity": "-1"}]}, "items[0].quantity must be a number above 0"),
    (
        {**PURCHASE, "event_timestamp": 1606003200000},
        "event_timestamp must be in microseconds since 1970, not 16060032",
    ),
    ({"type": "page", "userId": "1"}, "timestamp is missing"),
    ({"type": "invoice", "userId": "1", "timestamp": 1}, "event_type is missing"),
    ({"event_name": "purchase", "user_id": "1"}, "event_type is missing"),
    ({**ORDER, "event_type": 5}, "event_type must be the name of an event type"),
]


@pytest.mark.parametrize(("record", "reason"), BROKEN)
def test_a_broken_record_is_refused_whole_in_its_own_words(record: dict[str, Any], reason: str) -> None:
    events, [rejection] = read(lines(CANONICAL, record, CANONICAL))
    assert rejection.reason.startswith(reason)
    assert (rejection.line, rejection.original) == (2, json.dumps(record).encode())
    assert len(events) == 2


def test_a_file_may_mix_all_words() -> None:
    broken = order(products=[{"price": -1}])
    events, [rejection] = read(gzip.compress(lines(CANONICAL, ORDER, PURCHASE, broken, CANONICAL)), "a.ndjson.gz")
    assert [e.event_type for e in events] == ["search", "purchase", "purchase", "purchase", "purchase", "search"]
    assert rejection.line == 4


def test_a_table_of_ga4_with_nested_columns_tells_what_json_tells(tmp_path: Path) -> None:
    value = pa.struct([("string_value", pa.string()), ("int_value", pa.int64()), ("double_value", pa.float64())])
    params = pa.list_(pa.struct([("key", pa.string()), ("value", value)]))
    item = [("item_id", pa.string()), ("item_brand", pa.string()), ("item_category", pa.string())]
    amounts = [("price", pa.float64()), ("quantity", pa.int64()), ("item_params", params)]
    types = {
        "event_timestamp": pa.int64(),
        "event_name": pa.string(),
        "event_params": params,
        "event_bundle_sequence_id": pa.int64(),
        "user_id": pa.string(),
        "user_pseudo_id": pa.string(),
        "device": pa.struct([("category", pa.string())]),
        "geo": pa.struct([("country", pa.string())]),
        "traffic_source": pa.struct([("medium", pa.string())]),
        "ecommerce": pa.struct([("transaction_id", pa.string()), ("purchase_revenue", pa.float64())]),
        "items": pa.list_(pa.struct([*item, *amounts])),
    }
    not_a_number = {"key": "value", "value": {"double_value": float("nan")}}
    viewed = {
        **PURCHASE,
        "event_name": "page_view",
        "items": [],
        "event_params": [*PURCHASE["event_params"], not_a_number],
    }
    rows = [PURCHASE, viewed, {**PURCHASE, "user_pseudo_id": None}]
    table = pa.table({name: pa.array([row.get(name) for row in rows], kind) for name, kind in types.items()})
    pq.write_table(table, tmp_path / "ga4.parquet")
    assert "STRUCT" in str(duckdb.from_parquet(str(tmp_path / "ga4.parquet")).types)
    events, [rejection] = read((tmp_path / "ga4.parquet").read_bytes(), "ga4.parquet")
    assert events[:2] == translate(PURCHASE)
    assert (events[2].event_type, events[2].engagement_seconds) == ("page_view", 1.5)
    assert (rejection.line, rejection.reason) == (3, "user_id is missing, and so is user_pseudo_id")
    assert translate(json.loads(rejection.original) | {"user_pseudo_id": "1146540.1921992520"}) == events[:2]


def test_csv_holds_records_as_json_text_or_by_paths() -> None:
    head = "type,event,messageId,userId,timestamp,properties,properties.order_id,context.campaign.medium\n"
    row = 'track,Order Completed,m1,889,2023-05-01T10:00:00Z,"{""products"":[{""sku"":""a"",""price"":5}]}",o1,email\n'
    [event], [rejection] = read((head + row + row.replace(",889,", ",,")).encode(), "segment.csv")
    assert (event.product_id, event.price, event.order_id, event.channel) == ("a", 5.0, "o1", "email")
    assert (rejection.line, rejection.reason) == (3, "userId is missing, and so is anonymousId")


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9)
    | st.sampled_from(["12", "{}", "[[", "1e999"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=9,
)
_paths = [path for d in (SEGMENT, GA4) for paths in (*d.fields.values(), d.identity, [d.products]) for path in paths]


@st.composite
def mangled(draw: st.DrawFn) -> dict[str, Any]:
    """A record of one of the dialects, some of it overwritten by anything."""
    record: dict[str, Any] = json.loads(json.dumps(draw(st.sampled_from([ORDER, PURCHASE, {"type": "page"}, {}]))))
    for path in draw(st.lists(st.sampled_from([*_paths, "type", "event", "event_params"]), max_size=5)):
        inside: Any = record
        *outer, last = path.replace("[]", "").split(".")
        for name in outer:
            inside = inside.setdefault(name, {}) if isinstance(inside, dict) else None
            inside = inside[0] if isinstance(inside, list) and inside else inside
        if isinstance(inside, dict):
            inside[last] = draw(_json)
    return record


@given(mangled() | st.dictionaries(st.text(max_size=9) | st.sampled_from(_paths), _json, max_size=9))
def test_any_object_gives_events_or_a_reason(record: dict[str, Any]) -> None:
    [chunk] = read_file(io.BytesIO(lines(record)), "a.ndjson", Rules(currency=None))
    assert (len(chunk.events) > 0) != (len(chunk.rejections) > 0)
    assert all(rejection.reason for rejection in chunk.rejections)


@pytest.mark.parametrize("line", [b"[" * 100_000, b'{"type":"page","userId":' + b"[" * 100_000, b'{"x":' * 50_000])
def test_a_line_nested_without_end_is_refused_alone(line: bytes) -> None:
    events, [rejection] = read(line + b"\n" + lines(CANONICAL))
    assert (len(events), rejection.line) == (1, 1)


def documented(section: str, header: str) -> dict[str, tuple[str, ...]]:
    """The rows of a section's table with this header: what its first column names, and what its last one does."""
    [text] = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", DOCS, re.M | re.S)
    [table] = re.findall(rf"^\| {header}[^\n]*\n\|[-|]+\n((?:\|[^\n]*\n)+)", text, re.M)
    rows = [[re.findall(r"`([^`]+)`", cell) for cell in row.strip("|").split("|")] for row in table.splitlines()]
    return {name: tuple(row[-1]) for row in rows for name in row[0]}


@pytest.mark.parametrize(
    ("section", "dialect"), [("Segment and RudderStack", SEGMENT), ("GA4 export to BigQuery", GA4)]
)
def test_the_docs_hold_every_mapping_and_no_other(section: str, dialect: Dialect) -> None:
    assert documented(section, "Their event") == {name: (kind,) for name, kind in dialect.types.items()}
    assert documented(section, "Field") == dialect.fields


def test_the_docs_hold_every_field_and_event_type() -> None:
    assert {*documented("Fields", "Field")} == {*FIELDS}
    for name in EVENT_TYPES[1:]:
        assert f"`{name}`" in DOCS
