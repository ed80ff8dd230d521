"""Which column of a foreign file is which field of an event: guesses by names and values, each with its confidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from training.inspection import together
from training.inspection.columns import Column, columns_of
from training.inspection.judges import is_person, is_price, is_quantity, judge
from training.inspection.names import NAMES, event_type_of, likeness
from training.inspection.sample import Sample
from training.inspection.times import Written

LEAST = 0.5
"""Confidence below which a column is left out and only shown."""
MONEY = ("price", "discount")
NUMBER_FIELDS = ("quantity", "price", "discount", "engagement_seconds")
JOINED = "day and hour"
"""What the two columns of a time are called together."""


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
    joined: Sequence[str] = ()
    """The columns of the day and of the hour, where they are two."""
    constants: Mapping[str, str] = field(default_factory=dict)
    are_visits: bool = False
    """Whether rows are visits, of which those with a price tell a purchase too."""
    void: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Columns, and the words in them of rows that tell no event, with how often they come."""
    parts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Options that say in which parts of the currency amounts are, and the fields of each."""
    price_of: str = "unit"
    decimal: str = "."


def guess(sample: Sample) -> Guesses:
    """The most likely field of each column; a column is one field's, and a field has one column."""
    columns = columns_of(sample)
    by_name = {column.name: column for column in columns}
    chosen, unsure = _chosen(columns)
    of = {name: by_name[one.column] for name, one in chosen.items()}
    if "discount" in of and "price" in of and together.is_share(of["discount"], of["price"]):
        unsure.append(replace(chosen.pop("discount"), confidence=0.0, why="these are shares of the price, no amounts"))
    left = [column for column in columns if column not in of.values() and column.values]
    types, unknown = _types(of["event_type"]) if "event_type" in of else ({}, {})
    are_visits = chosen.keys().isdisjoint({"event_type", "product_id", "quantity"}) and (
        "price" in of and together.is_of_few_rows(of["price"])
    )
    times, joined = _times(of["timestamp"], left) if "timestamp" in of else (Written(0.0), ())
    if joined:
        chosen["timestamp"] = replace(chosen["timestamp"], column=JOINED, why=f"{' and '.join(joined)} together")
    return Guesses(
        chosen,
        [one for one in unsure if by_name[one.column] in left or one.field == "discount"],
        types,
        unknown,
        times,
        joined,
        {} if "event_type" in of else {"event_type": _only_type(chosen)},
        are_visits,
        {} if "event_type" in of else {column.name: words for column, words in together.void_states(left)},
        _parts({name: of[name] for name in MONEY if name in of}),
        together.price_of(of.get("price"), of.get("quantity"), of_product="product_id" in of),
        together.decimal_of([of[name] for name in NUMBER_FIELDS if name in of]),
    )


def _chosen(columns: Sequence[Column]) -> tuple[dict[str, Guess], list[Guess]]:
    """The fields' columns, and what was less likely than LEAST."""
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
    if "price" not in chosen and "quantity" in chosen and likeness("price", chosen["quantity"].column) > 0.5:
        chosen["price"] = replace(chosen.pop("quantity"), field="price")  # an "amount" beside no other is of money
    for one in _by_values(columns, chosen, taken):
        chosen[one.field] = one
        taken.add(one.column)
    if chosen.keys().isdisjoint({"customer_id", "anonymous_id"}) and "session_id" in chosen:
        session = chosen.pop("session_id")
        why = f"nothing says who it was: each {session.column} is taken for a visitor of its own"
        chosen["anonymous_id"] = Guess("anonymous_id", session.column, LEAST, why)
    return chosen, unsure


def _judge(name: str, column: Column) -> Guess | None:
    by_name = likeness(name, column.name)
    by_value, why = judge(name, column)
    if not by_value or (not by_name and name != "timestamp"):
        return None
    confidence = (0.6 * by_name + 0.4) * by_value
    called = f'called "{column.name}"' if by_name else f'whatever "{column.name}" means'
    return Guess(name, column.name, round(confidence, 2), f"{called}; {why}")


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
    if chosen.keys().isdisjoint({"customer_id", "anonymous_id", "session_id"}):
        yield from take("customer_id", is_person, "its values come again and again, as people do")
    if names_tell:
        return  # what they call neither a price nor a quantity is none
    yield from take("event_type", _tells_events, "its words are known as events")
    if "price" not in chosen:
        yield from take("price", is_price, "its values are amounts with cents")
    if not any(_tells_events(column) for column in columns if column.values):
        yield from take("quantity", is_quantity, "its values are small whole numbers")


def _tells_events(column: Column) -> bool:
    share, _ = judge("event_type", column)
    return share > 0.85


def _times(column: Column, left: Sequence[Column]) -> tuple[Written, Sequence[str]]:
    clock = together.clock_of(column, left)
    if clock is None:
        return column.times, ()
    return replace(column.times, formats=(clock[1],)), (column.name, clock[0].name)


def _parts(amounts: Mapping[str, Column]) -> dict[str, list[str]]:
    parts: dict[str, list[str]] = {}
    for name, column in amounts.items():
        if option := together.parts_of(column):
            parts.setdefault(option, []).append(name)
    return parts


def _types(column: Column) -> tuple[dict[str, str], dict[str, int]]:
    counts = Counter(str(value) for value in column.values)
    meant = {word: event_type for word in counts if (event_type := event_type_of(word))}
    known = {word: event_type for word, event_type in meant.items() if word != event_type}
    return known, {word: count for word, count in counts.most_common() if word not in meant}


def _only_type(chosen: Mapping[str, Guess]) -> str:
    return "purchase" if chosen.keys() & {"price", "order_id", "quantity"} else "page_view"
