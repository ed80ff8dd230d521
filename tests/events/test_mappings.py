"""Each mapping that comes with the product, on a small export made up after its public documentation."""

import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from shared.events import Event, Rules, mappings, read_file
from shared.events.event import parse_timestamp
from shared.events.mapped import read_mapped
from shared.events.mapping import InvalidMapping, read_mapping
from shared.events.translator import Translator

SAMPLES = {path.stem: path for path in sorted(Path(__file__).with_name("mappings").iterdir())}
ADA, BO = "ada@example.com", "bo@example.com"
VISIT = {"anonymous_id": "311/622", "session_id": "311/622/1/1710409700", "region": "usa", "currency": "USD"}
SNOWPLOW: dict[str, Any] = {
    "timestamp": "2024-03-14T09:48:26.500Z", "anonymous_id": "d-1", "session_id": "s-1", "region": "DE",
    "channel": "search", "device": "desktop",
}  # fmt: skip
FERN = {"product_id": "FERN-1", "quantity": 2.0, "price": 16.0}
MUG = {"product_id": "MUG-1", "price": 25.0}
POSTHOG = {"anonymous_id": "dev-1", "session_id": "s-1", "device": "Desktop", "region": "DE"}
MATOMO = {"anonymous_id": "c367", "session_id": "3", "device": "mobile", "region": "pl", "channel": "direct",
          "currency": "USD"}  # fmt: skip

