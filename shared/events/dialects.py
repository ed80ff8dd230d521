"""Records of Segment, RudderStack and GA4 as events of the contract: tables of what their words mean.

The words are those of Twilio Segment's "Spec: V2 Ecommerce Events", "Spec: Common fields" and "Spec: Alias"
(twilio.com/docs/segment/connections/spec), of RudderStack's "Common Fields" and "Session Tracking in RudderStack SDKs"
(rudderstack.com/docs), and of Google's "[GA4] BigQuery Export schema" (support.google.com/analytics/answer/7029846)
and "Apply a discount to an ecommerce event" (developers.google.com/analytics/devguides/collection/ga4/apply-discount).
"""

import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import msgspec
from msgspec.structs import replace
from xxhash import xxh3_128_hexdigest

from shared.events.event import DESCRIPTIONS, LARGEST_AMOUNT, Event, explain

type Record = Mapping[str, Any]
type Found = dict[str, tuple[str, Any]]  # of each field of the contract, the path that held it and its value

_ORDERS = ("purchase", "refund")
_NUMBERS = ("timestamp", "quantity", "price", "discount", "engagement_seconds")
_EXACT = 2.0**53
"""From here on several whole numbers are one and the same float."""
MOST_PRODUCTS = 1_000
"""Of a record: each becomes an event, which takes a hundred times the bytes."""
_NOT_NUMBERS = re.compile(r"-?\b(?:NaN|Infinity)\b")  # written by DuckDB, though no JSON
_LONGEST_ID = 120  # of a record: leaves room for the position of a line within the contract's 128


class LineBroken(ValueError):
    """A record in a known dialect breaks a rule: the message says which, in the words of the dialect."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one tool's records say what the contract says. Paths are names joined by dots."""

    types: Mapping[str, str]  # its names of events and the contract's; any other name is kept
    fields: Mapping[str, tuple[str, ...]]  # the contract's, and the paths that may hold each: the first filled counts
    products: str  # the path of the list of products, which with [] leads into each of them
    identity: tuple[str, ...]  # what together tells a record from all others
    meanings: Mapping[str, Callable[[Any], Any]]  # of words and units of its own, the contract's; None for unknown
    settle: Callable[[list[Event]], list[Event]]  # the lines of an order with the contract's amounts


def translate(raw: Record) -> list[Event]:
    """The events that `raw` tells in a known dialect; none where it is in no dialect.

    A record gives one event; an order or a refund gives one for each of the products it lists.
    Raises LineBroken: all events of a record count, or none.
    """
    dialect = dialect_of(raw.keys()) if raw.get("event_type") is None else None
    if dialect is None or (dialect is SEGMENT and raw["type"] not in SEGMENT_CALLS):
        return []
    record: Record = {name: _from_text(value) for name, value in raw.items()}
    record = _unnested(record) if dialect is GA4 else record
    path = "event_name" if dialect is GA4 else "event" if record["type"] == "track" else "type"
    name = _text(record.get(path))
    if not isinstance(name, str) or not name:
        raise LineBroken(f"{path} must be {DESCRIPTIONS['event_type']}")
    event_type = dialect.types.get(name, name)
    lines = _lines(record, dialect, event_type in _ORDERS)
    if lines[0].keys().isdisjoint(("customer_id", "anonymous_id")):
        people = (dialect.fields[field][-1] for field in ("customer_id", "anonymous_id"))
        raise LineBroken(" is missing, and so is ".join(people))
    named = {"event_type": (path, event_type)}
    ids = _event_ids(record, dialect, len(lines))
    events = [_event({**line, **named, "event_id": ("", id_)}, dialect) for line, id_ in zip(lines, ids, strict=True)]
    if lines[0].get("price", ("",))[0] in _ORDER_AMOUNTS:
        return [replace(events[0], quantity=1.0)]
    return dialect.settle(events) if event_type in _ORDERS else events


def dialect_of(names: Collection[str]) -> Dialect | None:
    """The dialect that speaks of these fields or columns, if any does."""
    if "type" in names and any(name in names for name in ("messageId", "userId", "anonymousId", "properties")):
        return SEGMENT
    return GA4 if "event_name" in names and "event_timestamp" in names else None


def _from_text(value: Any) -> Any:
    """What a table holds as JSON text."""
    if isinstance(value, str) and value.startswith(("{", "[")):
        for text in (value, _NOT_NUMBERS.sub("null", value)):
            with suppress(ValueError, RecursionError):
                return msgspec.json.decode(text)
    return value


