"""Which column of a foreign file is which field of an event: guesses by names and values, each with its confidence."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from training.inspection.columns import LOOKED_AT, Column, columns_of, words
from training.inspection.sample import Sample
from training.inspection.times import Written

LEAST = 0.5
"""Confidence below which a column is left out and only shown."""

_WORDS = tomllib.loads(Path(__file__).with_name("words.toml").read_text())
NAMES: Mapping[str, Sequence[str]] = _WORDS["columns"]
"""What columns are called that hold each field, the usual names first."""
_MEANT = {word: event_type for event_type, called in _WORDS["event_types"].items() for word in called}
NUMBER_FIELDS = ("quantity", "price", "discount", "engagement_seconds")


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
    for one in _by_values(columns, chosen, taken):
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
        _price_of(chosen, by_name),
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


def _by_values(columns: Sequence[Column], chosen: Mapping[str, Guess], taken: Collection[str]) -> Iterator[Guess]:
    """Of fields without which there is nothing, the columns that look like them, whatever they are called."""
    left = [column for column in columns if column.name not in taken and column.values]
    names_tell = bool(chosen)

    def take(name: str, fits: Callable[[Column], bool], why: str) -> Iterator[Guess]:
        for column in left:
            if fits(column):
                left.remove(column)
                yield Guess(name, column.name, LEAST, f"{why}, whatever it is called")
                return

    if "timestamp" not in chosen:
        yield from take("timestamp", lambda column: column.times.share > 0.95, "its values are times")
    if not {"customer_id", "anonymous_id"} & chosen.keys():
        yield from take("customer_id", _is_person, "its values come again and again, as people do")
    if names_tell:
        return  # what they call neither a price nor a quantity is none
    if "price" not in chosen:
        yield from take("price", _is_price, "its values are amounts with cents")
    if "quantity" not in chosen and "event_type" not in chosen:
        yield from take("quantity", _is_quantity, "its values are small whole numbers")


def _is_person(column: Column) -> bool:
    share, _ = _id(column)
    again = len(column.values) / column.distinct
    return (
        share == 1.0 and column.share_filled > 0.5 and again > 1.2 and column.distinct > 20 and column.times.share < 0.9
    )


def _is_price(column: Column) -> bool:
    whole = sum(amount.is_integer() for amount in column.numbers) / max(1, len(column.numbers))
    return column.share_of_numbers > 0.9 and whole < 0.8


def _is_quantity(column: Column) -> bool:
    amounts = sorted(column.numbers)
    small = bool(amounts) and amounts[int(0.9 * (len(amounts) - 1))] <= 100
    return column.share_of_numbers > 0.9 and small and all(amount.is_integer() for amount in amounts)


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


def _price_of(chosen: Mapping[str, Guess], by_name: Mapping[str, Column]) -> str:
    """A total by its name, or as it grows with the quantity: of an order where no product is named, else of a line."""
    if "price" not in chosen:
        return "unit"
    if "quantity" in chosen and _grow_together(by_name[chosen["price"].column], by_name[chosen["quantity"].column]):
        return "line"
    called = words(chosen["price"].column.rpartition(".")[2])
    total = re.search(r"\b(total|revenue|sales|amount|spend|payment|value)\b", called)
    if not total:
        return "unit"
    return "line" if "product_id" in chosen or "quantity" in chosen else "order"


def _grow_together(price: Column, quantity: Column) -> bool:
    """Whether who buys more pays more, as with totals: prices of one piece fall with the number if anything."""
    if len(price.numbers) != len(quantity.numbers) or len(price.numbers) < 200:
        return False
    pairs = np.array([price.numbers, quantity.numbers])
    return bool(np.ptp(pairs, axis=1).all() and spearmanr(*pairs).statistic > 0.4)


def _decimal(columns: Sequence[Column]) -> str:
    texts = [value for column in columns for value in column.values[:LOOKED_AT] if isinstance(value, str)]
    commas = sum(bool(re.search(r",\d{1,2}\D*$", text)) for text in texts)
    points = sum(bool(re.search(r"\.\d{1,2}\D*$", text)) for text in texts)
    return "," if commas > points else "."