EXPECTED: dict[str, list[dict[str, Any]]] = {
    "shopify": [
        {"event_type": "purchase", "timestamp": "2024-03-14T13:48:26Z", "customer_id": ADA, "order_id": "#1001",
         "product_id": "FERN-1", "brand": "Leaf", "quantity": 2, "price": 14, "discount": 4, "currency": "USD",
         "region": "CA"},
        {"event_type": "purchase", "timestamp": "2024-03-14T13:48:26Z", "customer_id": ADA, "order_id": "#1001",
         "product_id": "Tote", "brand": "Leaf", "quantity": 1, "price": 17, "discount": 0},
        {"event_type": "purchase", "timestamp": "2024-03-15T14:00:00Z", "customer_id": BO, "order_id": "#1002",
         "product_id": "MUG-1", "brand": "Clay", "quantity": 1, "price": 25, "discount": 0, "currency": "USD",
         "region": "US"},
        {"event_type": "refund", "timestamp": "2024-03-16T16:00:00Z", "customer_id": BO, "order_id": "#1002",
         "price": 25, "currency": "USD", "region": "US"},
    ],
    "woocommerce": [
        {"event_type": "purchase", "timestamp": "2024-03-14T09:48:26Z", "customer_id": "12", "order_id": "731",
         "price": 40.5, "discount": 5, "currency": "USD", "region": "US"},
        {"event_type": "purchase", "timestamp": "2024-03-15T10:00:00Z", "customer_id": BO, "order_id": "732",
         "price": 12, "currency": "USD", "region": "DE"},
    ],
    "woocommerce_api": [
        {"event_type": "purchase", "timestamp": "2024-03-22T19:28:02Z", "customer_id": ADA, "order_id": "727",
         "product_id": "93", "quantity": 2, "price": 2, "currency": "USD", "region": "US"},
        {"event_type": "purchase", "timestamp": "2024-03-22T19:28:02Z", "customer_id": ADA, "order_id": "727",
         "product_id": "Bar3", "quantity": 1, "price": 12, "currency": "USD", "region": "US"},
    ],
    "magento": [
        {"event_type": "purchase", "timestamp": "2023-12-07T22:11:12Z", "customer_id": ADA, "order_id": "000000003",
         "price": 118},
        {"event_type": "purchase", "timestamp": "2023-12-08T14:00:00Z", "customer_id": BO, "order_id": "000000004",
         "price": 1_020.5},
    ],
    "magento_api": [
        {"event_type": "purchase", "timestamp": "2023-12-07T22:11:12Z", "customer_id": "2", "order_id": "000000003",
         "product_id": "WS12-M-Orange", "quantity": 2, "price": 20, "discount": 4, "currency": "USD", "region": "US"},
        {"event_type": "purchase", "timestamp": "2023-12-07T22:11:12Z", "customer_id": "2", "order_id": "000000003",
         "product_id": "24-WB01", "quantity": 1, "price": 32, "discount": 0, "currency": "USD", "region": "US"},
        {"event_type": "purchase", "timestamp": "2023-12-08T10:00:00Z", "customer_id": BO, "order_id": "000000004",
         "product_id": "24-WB01", "quantity": 1, "price": 32, "discount": 0, "currency": "USD", "region": "DE"},
        {"event_type": "refund", "timestamp": "2023-12-10T10:00:00Z", "customer_id": BO, "order_id": "000000004",
         "price": 32, "currency": "USD", "region": "DE"},
    ],
    "adobe_analytics": [
        {**VISIT, "event_type": "page_view", "timestamp": "2024-03-14T09:48:26Z"},
        {**VISIT, "event_type": "view_item", "timestamp": "2024-03-14T09:48:26Z", "product_id": "FERN-1",
         "category": "Plants"},
        {**VISIT, "event_type": "add_to_cart", "timestamp": "2024-03-14T09:50:00Z", "product_id": "FERN-1",
         "category": "Plants"},
        {**VISIT, "event_type": "page_view", "timestamp": "2024-03-14T09:51:40Z", "customer_id": "ada"},
        {**VISIT, "event_type": "purchase", "timestamp": "2024-03-14T09:51:40Z", "customer_id": "ada",
         "order_id": "T-1", "category": "Plants", **FERN},
        {**VISIT, "event_type": "purchase", "timestamp": "2024-03-14T09:51:40Z", "customer_id": "ada",
         "order_id": "T-1", "quantity": 1, **MUG},
        {**VISIT, "event_type": "page_view", "timestamp": "2024-03-14T09:52:30Z"},
        {**VISIT, "event_type": "remove_from_cart", "timestamp": "2024-03-14T09:53:00Z", "product_id": "MUG-1"},
        {**VISIT, "event_type": "begin_checkout", "timestamp": "2024-03-14T09:53:00Z"},
    ],
    "snowplow": [
        {**SNOWPLOW, "event_type": "page_view"},
        {**SNOWPLOW, "event_type": "view_item", "category": "Kitchen", "currency": "USD", **MUG},
        {**SNOWPLOW, "event_type": "purchase", "customer_id": "ada", "order_id": "T-1", "category": "Plants",
         "brand": "Leaf", "currency": "USD", **FERN},
        {**SNOWPLOW, "event_type": "purchase", "customer_id": "ada", "order_id": "T-1", "category": "Kitchen",
         "currency": "USD", **MUG},
        {**SNOWPLOW, "event_type": "begin_checkout"},
        {**SNOWPLOW, "event_type": "purchase", "order_id": "T-0", "quantity": 1, "currency": "USD", **MUG},
    ],
    "snowplow_tsv": [
        {**SNOWPLOW, "event_type": "page_view"},
        {**SNOWPLOW, "event_type": "view_item", "order_id": "e-2", "category": "Kitchen", "currency": "USD", **MUG},
        {**SNOWPLOW, "event_type": "purchase", "customer_id": "ada", "order_id": "e-3", "category": "Plants",
         "brand": "Leaf", "currency": "USD", **FERN},
        {**SNOWPLOW, "event_type": "purchase", "customer_id": "ada", "order_id": "e-3", "category": "Kitchen",
         "currency": "USD", **MUG},
        {**SNOWPLOW, "event_type": "begin_checkout"},
    ],
    "posthog": [
        {**POSTHOG, "event_type": "page_view", "timestamp": "2024-03-14T09:48:26.500Z"},
        {**POSTHOG, "event_type": "view_item", "timestamp": "2024-03-14T09:49:00Z", "category": "Kitchen",
         "currency": "USD", **MUG},
        {**POSTHOG, "event_type": "identify", "timestamp": "2024-03-14T09:50:00Z", "customer_id": "ada"},
        {**POSTHOG, "event_type": "purchase", "timestamp": "2024-03-14T09:51:00Z", "customer_id": "ada",
         "order_id": "T-1", "brand": "Leaf", "currency": "USD", **FERN},
        {**POSTHOG, "event_type": "purchase", "timestamp": "2024-03-14T09:51:00Z", "customer_id": "ada",
         "order_id": "T-1", "quantity": 1, "currency": "USD", **MUG},
        {**POSTHOG, "event_type": "quiz finished", "timestamp": "2024-03-14T09:53:00Z"},
    ],
    "matomo": [
        {**MATOMO, "event_type": "page_view", "timestamp": "2024-03-14T09:48:26Z"},
        {**MATOMO, "event_type": "page_view", "timestamp": "2024-03-14T09:48:30Z"},
        {**MATOMO, "event_type": "view_item", "timestamp": "2024-03-14T09:48:30Z", "category": "Kitchen", **MUG},
        {**MATOMO, "event_type": "search", "timestamp": "2024-03-14T09:48:40Z"},
        {**MATOMO, "event_type": "purchase", "timestamp": "2024-03-14T09:50:00Z", "order_id": "T-1",
         "category": "Plants", **FERN},
        {**MATOMO, "event_type": "purchase", "timestamp": "2024-03-14T09:50:00Z", "order_id": "T-1", "quantity": 1,
         **MUG},
        {**MATOMO, "event_type": "add_to_cart", "timestamp": "2024-03-14T09:51:40Z", "product_id": "POT-1",
         "category": "Kitchen", "quantity": 1, "price": 10},
        {"event_type": "page_view", "timestamp": "2024-03-14T09:53:20Z", "customer_id": "bo", "anonymous_id": "d4",
         "session_id": "4", "device": "desktop", "region": "de", "channel": "search", "currency": "USD"},
    ],
    "online_retail": [
        {"event_type": "purchase", "timestamp": "2010-12-01T08:26:00Z", "customer_id": "17850", "order_id": "536365",
         "product_id": "85123A", "quantity": 6, "price": 2.55, "region": "United Kingdom"},
        {"event_type": "refund", "timestamp": "2010-12-01T09:41:00Z", "customer_id": "14527", "order_id": "C536379",
         "product_id": "D", "quantity": 1, "price": 27.5, "region": "United Kingdom"},
        {"event_type": "purchase", "timestamp": "2010-12-01T12:00:00Z", "customer_id": "12345", "order_id": "536415",
         "product_id": "22140", "quantity": 1, "price": 1.25, "region": "France"},
    ],
}  # fmt: skip
REFUSED = {"shopify": ["Email is missing"], "online_retail": ["CustomerID and Customer ID are missing"]}


