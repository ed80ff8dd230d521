"""Records of Google Analytics 4, as its export to BigQuery writes them.

The words are those of Google's "[GA4] BigQuery Export schema" (support.google.com/analytics/answer/7029846) and
"Apply a discount to an ecommerce event" (developers.google.com/analytics/devguides/collection/ga4/apply-discount).
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from shared.events.dialects.dialect import Dialect, LineBroken, Record, as_text, by_key, upper_case, value_at
from shared.events.event import Event


def _unnested(record: Record) -> Record:
    """Parameters by their keys; a session's id with its visitor's, as GA4 counts sessions for each visitor."""
    flat = {**record, "event_params": by_key(record.get("event_params"))}
    session, visitor = as_text(value_at(flat, "event_params.ga_session_id")), as_text(flat.get("user_pseudo_id"))
    if isinstance(session, str) and isinstance(visitor, str):
        flat["event_params.ga_session_id"] = f"{visitor}.{session}"
    if isinstance(items := flat.get("items"), list):
        flat["item_ids"] = ",".join(str(as_text(i.get("item_id"))) for i in items if isinstance(i, dict))
    return flat


def _seconds(value: Any, units: float, least: float, rule: str) -> float:
    with suppress(TypeError, ValueError, OverflowError):
        if float(value) >= least:
            return float(value) / units
    raise LineBroken(f"{rule}, not {value!r:.80}")


def _of_all_units(events: list[Event]) -> list[Event]:
    """Prices are after the discount already, and the discount is that of one unit."""
    return [replace(event, discount=(event.discount or 0.0) * (event.quantity or 1.0)) for event in events]


def _properties(record: Record) -> Mapping[str, Any]:
    """User properties but for those that Google sets itself: each has one value of four types, and when it was set."""
    listed = record.get("user_properties")
    values = {
        each["key"]: {kind: value for kind, value in each["value"].items() if kind != "set_timestamp_micros"}
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, dict) and isinstance(each.get("key"), str) and isinstance(each.get("value"), dict)
    }
    known = by_key([{"key": key, "value": value} for key, value in values.items()])
    return {key: value for key, value in known.items() if not key.startswith(_GOOGLES)}


_GOOGLES = ("_", "ga_", "google_", "firebase_", "first_open_")
_SENT = ("user_pseudo_id", "user_id", "event_timestamp", "event_name", "event_bundle_sequence_id")
_BATCH = ("batch_page_id", "batch_ordering_id", "batch_event_index")
GA4 = Dialect(
    title="GA4 export to BigQuery",
    speaks_of=lambda names: "event_name" in names and "event_timestamp" in names,
    name_path=lambda _record: "event_name",
    types=dict.fromkeys(("view_item_list", "select_item"), "view_item")
    | {"screen_view": "page_view", "view_search_results": "search"},
    fields={
        "timestamp": ("event_timestamp",),
        "customer_id": ("user_id",),
        "anonymous_id": ("user_pseudo_id",),
        "session_id": ("event_params.ga_session_id",),
        "order_id": ("ecommerce.transaction_id", "event_params.transaction_id"),
        "product_id": ("items[].item_id",),
        "category": ("items[].item_category",),
        "brand": ("items[].item_brand",),
        "quantity": ("items[].quantity",),
        "price": ("items[].price", "ecommerce.purchase_revenue", "ecommerce.refund_value", "event_params.value"),
        "discount": ("items[].discount", "items[].item_params.discount"),
        "currency": ("event_params.currency", "ecommerce.currency"),
        "device": ("device.category",),
        "region": ("geo.country",),
        "channel": (
            "session_traffic_source_last_click.cross_channel_campaign.default_channel_group",
            "session_traffic_source_last_click.manual_campaign.medium",
            "collected_traffic_source.manual_medium",
            "event_params.medium",
        ),
        "engagement_seconds": ("event_params.engagement_time_msec",),
    },
    products="items",
    identity=(*_SENT, *_BATCH, "event_params.page_location", "item_ids"),
    meanings={
        "currency": upper_case,
        "timestamp": lambda at: _seconds(at, 1e6, 1e15, "event_timestamp must be in microseconds since 1970"),
        "engagement_seconds": lambda value: _seconds(
            value, 1e3, 0, "event_params.engagement_time_msec must be a number from 0"
        ),
    },
    in_contract_amounts=_of_all_units,
    attributes=_properties,
    prepared=_unnested,
)
