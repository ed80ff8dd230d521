"""Mappings: what a shop's own columns and words say in the contract's, as written by people and applied to records.

A mapping is TOML: `columns` says which of their columns holds each field (the first that is filled counts, and dots
lead into nested objects), the rest says what their values mean. Values never become anything but values.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from shared.events.csv_text import WHITESPACE
from shared.events.event import FIELDS
from shared.features.attributes import MOST_ATTRIBUTES

MISSING = ("NULL", "null", "None", "nan", "NaN", "N/A", "(not set)", "\\N")
"""Texts that stand for nothing."""
MOST_BYTES = 100_000
NUMBERS = ("quantity", "price", "discount", "engagement_seconds")
LONGEST_TIME = 64
"""Characters of a time, which any way to write one stays far below."""
type Columns = dict[str, str | Annotated[list[str], Meta(min_length=1, max_length=20)]]
type Constants = dict[str, str | float | bool]
type Where = dict[str, str | list[str]]
IN_LIST = "[]"
"""Behind the name of a list in a path: what follows is looked for in each of its entries."""


_A_TIME = datetime(2001, 12, 31, 23, 59, 58, tzinfo=UTC)


class InvalidMapping(ValueError):
    """The mapping cannot be used: the message names everything that is wrong with it."""


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
    where: Where = {}


class MappingFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mapping as it is written."""

    columns: Columns
    format: Literal[1] = 1
    files: str = "*"
    """Names of the files that it is for, with * and ?; of objects, their keys."""
    delimiter: Annotated[str, Meta(min_length=1, max_length=10)] = ","
    """One character, or `whitespace` for any run of blanks."""
    header: bool | Annotated[list[str], Meta(min_length=1, max_length=1_000)] = True
    """Whether the first record of CSV names the columns; without, they are column_1, column_2 and so on, or as this
    list names all of them."""
    quotes: bool = True
    """Whether values of CSV that hold delimiters or line ends stand in quotes; without, quotes are part of values."""
    encoding: Literal["utf-8", "utf-16", "latin-1", "cp1252"] = "utf-8"
    optional: list[str] = []
    """Fields for whose columns it is all right not to be there."""
    where: Where = {}
    """Columns and what they must be, with * and ?, or any of several, for a row to tell an event; "" is empty, and what
    begins with ! is what they must not be."""
    joined: dict[str, Annotated[list[str], Meta(min_length=2, max_length=5)]] = {}
    """Names of our own for values that stand in several columns, all of which must be filled."""
    lists: dict[str, str | Annotated[list[str], Meta(min_length=1, max_length=2)]] = {}
    """Columns that hold a list as text: what parts its entries, and what parts the values of an entry, which are then
    called 1, 2 and so on."""
    constants: Constants = {}
    attributes: Annotated[Columns, Meta(max_length=MOST_ATTRIBUTES)] = {}
    """Names of attributes of customers, and the column of each; it is all right for one not to be there."""
    event_types: dict[str, str] = {}
    """Their words and ours; a word that is not listed is kept as it is."""
    devices: dict[str, str] = {}
    """Their words and ours, as with event types."""
    times: Times = Times()
    decimal: Literal[".", ","] = "."
    """What parts the whole from the fraction; the other one groups thousands."""
    cents: list[str] = []
    """Fields whose amounts are in hundredths."""
    millionths: list[str] = []
    """Fields whose amounts are in millionths, as Google has them."""
    price_of: Literal["unit", "line", "order"] = "unit"
    """Whether prices are of one piece, of all pieces of a line, or of the whole order, which then counts once."""
    prices: Literal["paid", "before_discount"] = "paid"
    """Whether the discount of a line is off its price already."""
    negative: Literal["refund", "refuse"] = "refund"
    """What a purchase with a negative quantity or price is."""
    missing: list[str] = msgspec.field(default_factory=lambda: [*MISSING])
    """Texts that stand for nothing, beside the empty one."""
    events: Annotated[list[Part], Meta(max_length=20)] = []
    """Where each row tells several events, one entry for each of them."""


def read_mapping(document: bytes) -> MappingFile:
    """The mapping that a TOML document holds. Raises InvalidMapping with all that is wrong."""
    import tomllib

    if len(document) > MOST_BYTES:
        raise InvalidMapping(f"a mapping has at most {MOST_BYTES:,} bytes")
    try:
        mapping = msgspec.convert(tomllib.loads(document.decode()), MappingFile)
    except UnicodeDecodeError as error:
        raise InvalidMapping("a mapping is TOML in UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
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
    return f'there is no option "{unknown[1]}"{_meant(unknown[1], MappingFile.__struct_fields__)}'


def _is_of_days(form: str) -> bool:
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # of days without a year
        try:
            return datetime.strptime(_A_TIME.strftime(form), form).date() == _A_TIME.date()
        except (ValueError, re.PatternError):
            return False


def _meant(name: str, names: tuple[str, ...]) -> str:
    import difflib

    near = difflib.get_close_matches(name, names, 1)
    return f'; did you mean "{near[0]}"?' if near else ""


def _problems(mapping: MappingFile) -> Iterator[str]:
    parts = mapping.events or [Part()]
    for number, part in enumerate(parts, 1):
        where = f" of event {number}" if mapping.events else ""
        fields = {**mapping.columns, **mapping.constants, **part.columns, **part.constants}
        for field in fields:
            if field not in FIELDS:
                yield f'"{field}"{where} is no field of events{_meant(field, FIELDS)}'
        yield from (f"nothing says {field}{where}" for field in ("event_type", "timestamp") if field not in fields)
        if not {"customer_id", "anonymous_id"} & fields.keys():
            yield f"nothing says customer_id or anonymous_id{where}"
        yield from _problems_of_lists(mapping, part, where)
    yield from (f'optional names "{field}", which is no field' for field in mapping.optional if field not in FIELDS)
    parting = [[marks] if isinstance(marks, str) else marks for marks in mapping.lists.values()]
    if any(len(mark) != 1 for marks in parting for mark in marks):
        yield "what parts the entries of lists is one character"
    for option, named in (("cents", mapping.cents), ("millionths", mapping.millionths)):
        yield from (f'{option} names "{field}", which is no amount' for field in named if field not in NUMBERS)
    if len(mapping.delimiter) != 1 and mapping.delimiter != WHITESPACE:
        yield f'delimiter is one character, or "{WHITESPACE}"'
    for form in mapping.times.formats:
        if not _is_of_days(form):
            yield f'"{form}" is no format of times with their year, month and day; write one such as %d.%m.%Y %H:%M'
    try:
        ZoneInfo(mapping.times.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield f'there is no time zone "{mapping.times.zone}"; write one such as Europe/Berlin'


def lists_of(columns: Columns, where: Where) -> list[str]:
    """The lists that paths lead into, the outermost first."""
    named = [path for paths in columns.values() for path in ([paths] if isinstance(paths, str) else paths)]
    prefixes = (part for path in [*named, *where] for part in _lists_on(path))
    return sorted(set(prefixes), key=lambda name: (name.count(IN_LIST), name))


def _lists_on(path: str) -> Iterator[str]:
    *names, _ = path.split(IN_LIST)
    for depth in range(1, len(names) + 1):
        yield IN_LIST.join(names[:depth])


def _problems_of_lists(mapping: MappingFile, part: Part, where: str) -> Iterator[str]:
    lists = lists_of({**mapping.columns, **part.columns}, {**mapping.where, **part.where})
    for outer, inner in pairwise(lists):
        if not inner.startswith(f"{outer}{IN_LIST}"):
            yield f"columns{where} lead into several lists, {outer} and {inner}; give each an entry in events"
