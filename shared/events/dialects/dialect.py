"""What a dialect is, and how a record in one is read as events of the contract."""

import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import replace
from xxhash import xxh3_128_hexdigest

from shared.events.attributes import fitting_attributes
from shared.events.event import DESCRIPTIONS, LARGEST_AMOUNT, Event, explain
from shared.features.attributes import MOST_ATTRIBUTES

type Record = Mapping[str, Any]
type Filled = dict[str, tuple[str, Any]]  # of each field of the contract, the path that held it and its value

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

    title: str
    """Of its section in docs/events.md, which lists `types` and `fields`."""
    speaks_of: Callable[[Collection[str]], bool]
    """Whether a record of these fields, or a table of these columns, is in the dialect."""
    name_path: Callable[[Record], str | None]
    """Where a record says what happened; None for one that is in no dialect after all."""
    types: Mapping[str, str]
    """Its names of events and the contract's; any other name is kept."""
    fields: Mapping[str, tuple[str, ...]]
    """The contract's, and the paths that may hold each: the first that is filled counts. Those of `customer_id` and
    `anonymous_id` tell who its people are."""
    products: str
    """The path of the list of products, which with [] leads into each of them."""
    identity: tuple[str, ...]
    """What together tells a record from all others."""
    meanings: Mapping[str, Callable[[Any], Any]]
    """Of words and units of its own, the contract's; None for unknown."""
    in_contract_amounts: Callable[[list[Event]], list[Event]]
    """The lines of an order, with prices after discounts and with discounts of all units of a line."""
    order_amounts: tuple[str, ...] = ()
    """Paths of `price` that hold what all of an order cost."""
    attributes: Callable[[Record], Mapping[str, Any]] = lambda _record: {}
    """What a prepared record says of its customer, of which only what can be an attribute is taken."""
    prepared: Callable[[Record], Record] = lambda record: record
    """The record with its values where `fields` looks for them."""


def translated(raw: Record, dialect: Dialect) -> list[Event]:
    """The events that a record in the dialect tells; none where it is none after all. Raises LineBroken."""
    path = dialect.name_path(raw)
    if path is None:
        return []
    record = dialect.prepared({name: from_text(value) for name, value in raw.items()})
    name = as_text(record.get(path))
    if not isinstance(name, str) or not name:
        raise LineBroken(f"{path} must be {DESCRIPTIONS['event_type']}")
    event_type = dialect.types.get(name, name)
    lines = _lines(record, dialect, event_type in _ORDERS)
    if lines[0].keys().isdisjoint(("customer_id", "anonymous_id")):
        people = (dialect.fields[field][-1] for field in ("customer_id", "anonymous_id"))
        raise LineBroken(" is missing, and so is ".join(people))
    named = {"event_type": (path, event_type)}
    ids = _event_ids(record, dialect, len(lines))
    if known := fitting_attributes(dialect.attributes(record), MOST_ATTRIBUTES):
        lines[0]["attributes"] = ("", known)
    events = [_event({**line, **named, "event_id": ("", id_)}, dialect) for line, id_ in zip(lines, ids, strict=True)]
    if lines[0].get("price", ("",))[0] in dialect.order_amounts:
        return [replace(events[0], quantity=1.0)]
    return dialect.in_contract_amounts(events) if event_type in _ORDERS else events


def value_at(record: Record, path: str) -> Any:
    """What `path` leads to, name by name or as one column with dots in its name; None where it leads nowhere.

    A number leads to that entry of a list, from 0.
    """
    if path in record:
        return record[path]
    listed, bracket, inner = path.rpartition("[].")
    value: Any = record.get(f"{listed}[]") if bracket else record
    for name in inner.split("."):
        if isinstance(value, list) and name.isdecimal():
            value = dict(enumerate(value)).get(int(name[:9]))
            continue
        value = by_key(value)
        value = value.get(name) if isinstance(value, dict) else None
    return value


def by_key(params: Any) -> Any:
    """BigQuery's list of keys, each with a value of one of four types, as one object; anything else as it is."""
    if not isinstance(params, list):
        return params
    return {
        param.get("key"): next((typed for typed in param["value"].values() if typed is not None), None)
        for param in params
        if isinstance(param, dict) and isinstance(param.get("key"), str) and isinstance(param.get("value"), dict)
    }


def as_text(value: Any) -> Any:
    """Names and ids may come as numbers; anything else stays, to be refused."""
    if isinstance(value, str):
        return value
    value = int(value) if isinstance(value, float) and abs(value) < _EXACT and value.is_integer() else value
    if isinstance(value, float) and not abs(value) < _EXACT:
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def upper_case(code: Any) -> str:
    """A currency's code as the contract has it."""
    return str(code).upper()


def from_text(value: Any) -> Any:
    """What a table holds as JSON text."""
    if isinstance(value, str) and value.startswith(("{", "[")):
        for text in (value, _NOT_NUMBERS.sub("null", value)):
            with suppress(ValueError, RecursionError):
                return msgspec.json.decode(text)
    return value


def _lines(record: Record, dialect: Dialect, is_order: bool) -> list[Filled]:
    """What is told of each product of an order, or of an event as a whole."""
    products = value_at(record, dialect.products) or []
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


def _find(record: Record, dialect: Dialect, fields: Mapping[str, Collection[str]], at: str = "") -> Filled:
    filled: Filled = {}
    for field, paths in fields.items():
        if first := _first_filled(record, field, paths, dialect):
            path, value = first
            filled[field] = (path.replace("[]", at), value)
    return filled


def _first_filled(record: Record, field: str, paths: Collection[str], dialect: Dialect) -> tuple[str, Any] | None:
    for path in paths:
        value = value_at(record, path)
        if value in (None, "", "(not set)"):
            continue
        value = value if field in _NUMBERS else as_text(value)
        if field not in dialect.meanings or (value := dialect.meanings[field](value)) is not None:
            return path, value
    return None


def _event_ids(record: Record, dialect: Dialect, lines: int) -> list[str]:
    parts = [part if isinstance(part := as_text(value_at(record, path)), str) else "" for path in dialect.identity]
    whole = "/".join(parts) if any(parts) else msgspec.json.encode(record, order="deterministic").decode()
    whole = whole if len(whole) <= _LONGEST_ID else xxh3_128_hexdigest(whole.encode())
    return [whole] if lines == 1 else [f"{whole}/{at}" for at in range(lines)]


def _event(filled: Filled, dialect: Dialect) -> Event:
    values = {"quantity": 1, **{field: value for field, (_, value) in filled.items()}}
    try:
        event = msgspec.convert(values, Event, strict=False)
    except msgspec.ValidationError as error:
        field, _, rule = explain(error, values).partition(" ")
        path = filled[field][0] if field in filled else dialect.fields.get(field, (field,))[0]
        raise LineBroken(f"{path} {rule}") from error
    if max(event.price or 0.0, event.discount or 0.0) * (event.quantity or 1.0) > LARGEST_AMOUNT:
        raise LineBroken(f"{filled['quantity'][0]} times the price or the discount is above {LARGEST_AMOUNT:,.0f}")
    return event
