"""Which column of a foreign file is which field of an event: guesses by names and values, each with its confidence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from shared.events.mapping import MISSING, number
from training.inspection.sample import Row, Sample
from training.inspection.times import Written, written

LEAST = 0.5
"""Confidence below which a column is left out and only shown."""
LOOKED_AT = 2_000

NAMES: Mapping[str, Sequence[str]] = {
    "timestamp": ("timestamp", "event timestamp", "event time", "time", "datetime", "date", "created at", "order date",
                  "invoice date", "order purchase timestamp", "purchase date", "transaction date", "visit start time",
                  "occurred at", "ts", "server time", "date time", "paid at", "created", "processed at"),
    "customer_id": ("customer id", "user id", "customer", "user", "customer unique id", "client id", "account id",
                    "member id", "household id", "buyer id", "cust id", "shopper id", "customer email", "email"),
    "anonymous_id": ("anonymous id", "visitor id", "full visitor id", "visitor", "user pseudo id", "cookie id",
                     "device id", "distinct id", "domain userid", "visid", "mcvisid", "idvisitor"),
    "session_id": ("session id", "session", "user session", "visit id", "ga session id", "domain sessionid", "idvisit"),
    "event_type": ("event type", "event", "event name", "action", "activity type", "behavior type", "behaviour type",
                   "behavior", "interaction type", "type"),
    "order_id": ("order id", "invoice no", "invoice", "invoice number", "transaction id", "order number", "order",
                 "basket id", "receipt id", "order no", "increment id"),
    "product_id": ("product id", "item id", "sku", "stock code", "article id", "asin", "lineitem sku", "product code",
                   "product sku", "variant id", "item sku", "product", "item"),
    "category": ("category", "category code", "product category", "category name", "department", "product type",
                 "item category", "category id"),
    "brand": ("brand", "brand name", "vendor", "manufacturer", "item brand"),
    "quantity": ("quantity", "qty", "units", "lineitem quantity", "item quantity", "number of items", "qty ordered",
                 "pieces", "count", "amount of items"),
    "price": ("price", "unit price", "lineitem price", "item price", "price usd", "sales value", "revenue", "total",
              "order total", "amount", "grand total", "payment value", "sales", "value", "total price", "line total",
              "total revenue", "purchase revenue", "transaction revenue", "dollar value", "spend", "net sales"),
    "discount": ("discount", "discount amount", "lineitem discount", "retail disc", "coupon amount"),
    "currency": ("currency", "currency code", "order currency"),
    "device": ("device", "device category", "device type", "platform"),
    "region": ("country", "region", "state", "country code", "billing country", "shipping country", "city"),
    "channel": ("channel", "medium", "channel grouping", "traffic medium", "utm medium", "traffic source"),
    "engagement_seconds": ("engagement seconds", "time on site", "time on page", "dwell time", "duration seconds"),
    "event_id": ("event id", "message id", "uuid", "insert id", "hit id"),
}  # fmt: skip
"""What columns are called that hold each field, the usual names first."""

WORDS: Mapping[str, Sequence[str]] = {
    "page_view": ("page view", "pageview", "page", "visit", "session start", "screen view", "pv", "page viewed"),
    "view_item": ("view", "view item", "product view", "viewed", "product viewed", "detail", "detail view", "click",
                  "item view", "product detail", "select item"),
    "search": ("search", "searched", "view search results", "site search"),
    "add_to_cart": ("add to cart", "addtocart", "cart", "added to cart", "add", "basket", "add to basket",
                    "product added", "cart add"),
    "remove_from_cart": ("remove from cart", "removefromcart", "remove", "product removed", "cart remove"),
    "begin_checkout": ("begin checkout", "checkout", "checkout started", "initiate checkout", "start checkout"),
    "purchase": ("purchase", "transaction", "order", "buy", "bought", "sale", "order completed", "ordered", "purchased",
                 "conversion", "checkout complete", "paid"),
    "refund": ("refund", "return", "returned", "refunded", "cancel", "cancelled", "order refunded", "cancellation"),
    "email_open": ("email open", "email opened", "open"),
    "email_click": ("email click", "email link clicked", "email clicked"),
}  # fmt: skip
"""What tools and shops call the events that count."""
_MEANT = {word: event_type for event_type, words in WORDS.items() for word in words}
NUMBER_FIELDS = ("quantity", "price", "discount", "engagement_seconds")


@dataclass(frozen=True)
class Column:
    """A column's values as far as they are looked at."""

    name: str
    values: Sequence[Any]
    """Those that are filled."""
    rows: int

    @cached_property
    def words(self) -> str:
        """The name in small letters, its words parted by spaces."""
        return words(self.name.rpartition(".")[2])

    @cached_property
    def distinct(self) -> int:
        """Different values."""
        return len({str(value) for value in self.values})

    @cached_property
    def numbers(self) -> list[float]:
        """Those that are numbers, also behind a currency sign."""
        numbers = []
        for value in self.values[:LOOKED_AT]:
            try:
                if not isinstance(value, str) or not re.search(r"[A-DF-Za-df-z]{4}", value):
                    numbers.append(number(value))
            except (ValueError, TypeError):
                continue
        return numbers

    @cached_property
    def times(self) -> Written:
        """How its values are times."""
        return written(self.values[:LOOKED_AT])

    @property
    def share_of_numbers(self) -> float:
        """Of the values that are looked at."""
        return len(self.numbers) / max(1, min(len(self.values), LOOKED_AT))

    @property
    def share_filled(self) -> float:
        """Of the rows."""
        return len(self.values) / max(1, self.rows)