def _lines(record: Record, dialect: Dialect, is_order: bool) -> list[Found]:
    """What is told of each product of an order, or of an event as a whole."""
    products = _at(record, dialect.products) or []
    if not isinstance(products, list) or not all(isinstance(product, dict) for product in products):
        raise LineBroken(f"{dialect.products} must be a list of objects")
    if len(products) > MOST_PRODUCTS:
        raise LineBroken(f"{dialect.products} lists more than {MOST_PRODUCTS:,} products")
    if products and (is_order or len(products) == 1):
        listed = f"{dialect.products}[]"
        inside = {field: [p for p in paths if p.startswith(listed)] for field, paths in dialect.fields.items()}
        # What all products share is looked for once: a record may be long, and name many of them.
        shared = _find(record, dialect, {field: dialect.fields[field] for field, of in inside.items() if not of})
        return [shared | _find({listed: product}, dialect, inside, f"[{at}]") for at, product in enumerate(products)]
    return [_find(record, dialect, dialect.fields)]


def _find(record: Record, dialect: Dialect, fields: Mapping[str, Collection[str]], at: str = "") -> Found:
    found: Found = {}
    for field, paths in fields.items():
        if filled := _filled(record, field, paths, dialect):
            found[field] = (filled[0].replace("[]", at), filled[1])
    return found


def _filled(record: Record, field: str, paths: Collection[str], dialect: Dialect) -> tuple[str, Any] | None:
    for path in paths:
        value = _at(record, path)
        if value in (None, "", "(not set)"):
            continue
        value = value if field in _NUMBERS else _text(value)
        if field not in dialect.meanings or (value := dialect.meanings[field](value)) is not None:
            return path, value
    return None


def _at(record: Record, path: str) -> Any:
    """What `path` leads to, name by name or as one column with dots in its name; None where it leads nowhere."""
    if path in record:
        return record[path]
    listed, bracket, inner = path.rpartition("[].")
    found: Any = record.get(f"{listed}[]") if bracket else record
    for name in inner.split("."):
        found = _by_key(found)
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _text(value: Any) -> Any:
    """Names and ids may come as numbers; anything else stays, to be refused."""
    value = int(value) if isinstance(value, float) and abs(value) < _EXACT and value.is_integer() else value
    if isinstance(value, float) and not abs(value) < _EXACT:
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _event_ids(record: Record, dialect: Dialect, lines: int) -> list[str]:
    parts = [part if isinstance(part := _text(_at(record, path)), str) else "" for path in dialect.identity]
    whole = "/".join(parts) if any(parts) else msgspec.json.encode(record, order="deterministic").decode()
    whole = whole if len(whole) <= _LONGEST_ID else xxh3_128_hexdigest(whole.encode())
    return [whole] if lines == 1 else [f"{whole}/{at}" for at in range(lines)]


def _event(found: Found, dialect: Dialect) -> Event:
    values = {"quantity": 1, **{field: value for field, (_, value) in found.items()}}
    try:
        event = msgspec.convert(values, Event, strict=False)
    except msgspec.ValidationError as error:
        field, _, rule = explain(error, values).partition(" ")
        path = found[field][0] if field in found else dialect.fields.get(field, (field,))[0]
        raise LineBroken(f"{path} {rule}") from error
    if max(event.price or 0.0, event.discount or 0.0) * (event.quantity or 1.0) > LARGEST_AMOUNT:
        raise LineBroken(f"{found['quantity'][0]} times the price or the discount is above {LARGEST_AMOUNT:,.0f}")
    return event


def _device(value: Any) -> str | None:
    text = f" {value} ".lower()
    return next((device for device, words in _DEVICES.items() if any(word in text for word in words)), None)


def _spread_discount(events: list[Event]) -> list[Event]:
    """Prices are before the order's discount, which lines share by their amounts: to the cent, and to the same sum."""
    discount = events[0].discount
    if not discount:
        return events
    amounts = [(event.price or 0.0) * (event.quantity or 1.0) for event in events]
    *before, total = accumulate(amounts)
    if discount > round(total, 4):
        raise LineBroken(f"properties.discount is {discount:,.2f}, but the products cost {total:,.2f} in all")
    ends = [0.0, *(round(discount * so_far / total, 2) for so_far in before), discount]
    parts = [round(end - start, 4) for start, end in pairwise(ends)]
    return [
        replace(event, discount=part, price=max(0.0, amount - part) / (event.quantity or 1.0))
        for event, amount, part in zip(events, amounts, parts, strict=True)
    ]


