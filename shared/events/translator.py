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

from shared.events.event import DESCRIPTIONS, Event, explain, parse_timestamp
from shared.events.mapping import NUMBERS, Columns, Constants, MappingFile, Part
from shared.identity.keys import LONGEST_ID

LEAST_TIMES: Mapping[str, float] = {"seconds": 1e3, "milliseconds": 1.0, "microseconds": 1e-3, "nanoseconds": 1e-6}
"""Units of times that are numbers, each with its milliseconds."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_NOT_OF_A_NUMBER = re.compile(r"[^\d.,+\-()eE]")
_WITH_NOUGHT = re.compile(r"\d+\.0")
_DIGITS = re.compile(r"[+-]?\d+(\.\d*)?|[+-]?\.\d+")


type Record = Mapping[str, Any]


class LineBroken(ValueError):
    """A record breaks a rule; the message says which, in the words of its columns and without a value."""


class Translator:
    """Records of one shop as events."""

    def __init__(self, mapping: MappingFile) -> None:
        self.mapping = mapping
        self._parts = [
            _Fields({**mapping.columns, **part.columns}, {**mapping.constants, **part.constants})
            for part in mapping.events or [Part()]
        ]
        self._missing = frozenset(["", *mapping.missing])
        self._zone = ZoneInfo(mapping.times.zone)
        self._time_ms = lru_cache(100_000)(self._parse_time)

    def suits(self, name: str) -> bool:
        """Whether the mapping is for the file of this name or object of this key."""
        return fnmatchcase(name, self.mapping.files)

    def absent(self, names: Collection[str]) -> list[str]:
        """Columns that the mapping names, and that are not among `names`."""
        known = frozenset(names)
        fields = [paths for part in self._parts for paths in part.paths.values()]
        return list(
            dict.fromkeys(
                paths[0] for paths in fields if not any(p in known or p.partition(".")[0] in known for p in paths)
            )
        )

    def people(self, record: Record) -> dict[str, Any]:
        """Whom a record names, by the contract's fields, however broken it is otherwise."""
        return {
            field: _id(value)
            for fields in self._parts
            for field in ("customer_id", "anonymous_id")
            if (value := self._value(record, fields.paths.get(field, ()))) is not None
        }

    def events(self, record: Record) -> list[Event]:
        """The events that a record tells. Raises LineBroken: all of them count, or none."""
        told = [self._event(record, fields) for fields in self._parts]
        return [event for event in told if event is not None]

    def _event(self, record: Record, fields: _Fields) -> Event | None:
        values: dict[str, Any] = {}
        for field, paths in fields.paths.items():
            value = self._value(record, paths)
            if value is not None:
                values[field] = self._converted(field, value, paths[0])
        if "timestamp" not in values and self.mapping.events:
            return None  # of the events of a wide row, those that did not happen
        values = {**fields.constants, **values}
        if values.keys().isdisjoint(("customer_id", "anonymous_id")):
            people = [fields.paths[field][0] for field in ("customer_id", "anonymous_id") if field in fields.paths]
            raise LineBroken(f"{' and '.join(people)} {'are' if len(people) > 1 else 'is'} missing")
        values["event_type"] = self.mapping.event_types.get(values.get("event_type", ""), values.get("event_type"))
        self._as_refund(values, fields)
        self._as_unit_price(values)
        try:
            return msgspec.convert({name: v for name, v in values.items() if v is not None}, Event)
        except msgspec.ValidationError as error:
            field = re.split(r"\W", explain(error), maxsplit=1)[0]
            column = fields.paths.get(field, (field,))[0]
            raise LineBroken(f"{column} {_rule(field, values)}") from error

    def _value(self, record: Record, paths: Sequence[str]) -> Any:
        for path in paths:
            value = at_path(record, path)
            value = value.strip() if isinstance(value, str) else value
            if value is not None and not (isinstance(value, str) and value in self._missing):
                return value
        return None

    def _converted(self, field: str, value: Any, column: str) -> Any:
        try:
            if field == "timestamp":
                return self._time_ms(value)
            if field in NUMBERS:
                amount = number(value, self.mapping.decimal)
                return amount / 100 if field in self.mapping.cents else amount
        except (ValueError, TypeError, OverflowError) as error:
            raise LineBroken(f"{column} must be {DESCRIPTIONS[field]}") from error
        if field == "consent":
            return _truth(value)
        return _id(value) if field.endswith("_id") else text(value)

    def _parse_time(self, value: Any) -> float:
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise TypeError
        unit = self.mapping.times.unit
        if unit:
            return float(value) * LEAST_TIMES[unit]
        for form in self.mapping.times.formats:
            try:
                at = datetime.strptime(str(value), form)
            except ValueError:
                continue
            return ((at if at.tzinfo else at.replace(tzinfo=self._zone)) - _EPOCH) // _MILLISECOND
        if self.mapping.times.formats:
            raise ValueError
        if isinstance(value, str) and not value.isdecimal():
            at = datetime.fromisoformat(value.removesuffix(" UTC"))
            return ((at if at.tzinfo else at.replace(tzinfo=self._zone)) - _EPOCH) // _MILLISECOND
        return parse_timestamp(value)

    def _as_refund(self, values: dict[str, Any], fields: _Fields) -> None:
        if values["event_type"] != "purchase" or self.mapping.negative != "refund":
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
            if values.get("event_id") is None and values.get("order_id") is not None:
                values["event_id"] = f"order/{values['event_type']}/{values['order_id']}"[:LONGEST_ID]


class _Fields:
    """Where each field of an event stands."""

    def __init__(self, columns: Columns, constants: Constants) -> None:
        self.paths = {field: (path,) if isinstance(path, str) else tuple(path) for field, path in columns.items()}
        self.constants = constants


def _rule(field: str, values: Mapping[str, Any]) -> str:
    return "is missing" if values.get(field) is None else f"must be {DESCRIPTIONS[field]}"


def at_path(record: Record, path: str) -> Any:
    """What a column or a path of names joined by dots leads to; JSON that a column holds as text is looked into."""
    if path in record:
        return record[path]
    inside: Any = record
    for name in path.split("."):
        inside = _decoded(inside)
        inside = inside.get(name) if isinstance(inside, dict) else None
    return inside


def _decoded(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("{"):
        try:
            return msgspec.json.decode(value)
        except (ValueError, RecursionError):
            return value
    return value


def number(value: Any, decimal: str = ".") -> float:
    """The number that a text holds, whatever currency sign or unit stands around it. Raises ValueError.

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


def text(value: Any) -> Any:
    """Ids and names may come as numbers, and as whole numbers with a fraction of nought."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else str(value)


def _id(value: Any) -> Any:
    """Spreadsheets write ids that some rows lack as 12583.0."""
    value = text(value)
    return value.removesuffix(".0") if isinstance(value, str) and _WITH_NOUGHT.fullmatch(value) else value


def _truth(value: Any) -> Any:
    words: Mapping[str, bool] = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    return words.get(str(value).lower(), value)
