"""Records of one shop as events, by its mapping: values are compared and converted, and never become anything else."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from itertools import islice
from typing import Any, Self
from zoneinfo import ZoneInfo

import msgspec
from xxhash import xxh3_128_hexdigest

from shared.events.batches import content_of
from shared.events.dialects import LineBroken
from shared.events.dialects.dialect import Record, as_text, from_text, value_at
from shared.events.event import DESCRIPTIONS, LEAST_MS, Event, explain, parse_timestamp
from shared.events.mapping import IN_LIST, LONGEST_TIME, NUMBERS, MappingFile, Part
from shared.events.wide_rows import Kind, listed, root
from shared.identity.keys import customer_key, visitor_key

MILLISECONDS_OF: Mapping[str, float] = {"seconds": 1e3, "milliseconds": 1.0, "microseconds": 1e-3, "nanoseconds": 1e-6}
"""Units of times that are numbers, each with its milliseconds."""
TIMES_REMEMBERED = 100_000
MOST_EVENTS = 1_000
"""Of one kind, told by a row: each takes a hundred times the bytes."""
LONGEST_WHOLE = 100
"""Characters of a record's id, so that what tells its events apart fits behind it."""
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
        self._parts = [Kind(mapping, part) for part in mapping.events or [Part()]]
        self._attributes = {
            name: (paths,) if isinstance(paths, str) else tuple(paths) for name, paths in mapping.attributes.items()
        }
        paths = {path for part in self._parts for path in part.all_paths}
        paths |= {path for of_attribute in self._attributes.values() for path in of_attribute}
        made_of = [mapping.joined.get(path, (path,)) for path in paths]
        self._columns = frozenset(column for columns in made_of for column in columns)
        self.roots = frozenset(map(root, self._columns)) | self._columns
        """Columns that it looks at, and those that paths begin from."""
        self._nested = frozenset(root(path) for path in paths if "." in path or IN_LIST in path) - mapping.lists.keys()
        self._tells_several = len(self._parts) > 1 or any(part.lists for part in self._parts)
        self._missing = frozenset(["", *mapping.missing])
        self._zone = ZoneInfo(mapping.times.zone)
        self._time = lru_cache(TIMES_REMEMBERED, typed=True)(self._parsed_time)
        self._conversions = {field: self._conversion(field) for part in self._parts for field in part.paths}

    def __reduce__(self) -> tuple[type[Self], tuple[MappingFile]]:
        """Sent to another process it is made anew there: what it remembers of times stays here."""
        return type(self), (self.mapping,)

    def suits(self, name: str) -> bool:
        """Whether the mapping is for the file of this name or object of this key."""
        return fnmatchcase(name, self.mapping.files)

    def absent(self, names: Collection[str]) -> list[str]:
        """Columns that the mapping names, and that are not among `names`."""
        known = frozenset(names)
        optional = self.mapping.optional
        needed = [paths for part in self._parts for field, paths in part.paths.items() if field not in optional]
        needed += [(column,) for part in self._parts for column in part.where]
        absent: list[str] = []
        for paths in needed:
            lacking = [
                [column for column in self.mapping.joined.get(path, (path,)) if not {column, root(column)} & known]
                for path in paths
            ]
            if all(lacking):
                absent += lacking[0]
        return list(dict.fromkeys(absent))

    def people(self, record: Record) -> tuple[str, ...]:
        """Profile keys of those whom a record names, however broken it is otherwise."""
        content = self._looked_into(record)
        ids = [
            (key, _id(self._value(row, part.paths[field])))
            for part in self._parts
            for row, _ in islice(part.told(content), MOST_EVENTS)
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
        by_place: dict[str, Event] = {}
        for at, part in enumerate(self._parts):
            for number, (row, place) in enumerate(part.told(content)):
                if number == MOST_EVENTS:
                    raise LineBroken(f"{part.lists[-1]} lists more than {MOST_EVENTS:,} entries")
                event = self._event(row, part)
                if event is not None:
                    by_place[f"{at}{place}"] = event
        if not self._tells_several and all(event.event_id for event in by_place.values()):
            return list(by_place.values())
        row_id = xxh3_128_hexdigest(content_of(record))
        return [
            msgspec.structs.replace(event, event_id=_place_in(event.event_id or row_id, place))
            for place, event in by_place.items()
        ]

    def _looked_into(self, record: Record) -> Record:
        """What the mapping looks at of a record: objects and lists that columns hold as text are looked into."""
        if not (self._nested or self.mapping.lists or self.mapping.joined):
            return record
        content = {name: record[name] for name in self.roots if name in record}
        content |= {name: from_text(content[name]) for name in self._nested & content.keys()}
        for name, marks in self.mapping.lists.items():
            if isinstance(text := content.get(name), str):
                content[name] = listed(text, marks)
        for name, columns in self.mapping.joined.items():
            values = [as_text(_id(self._value(content, (column,)))) for column in columns]
            content[name] = "/".join(values) if all(isinstance(value, str) for value in values) else None
        return content

    def _event(self, record: Record, part: Kind) -> Event | None:
        if not all(self._is_one_of(record, path, patterns) for path, patterns in part.where.items()):
            return None
        values: dict[str, Any] = {}
        columns: dict[str, str] = {}
        for field, paths in part.paths.items():
            if filled := self._filled(record, paths):
                columns[field], value = filled
                values[field] = self._converted(field, value, columns[field])
        if "timestamp" not in values and self.mapping.events:
            return None  # of the events of a wide row, those that did not happen
        if self._attributes:
            known = {name: self._value(record, paths) for name, paths in self._attributes.items()}
            if any(value is not None for value in known.values()) and isinstance(values.get("attributes", {}), dict):
                values["attributes"] = {**values.get("attributes", {}), **known}
        values = {**part.constants, **values}
        if values.keys().isdisjoint(_PEOPLE):
            raise LineBroken(_missing([path for field in _PEOPLE for path in part.paths.get(field, ())]))
        for field, words in (("event_type", self.mapping.event_types), ("device", self.mapping.devices)):
            word = values.get(field)
            if isinstance(word, str):
                values[field] = words.get(word, word)
        self._as_refund(values)
        self._as_unit_price(values)
        try:
            return msgspec.convert({name: v for name, v in values.items() if v is not None}, Event)
        except msgspec.ValidationError as error:
            field = re.split(r"\W", explain(error), maxsplit=1)[0]
            if values.get(field) is None:
                raise LineBroken(_missing(part.paths.get(field, (field,)))) from error
            raise LineBroken(f"{columns.get(field, field)} must be {DESCRIPTIONS[field]}") from error

    def _value(self, record: Record, paths: Sequence[str]) -> Any:
        filled = self._filled(record, paths)
        return filled[1] if filled else None

    def _filled(self, record: Record, paths: Sequence[str]) -> tuple[str, Any] | None:
        """The first path that leads to a value, and the value."""
        for path in paths:
            value = record[path] if path in record else value_at(record, path)
            if isinstance(value, str):
                value = value.strip()
                if value not in self._missing:
                    return path, value
            elif value is not None and not (isinstance(value, int | float) and as_text(value) in self._missing):
                return path, value
        return None

    def _is_one_of(self, record: Record, path: str, patterns: Sequence[str]) -> bool:
        """Whether the value, or any entry of a list, is what one of the patterns says, and nothing that they forbid."""
        value = self._value(record, (path,))
        words = [_word(entry) for entry in (value if isinstance(value, list) else [value])]
        allowed = [pattern for pattern in patterns if not pattern.startswith("!")] or ["*"]
        forbidden = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
        return _any_is(words, allowed) and not _any_is(words, forbidden)

    def _converted(self, field: str, value: Any, column: str) -> Any:
        try:
            return self._conversions[field](value)
        except (ValueError, TypeError, OverflowError) as error:
            raise LineBroken(f"{column} must be {DESCRIPTIONS[field]}") from error

    def _conversion(self, field: str) -> Callable[[Any], Any]:
        """What makes a value of the shop's one of a field of the contract, where it can be one."""
        if field == "timestamp":
            return self._time
        if field in NUMBERS:
            amount = partial(number, decimal=self.mapping.decimal)
            parts = 100 if field in self.mapping.cents else 1_000_000 if field in self.mapping.millionths else 1
            if field == "discount":  # which some tools write as what it adds to the price, a negative amount
                return lambda value: abs(amount(value)) / parts
            return amount if parts == 1 else lambda value: amount(value) / parts
        if field == "currency":
            return lambda value: value.upper() if isinstance(value, str) else value
        if field == "attributes":
            return from_text
        if field == "consent":
            return lambda value: _TRUTHS.get(str(value).lower(), value)
        return _id if field.endswith("_id") else as_text

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
        pieces = values.get("quantity", 1.0) if self.mapping.price_of != "order" else 1.0
        if self.mapping.price_of == "line" and values.get("price") is not None and pieces > 0:
            values["price"] /= pieces
        if self.mapping.prices == "before_discount" and values.get("price") is not None and pieces > 0:
            values["price"] = max(0.0, values["price"] - (values.get("discount") or 0.0) / pieces)
        if self.mapping.price_of == "order":
            values["quantity"] = None
            # Rows that repeat an order are one event.
            if values.get("event_id") is None and isinstance(values.get("order_id"), str):
                order = f"{values.get('event_type')}/{values['order_id']}"
                values["event_id"] = f"order/{xxh3_128_hexdigest(order.encode(errors='surrogatepass'))}"


def _missing(paths: Sequence[str]) -> str:
    return f"{' and '.join(paths)} {'are' if len(paths) > 1 else 'is'} missing"


def _any_is(words: Sequence[str | None], patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(word, pattern) for word in words for pattern in patterns if word is not None)


def _word(value: Any) -> str | None:
    """A value as conditions on rows have it; None for objects and lists."""
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else as_text(value)
    return text if isinstance(text, str) else None


def _place_in(whole: str, place: str) -> str:
    """An id for one of the events that a record tells, by the id of the record."""
    return f"{whole if len(whole) <= LONGEST_WHOLE else xxh3_128_hexdigest(whole.encode())}/{place}"


def number(value: Any, decimal: str = ".") -> float:
    """The number that a text holds, whatever currency sign or unit stands around it. Raises ValueError, OverflowError.

    In brackets, as bookkeepers have it, it is negative.
    """
    if isinstance(value, bool):
        raise ValueError
    if isinstance(value, int | float) or (decimal == "." and _DIGITS.fullmatch(value := str(value))):
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
    is_whole = isinstance(text, str) and text.endswith(".0") and _WITH_NOUGHT.fullmatch(text)
    return text.removesuffix(".0") if is_whole else text