_DEVICES = {  # tablets call themselves mobile too, so they come first
    "tablet": ("ipad", "tablet"),
    "mobile": ("mobi", " ios ", "android"),
    "desktop": ("desktop", "windows nt", "macintosh", "x11"),
}
SEGMENT_CALLS = ("track", "page", "screen", "identify", "group", "alias")
_ORDER_AMOUNTS = ("properties.subtotal", "properties.revenue", "properties.total")  # after the discount
SEGMENT = Dialect(
    types={
        "page": "page_view",
        "screen": "page_view",
        "alias": "identify",
        "Products Searched": "search",
        "Product List Viewed": "view_item",
        "Product Clicked": "view_item",
        "Product Viewed": "view_item",
        "Promotion Clicked": "select_promotion",
        "Product Added": "add_to_cart",
        "Product Removed": "remove_from_cart",
        "Checkout Started": "begin_checkout",
        "Order Completed": "purchase",
        "Order Refunded": "refund",
        "Email Opened": "email_open",
        "Email Link Clicked": "email_click",
    },
    fields={
        "timestamp": ("timestamp", "originalTimestamp", "sentAt", "receivedAt"),
        "customer_id": ("userId",),
        "anonymous_id": ("previousId", "anonymousId"),
        "session_id": ("context.sessionId", "context.session.id", "properties.session_id"),
        "order_id": ("properties.order_id",),
        "product_id": (
            "properties.products[].product_id",
            "properties.products[].sku",
            "properties.product_id",
            "properties.sku",
        ),
        "category": ("properties.products[].category", "properties.category"),
        "brand": ("properties.products[].brand", "properties.brand"),
        "quantity": ("properties.products[].quantity", "properties.quantity"),
        "price": ("properties.products[].price", "properties.price", *_ORDER_AMOUNTS),
        "discount": ("properties.discount",),
        "currency": ("properties.currency",),
        "device": ("context.device.type", "context.userAgent"),
        "channel": ("context.campaign.medium",),
    },
    products="properties.products",
    identity=("messageId",),
    meanings={"currency": lambda code: str(code).upper(), "device": _device},
    settle=_spread_discount,
)


def _unnested(record: Record) -> Record:
    """Parameters by their keys; a session's id with its visitor's, as GA4 counts sessions for each visitor."""
    flat = {**record, "event_params": _by_key(record.get("event_params"))}
    session, visitor = _text(_at(flat, "event_params.ga_session_id")), _text(flat.get("user_pseudo_id"))
    if isinstance(session, str) and isinstance(visitor, str):
        flat["event_params.ga_session_id"] = f"{visitor}.{session}"
    if isinstance(items := flat.get("items"), list):
        flat["item_ids"] = ",".join(str(_text(i.get("item_id"))) for i in items if isinstance(i, dict))
    return flat


def _by_key(params: Any) -> Any:
    """BigQuery's list of keys, each with a value of one of four types, as one object."""
    if not isinstance(params, list):
        return params
    return {
        param.get("key"): next((typed for typed in param["value"].values() if typed is not None), None)
        for param in params
        if isinstance(param, dict) and isinstance(param.get("key"), str) and isinstance(param.get("value"), dict)
    }


def _seconds(value: Any, units: float, least: float, rule: str) -> float:
    with suppress(TypeError, ValueError, OverflowError):
        if float(value) >= least:
            return float(value) / units
    raise LineBroken(f"{rule}, not {value!r:.80}")


_SENT = ("user_pseudo_id", "user_id", "event_timestamp", "event_name", "event_bundle_sequence_id")
_BATCH = ("batch_page_id", "batch_ordering_id", "batch_event_index")
GA4 = Dialect(
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
        "currency": lambda code: str(code).upper(),
        "timestamp": lambda at: _seconds(at, 1e6, 1e15, "event_timestamp must be in microseconds since 1970"),
        "engagement_seconds": lambda value: _seconds(
            value, 1e3, 0, "event_params.engagement_time_msec must be a number from 0"
        ),
    },
    # Prices are after the discount already, and the discount is that of one unit.
    settle=lambda events: [replace(e, discount=(e.discount or 0.0) * (e.quantity or 1.0)) for e in events],
)
