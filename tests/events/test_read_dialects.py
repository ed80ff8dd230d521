"""Files in the words of Segment, RudderStack and GA4: every format is read, and a broken record is refused alone."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events import Event, Rejection, Rules, read_file
from shared.events.batches import Batch
from shared.events.dialects import DIALECTS, translate
from shared.events.parquet import read_parquet
from shared.events.readers import read_batches
from tests.events.records import ORDER, PURCHASE, order

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


def test_lines_of_an_order_are_counted_once_however_often_it_comes() -> None:
    [chunk] = read_file(io.BytesIO(lines(ORDER, PURCHASE, ORDER, PURCHASE)), "a.ndjson", Rules())
    fingerprints = chunk.events.rows.fingerprint.tolist()
    assert len(fingerprints) == 8
    assert len(set(fingerprints)) == 4
    assert chunk.events.rows.net[:4].tolist() == [171_000, 54_000, 240_000, 176_000]
    assert chunk.events.keys == ["customer#889", "visitor#1146540.1921992520"]


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
        "session_traffic_source_last_click": pa.struct(
            [("cross_channel_campaign", pa.struct([("default_channel_group", pa.string())]))]
        ),
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
_paths = [path for d in DIALECTS for paths in (*d.fields.values(), d.identity, [d.products]) for path in paths]


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
