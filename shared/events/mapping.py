"""Mappings: what a shop's own columns and words say in the contract's, as written by people and applied to records.

A mapping is TOML: `columns` says which of their columns holds each field (the first that is filled counts, and dots
lead into nested objects), the rest says what their values mean. Values never become anything but values.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from shared.events.event import DESCRIPTIONS, FIELDS, Event, explain, parse_timestamp
from shared.identity.keys import LONGEST_ID

WHITESPACE = "whitespace"
MISSING = ("NULL", "null", "None", "nan", "NaN", "N/A", "(not set)", "\\N")
"""Texts that stand for nothing."""
MOST_BYTES = 100_000
NUMBERS = ("quantity", "price", "discount", "engagement_seconds")
LEAST_TIMES: Mapping[str, float] = {"seconds": 1e3, "milliseconds": 1.0, "microseconds": 1e-3, "nanoseconds": 1e-6}
"""Units of times that are numbers, each with its milliseconds."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_NOT_OF_A_NUMBER = re.compile(r"[^\d.,+\-()eE]")
_WITH_NOUGHT = re.compile(r"\d+\.0")
_DIGITS = re.compile(r"[+-]?\d+(\.\d*)?|[+-]?\.\d+")

type Columns = dict[str, str | list[str]]
type Constants = dict[str, str | float | bool]
type Record = Mapping[str, Any]


class InvalidMapping(ValueError):
    """The mapping cannot be used: the message names everything that is wrong with it."""


class LineBroken(ValueError):
    """A record breaks a rule; the message says which, in the words of its columns and without a value."""


class Times(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How their times are written."""

    formats: Annotated[list[str], Meta(max_length=10)] = []
    """As Python's strptime takes them; without any, ISO 8601 and numbers since 1970."""
    zone: str = "UTC"
    """Of times without an offset, by its IANA name."""
    unit: Literal["", "seconds", "milliseconds", "microseconds", "nanoseconds"] = ""
    """Of times that are numbers; seconds or milliseconds, by their size, where it is empty."""


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of several events that a wide row tells: what differs from the rest of the mapping."""

    columns: Columns = {}
    constants: Constants = {}


class MappingFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mapping as it is written."""

    columns: Columns
    format: Literal[1] = 1
    files: str = "*"
    """Names of the files that it is for, with * and ?; of objects, their keys."""
    delimiter: Annotated[str, Meta(min_length=1, max_length=10)] = ","
    """One character, or `whitespace` for any run of blanks."""
    header: bool = True
    """Whether the first record of CSV names the columns; without, they are column_1, column_2 and so on."""
    encoding: Literal["utf-8", "utf-16", "latin-1", "cp1252"] = "utf-8"
    constants: Constants = {}
    event_types: dict[str, str] = {}
    """Their words and ours; a word that is not listed is kept as it is."""
    times: Times = Times()
    decimal: Literal[".", ","] = "."
    """What parts the whole from the fraction; the other one groups thousands."""
    cents: list[str] = []
    """Fields whose amounts are in hundredths."""
    price_of: Literal["unit", "line", "order"] = "unit"
    """Whether prices are of one piece, of all pieces of a line, or of the whole order, which then counts once."""
    negative: Literal["refund", "refuse"] = "refund"
    """What a purchase with a negative quantity or price is."""
    missing: list[str] = msgspec.field(default_factory=lambda: [*MISSING])
    """Texts that stand for nothing, beside the empty one."""
    events: Annotated[list[Part], Meta(max_length=20)] = []
    """Where each row tells several events, one entry for each of them."""


def read_mapping(document: bytes) -> MappingFile:
    """The mapping that a TOML document holds. Raises InvalidMapping with all that is wrong."""
    if len(document) > MOST_BYTES:
        raise InvalidMapping(f"a mapping has at most {MOST_BYTES:,} bytes")
    try:
        mapping = msgspec.convert(tomllib.loads(document.decode()), MappingFile)
    except UnicodeDecodeError as error:
        raise InvalidMapping("a mapping is TOML in UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidMapping(f"not valid TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise InvalidMapping(_in_words(str(error))) from error
    if problems := [*_problems(mapping)]:
        raise InvalidMapping("; ".join(problems))
    return mapping


def _in_words(message: str) -> str:
    unknown = re.search(r"unknown field `(.+?)`", message)
    if not unknown:
        return message
    near = difflib.get_close_matches(unknown[1], MappingFile.__struct_fields__, 1)
    return f'there is no option "{unknown[1]}"' + (f'; did you mean "{near[0]}"?' if near else "")


def _problems(mapping: MappingFile) -> Iterator[str]:
    parts = mapping.events or [Part()]
    for number, part in enumerate(parts, 1):
        where = f" of event {number}" if mapping.events else ""
        fields = {**mapping.columns, **mapping.constants, **part.columns, **part.constants}
        for field in fields:
            if field not in FIELDS:
                near = difflib.get_close_matches(field, FIELDS, 1)
                yield f'"{field}"{where} is no field of events' + (f'; did you mean "{near[0]}"?' if near else "")
        yield from (f"nothing says {field}{where}" for field in ("event_type", "timestamp") if field not in fields)
        if not {"customer_id", "anonymous_id"} & fields.keys():
            yield f"nothing says customer_id or anonymous_id{where}"
    yield from (f'cents names "{field}", which is no amount' for field in mapping.cents if field not in NUMBERS)
    if len(mapping.delimiter) != 1 and mapping.delimiter != WHITESPACE:
        yield f'delimiter is one character, or "{WHITESPACE}"'
    try:
        ZoneInfo(mapping.times.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield f'there is no time zone "{mapping.times.zone}"; write one such as Europe/Berlin'


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