@dataclass(frozen=True)
class Guess:
    """A column that may hold a field."""

    field: str
    column: str
    confidence: float
    """From 0 to 1: what names and values speak for it."""
    why: str


@dataclass(frozen=True)
class Guesses:
    """All that is guessed of a file."""

    fields: Mapping[str, Guess]
    unsure: list[Guess] = field(default_factory=list)
    """Second thoughts, of columns that are not used."""
    event_types: Mapping[str, str] = field(default_factory=dict)
    """Their words and ours."""
    unknown_types: Mapping[str, int] = field(default_factory=dict)
    """Words that mean nothing here, with how often they come."""
    times: Written = field(default_factory=lambda: Written(0.0))
    constants: Mapping[str, str] = field(default_factory=dict)
    price_of: str = "unit"
    decimal: str = "."


def words(name: str) -> str:
    """A name in small letters, its words parted by spaces: `InvoiceDate`, `invoice_date` are `invoice date`."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return " ".join(re.findall(r"[a-z0-9]+", parted.lower()))


def columns_of(sample: Sample) -> list[Column]:
    """The sample by columns."""
    return [Column(name, _filled(sample.rows, name), len(sample.rows)) for name in sample.names]


def _filled(rows: Sequence[Row], name: str) -> list[Any]:
    values = (row.get(name) for row in rows)
    return [v for v in values if v is not None and not (isinstance(v, str) and v.strip() in ("", *MISSING))]


def guess(sample: Sample) -> Guesses:
    """The most likely field of each column; a column is one field's, and a field has one column."""
    columns = columns_of(sample)
    guesses = sorted(
        (one for name in NAMES for column in columns if column.values for one in [_judge(name, column)] if one),
        key=lambda one: -one.confidence,
    )
    chosen: dict[str, Guess] = {}
    taken: set[str] = set()
    unsure = []
    for one in guesses:
        if one.field in chosen or one.column in taken:
            continue
        if one.confidence < LEAST:
            unsure.append(one)
            continue
        chosen[one.field] = one
        taken.add(one.column)
    by_name = {column.name: column for column in columns}
    types, unknown = _types(by_name[chosen["event_type"].column]) if "event_type" in chosen else ({}, {})
    constants = {} if "event_type" in chosen else {"event_type": _only_type(chosen)}
    return Guesses(
        chosen,
        unsure,
        types,
        unknown,
        by_name[chosen["timestamp"].column].times if "timestamp" in chosen else Written(0.0),
        constants,
        _price_of(chosen),
        _decimal([by_name[chosen[f].column] for f in NUMBER_FIELDS if f in chosen]),
    )


def _judge(name: str, column: Column) -> Guess | None:
    by_name = _by_name(name, column.words)
    by_value, why = _VALUES.get(name, _any)(column)
    if not by_value or (not by_name and name not in ("timestamp", "event_type")):
        return None
    confidence = (0.6 * by_name + 0.4) * by_value
    called = f'called "{column.name}"' if by_name else f'whatever "{column.name}" means'
    return Guess(name, column.name, round(confidence, 2), f"{called}; {why}")


def _by_name(name: str, called: str) -> float:
    """1 for the usual names, less the further down the list they stand, half where a name is part of another."""
    names = NAMES[name]
    if called in names:
        return 1.0 - 0.3 * names.index(called) / len(names)
    squeezed = called.replace(" ", "")
    for at, usual in enumerate(names):
        if squeezed == usual.replace(" ", ""):
            return 1.0 - 0.3 * at / len(names)
    parts = called.split()
    inside = [at for at, usual in enumerate(names) if f" {usual} " in f" {called} "]
    return 0.5 - 0.2 * min(inside) / len(names) if inside and len(parts) <= 5 else 0.0


