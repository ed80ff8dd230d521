"""Records of one shop as events, by its mapping: values are compared and converted, and never become anything else."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from xxhash import xxh3_128_hexdigest

from shared.events.batches import content_of
from shared.events.dialects import LineBroken
from shared.events.dialects.dialect import Record, as_text, from_text, value_at
from shared.events.event import DESCRIPTIONS, LEAST_MS, Event, explain, parse_timestamp
from shared.events.mapping import LONGEST_TIME, NUMBERS, MappingFile, Part
from shared.identity.keys import customer_key, visitor_key

MILLISECONDS_OF: Mapping[str, float] = {"seconds": 1e3, "milliseconds": 1.0, "microseconds": 1e-3, "nanoseconds": 1e-6}
"""Units of times that are numbers, each with its milliseconds."""
TIMES_REMEMBERED = 100_000
_PEOPLE = {"customer_id": customer_key, "anonymous_id": visitor_key}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_NOT_OF_A_NUMBER = re.compile(r"[^\d.,+\-()eE]")
_WITH_NOUGHT = re.compile(r"\d+\.0")
_DIGITS = re.compile(r"[+-]?\d+(\.\d*)?|[+-]?\.\d+")
_TRUTHS: Mapping[str, bool] = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class Translator:
    """Records of one shop as events."""

    def __init__(self, mapping: MappingFile) -> None:
        self.mapping = mapping
        self._parts = [_Fields(mapping, part) for part in mapping.events or [Part()]]
        paths = [path for part in self._parts for paths in part.paths.values() for path in paths]
        self.roots = frozenset(path.partition(".")[0] for path in paths) | frozenset(paths)
        """Columns that it looks at, and those that paths begin from."""
        self._nested = frozenset(path.partition(".")[0] for path in paths if "." in path)
        self._missing = frozenset(["", *mapping.missing])
        self._zone = ZoneInfo(mapping.times.zone)
        self._time = lru_cache(TIMES_REMEMBERED, typed=True)(self._parsed_time)

    def suits(self, name: str) -> bool:
        """Whether the mapping is for the file of this name or object of this key."""
        return fnmatchcase(name, self.mapping.files)

    def absent(self, names: Collection[str]) -> list[str]:
        """Columns that the mapping names, and that are not among `names`."""
        known = frozenset(names)
        fields = [paths for part in self._parts for paths in part.paths.values()]
        absent = (paths[0] for paths in fields if not any({path, path.partition(".")[0]} & known for path in paths))
        return list(dict.fromkeys(absent))

    def people(self, record: Record) -> tuple[str, ...]:
        """Profile keys of those whom a record names, however broken it is otherwise."""
        record = self._looked_into(record)
        ids = [
            (key, _id(self._value(record, part.paths[field])))
            for part in self._parts
            for field, key in _PEOPLE.items()
            if field in part.paths
        ]
        return tuple(dict.fromkeys(key(id_) for key, id_ in ids if isinstance(id_, str)))

    def events(self, record: Record) -> list[Event]:
        """The events that a record tells. Raises LineBroken: all of them count, or none.

        An event without an id is known by all that its record says, so that a record read again by a mapping that was
        mended since is no other event.
        """
        content = self._looked_into(record)
        told = [(at, self._event(content, part)) for at, part in enumerate(self._parts)]
        if all(event.event_id for _, event in told if event is not None):
            return [event for _, event in told if event is not None]
        row = xxh3_128_hexdigest(content_of(record))
        return [
            event if event.event_id else msgspec.structs.replace(event, event_id=f"{row}/{at}")
            for at, event in told
            if event is not None
        ]

    def _looked_into(self, record: Record) -> Record:
        """The record with the objects that columns hold as text, where paths lead into them."""
        if not self._nested:
            return record
        return {**record, **{name: from_text(record[name]) for name in self._nested & record.keys()}}

    def _event(self, record: Record, part: _Fields) -> Event | None:
        values: dict[str, Any] = {}
        for field, paths in part.paths.items():
            value = self._value(record, paths)
            if value is not None:
                values[field] = self._converted(field, value, paths[0])
        if "timestamp" not in values and self.mapping.events:
            return None  # of the events of a wide row, those that did not happen
        values = {**part.constants, **values}
        if values.keys().isdisjoint(_PEOPLE):
            people = [part.paths[field][0] for field in _PEOPLE if field in part.paths]
            raise LineBroken(f"{' and '.join(people)} {'are' if len(people) > 1 else 'is'} missing")
        word = values.get("event_type")
        if isinstance(word, str):
            values["event_type"] = self.mapping.event_types.get(word, word)
        self._as_refund(values)
        self._as_unit_price(values)
        try:
            return msgspec.convert({name: v for name, v in values.items() if v is not None}, Event)
        except msgspec.ValidationError as error:
            field = re.split(r"\W", explain(error), maxsplit=1)[0]
            column = part.paths.get(field, (field,))[0]
            rule = "is missing" if values.get(field) is None else f"must be {DESCRIPTIONS[field]}"
            raise LineBroken(f"{column} {rule}") from error

    def _value(self, record: Record, paths: Sequence[str]) -> Any:
        for path in paths:
            value = value_at(record, path)
            value = value.strip() if isinstance(value, str) else value
            if value is not None and not (isinstance(value, str) and value in self._missing):
                return value
        return None

    def _converted(self, field: str, value: Any, column: str) -> Any:
        try:
            if field == "timestamp":
                return self._time(value)
            if field in NUMBERS:
                amount = number(value, self.mapping.decimal)
                return amount / 100 if field in self.mapping.cents else amount
        except (ValueError, TypeError, OverflowError) as error:
            raise LineBroken(f"{column} must be {DESCRIPTIONS[field]}") from error
        if field == "consent":
            return _TRUTHS.get(str(value).lower(), value)
        return _id(value) if field.endswith("_id") else as_text(value)

    def _parsed_time(self, value: Any) -> float:
        """As the contract has times that are numbers: what is no milliseconds by its size is seconds."""
        milliseconds = self._milliseconds(value)
        return milliseconds if milliseconds >= LEAST_MS else milliseconds / 1_000

    def _milliseconds(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise TypeError
        if isinstance(value, str) and len(value) > LONGEST_TIME:
            raise ValueError
        if self.mapping.times.unit:
            return float(value) * MILLISECONDS_OF[self.mapping.times.unit]
        for form in self.mapping.times.formats:
            try:
                return self._since_epoch(datetime.strptime(str(value), form))
            except ValueError:
                continue
        if self.mapping.times.formats:
            raise ValueError
        if isinstance(value, str) and not value.isdecimal():
            return self._since_epoch(datetime.fromisoformat(value.removesuffix(" UTC")))
        return parse_timestamp(value)

    def _since_epoch(self, at: datetime) -> int:
        return ((at if at.tzinfo else at.replace(tzinfo=self._zone)) - _EPOCH) // _MILLISECOND

    def _as_refund(self, values: dict[str, Any]) -> None:
        if values.get("event_type") != "purchase" or self.mapping.negative != "refund":
            return
        for field in ("quantity", "price"):
            if isinstance(values.get(field), float) and values[field] < 0:
                values["event_type"] = "refund"
                values[field] = -values[field]

    def _as_unit_price(self, values: dict[str, Any]) -> None:
        if self.mapping.price_of == "line" and values.get("price") is not None and (values.get("quantity") or 0) > 0:
            values["price"] /= values["quantity"]
        if self.mapping.price_of == "order":
            values["quantity"] = None
            # Rows that repeat an order are one event.
            if values.get("event_id") is None and isinstance(values.get("order_id"), str):
                order = f"{values.get('event_type')}/{values['order_id']}"
                values["event_id"] = f"order/{xxh3_128_hexdigest(order.encode(errors='surrogatepass'))}"


class _Fields:
    """Where each field of an event stands."""

    def __init__(self, mapping: MappingFile, part: Part) -> None:
        columns = {**mapping.columns, **part.columns}
        self.paths = {field: (path,) if isinstance(path, str) else tuple(path) for field, path in columns.items()}
        self.constants = {**mapping.constants, **part.constants}


def number(value: Any, decimal: str = ".") -> float:
    """The number that a text holds, whatever currency sign or unit stands around it. Raises ValueError, OverflowError.

    In brackets, as bookkeepers have it, it is negative.
    """
    if isinstance(value, bool):
        raise ValueError
    if isinstance(value, int | float):
        return float(value)
    plain = _NOT_OF_A_NUMBER.sub("", str(value).replace("\u2212", "-"))
    sign = -1.0 if plain.startswith("(") and plain.endswith(")") else 1.0
    plain = plain.strip("()").replace("," if decimal == "." else ".", "").replace(decimal, ".")
    if not re.search(r"\d", plain):
        raise ValueError
    return sign * float(plain if _DIGITS.fullmatch(plain) or "e" in plain.lower() else plain.strip("eE.,"))


def _id(value: Any) -> Any:
    """Spreadsheets write ids that some rows lack as 12583.0."""
    text = as_text(value)
    return text.removesuffix(".0") if isinstance(text, str) and _WITH_NOUGHT.fullmatch(text) else text