def translator(name: str) -> Translator:
    return Translator(read_mapping(mappings.document(name)))


def told(event: Event) -> dict[str, Any]:
    fields = {name: value for name, value in msgspec.structs.asdict(event).items() if value is not None}
    return {**fields, "timestamp": parse_timestamp(event.timestamp), "event_id": ""}


def in_order(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(events, key=lambda event: json.dumps(event, sort_keys=True))


@pytest.mark.parametrize("name", mappings.NAMES)
def test_an_export_becomes_the_events_that_it_tells(name: str) -> None:
    path = SAMPLES[name]
    batches = [*read_mapped(io.BytesIO(path.read_bytes()), path.name, translator(name))]
    events = [event for batch in batches for event in batch.events]
    expected = [{**event, "timestamp": parse_timestamp(event["timestamp"]), "event_id": ""} for event in EXPECTED[name]]
    assert in_order(list(map(told, events))) == in_order(expected)
    assert [r.reason for batch in batches for r in batch.rejections] == REFUSED.get(name, [])
    assert len({event.event_id for event in events}) == len(events)


@pytest.mark.parametrize("name", mappings.NAMES)
def test_what_is_counted_of_it_keeps_every_rule(name: str) -> None:
    [chunk] = read_file(SAMPLES[name], SAMPLES[name].name, Rules(), translator(name))
    assert len(chunk.events) == len(EXPECTED[name])


@pytest.mark.parametrize("name", mappings.NAMES)
def test_it_says_what_it_reads_and_by_which_pages(name: str) -> None:
    first, second, *_ = mappings.document(name).decode().splitlines()
    assert first == f"# {mappings.title(name)}"
    assert re.search(r"\w+\.(com|org|io|edu)/", second)


def test_the_page_lists_them() -> None:
    page = (Path(__file__).parents[2] / "docs" / "bring-your-own.md").read_text()
    rows = re.findall(r"^\| (`[^|]+) \|", page, re.MULTILINE)
    assert sorted(name for row in rows for name in re.findall(r"`(\w+)`", row)) == sorted(mappings.NAMES)


def test_posthogs_parquet_tells_the_same_as_its_json() -> None:
    rows = [json.loads(line) for line in SAMPLES["posthog"].read_text().splitlines()]
    for row in rows:
        row["properties"] = json.dumps(row["properties"])
        row["timestamp"] = datetime.fromisoformat(row["timestamp"]).astimezone(UTC)
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out)
    [parquet] = read_file(io.BytesIO(out.getvalue()), "a.parquet", Rules(), translator("posthog"))
    [ndjson] = read_file(SAMPLES["posthog"], "posthog.ndjson", Rules(), translator("posthog"))
    assert sorted(parquet.events.rows.fingerprint) == sorted(ndjson.events.rows.fingerprint)
    assert sorted(parquet.events.rows.time_ms) == sorted(ndjson.events.rows.time_ms)
    assert parquet.rejections == []


def test_a_name_that_none_has_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidMapping, match="no such file, and no mapping of that name; there are adobe_analytics, "):
        mappings.named(Path("../mapping"))
    (tmp_path / "mapping.toml").write_bytes(b"mine")
    assert mappings.named(tmp_path / "mapping.toml") == b"mine"
    assert mappings.named(Path("shopify")) == mappings.document("shopify")


@pytest.mark.parametrize("pattern", ["events/shopify/*", 'a "quoted"\nname\x7f', "Müsli/*"])
@pytest.mark.parametrize("name", mappings.NAMES)
def test_it_is_for_the_files_that_are_named(name: str, pattern: str) -> None:
    mapping = read_mapping(mappings.with_options(mappings.document(name), {"files": pattern}))
    assert mapping == replace(read_mapping(mappings.document(name)), files=pattern.replace("\x7f", "?"))


def test_words_of_the_shop_are_no_options() -> None:
    document = b"""columns = {timestamp = "a", customer_id = "b", event_type = "c"}
        [event_types]
        files = "page_view"
    """
    assert read_mapping(mappings.with_options(document, {"files": "*.csv"})).event_types == {"files": "page_view"}