def _any(column: Column) -> tuple[float, str]:
    return 1.0, f"{column.distinct:,} different values"


def _time(column: Column) -> tuple[float, str]:
    return (column.times.share if column.times.share > 0.8 else 0.0), f"{column.times.share:.0%} are times"


def _numeric(column: Column) -> tuple[float, str]:
    share = column.share_of_numbers
    return (share if share > 0.8 else 0.0), f"{share:.0%} are numbers"


def _price(column: Column) -> tuple[float, str]:
    share, why = _numeric(column)
    whole = sum(n.is_integer() for n in column.numbers) / max(1, len(column.numbers))
    return share * (1.0 if whole < 0.95 else 0.9), why


def _id(column: Column) -> tuple[float, str]:
    longest = max(len(str(value)) for value in column.values[:LOOKED_AT])
    if longest > 128 or column.distinct < 2:
        return 0.0, "no ids"
    per_value = len(column.values) / column.distinct
    fractions = any(isinstance(v, float) and not v.is_integer() for v in column.values[:LOOKED_AT])
    return (0.0 if fractions else 1.0), f"{column.distinct:,} different ones, {per_value:.1f} rows each"


def _person(column: Column) -> tuple[float, str]:
    share, why = _id(column)
    return share * min(1.0, 0.5 + column.share_filled / 2), why


def _event_type(column: Column) -> tuple[float, str]:
    counts = Counter(str(value) for value in column.values)
    if len(counts) > 200 or all(re.fullmatch(r"[\d.\-]+", value) for value in counts):
        return 0.0, "too many words"
    known = sum(count for value, count in counts.items() if words(value) in _MEANT) / counts.total()
    why = f"{known:.0%} of its words are known as events"
    return (0.7 + 0.3 * known if known > 0.5 else 0.6 if not known else 0.8), why


def _few(column: Column) -> tuple[float, str]:
    ratio = column.distinct / max(1, len(column.values))
    return (0.5 if ratio > 0.9 and column.rows > 100 else 1.0), f"{column.distinct:,} different values"


def _currency(column: Column) -> tuple[float, str]:
    share = sum(bool(re.fullmatch(r"[A-Za-z]{3}", str(v))) for v in column.values) / len(column.values)
    return (share if share > 0.9 else 0.0), "codes of three letters"


_VALUES: Mapping[str, Callable[[Column], tuple[float, str]]] = {
    "timestamp": _time,
    "customer_id": _person,
    "anonymous_id": _person,
    "session_id": _id,
    "order_id": _id,
    "product_id": _id,
    "event_id": _id,
    "event_type": _event_type,
    "quantity": _numeric,
    "price": _price,
    "discount": _numeric,
    "engagement_seconds": _numeric,
    "currency": _currency,
    "category": _few,
    "brand": _few,
    "device": _few,
    "region": _few,
    "channel": _few,
}


def _types(column: Column) -> tuple[dict[str, str], dict[str, int]]:
    counts = Counter(str(value) for value in column.values)
    meant = {word: _MEANT[words(word)] for word in counts if words(word) in _MEANT}
    known = {word: event_type for word, event_type in meant.items() if word != event_type}
    return known, {word: count for word, count in counts.most_common() if word not in meant}


def _only_type(chosen: Mapping[str, Guess]) -> str:
    return "purchase" if chosen.keys() & {"price", "order_id", "quantity"} else "page_view"


def _price_of(chosen: Mapping[str, Guess]) -> str:
    """By its name: a total is of an order where no product is named, and else of a line."""
    if "price" not in chosen:
        return "unit"
    called = words(chosen["price"].column.rpartition(".")[2])
    total = re.search(r"\b(total|revenue|sales|amount|spend|payment|value)\b", called)
    if not total:
        return "unit"
    return "line" if "product_id" in chosen or "quantity" in chosen else "order"


def _decimal(columns: Sequence[Column]) -> str:
    texts = [value for column in columns for value in column.values[:LOOKED_AT] if isinstance(value, str)]
    commas = sum(bool(re.search(r",\d{1,2}\D*$", text)) for text in texts)
    points = sum(bool(re.search(r"\.\d{1,2}\D*$", text)) for text in texts)
    return "," if commas > points else "."
