"""The beginning of a file that nobody prepared: its format, delimiter and encoding, and its rows as named values."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from shared.events import Rules
from shared.events.confined import BrokenOff, confined
from shared.events.csv_text import WHITESPACE
from shared.events.mapping import IN_LIST, MappingFile
from shared.events.parquet import as_read, parts
from shared.features import EventColumns
from training.base.errors import InputError
from training.inspection.names import likeness

ROWS = 20_000
"""Looked at, from the beginning: files are sorted by anything, and guesses are shown before they are used."""
BYTES = 32 * 2**20
BYTES_OF_COLUMNS = 2**20
DELIMITERS = (",", ";", "\t", "|")
DEPTH = 4
"""Of nested objects."""
HEAD = 200
"""Records of CSV, for its delimiter and its header."""
_DATA = re.compile(r"(?=.*\d)[\s\d.,:/+\-$€£TZ]+")
_OF_ENTRIES = ("timestamp", "event_type", "product_id", "price", "quantity")
_NAME, _VALUE = "name", "value"

type Row = Mapping[str, Any]


@dataclass(frozen=True)
class Sample:
    """What the beginning of a file looks like."""

    format: str
    """csv, ndjson or parquet."""
    rows: Sequence[Row]
    """Values by column; nested objects by paths of names joined by dots."""
    names: list[str] = field(default_factory=list)
    delimiter: str = ","
    encoding: str = "utf-8"
    header: bool | Sequence[str] = True
    """Whether the first record names the columns; the names, where a later one does."""
    records: Sequence[Row] = ()
    """The rows as readers have them."""
    width: int = 0
    """Values of the first record of CSV."""


def beginning_of(path: Path) -> Sample:
    """The first rows of a file, as many as tell its columns. Raises InputError."""
    return read_sample(path, BYTES_OF_COLUMNS)


def read_sample(path: Path, most_bytes: int = BYTES, mapping: MappingFile | None = None) -> Sample:
    """The beginning of a file, of CSV as a mapping says that it is written.

    Raises InputError where it is none of CSV, NDJSON and Parquet.
    """
    name = path.name.lower().removesuffix(".gz").removesuffix(".zst")
    try:
        if name.endswith(".parquet"):
            return _parquet(path)
        beginning = _beginning(path, most_bytes)
    except BrokenOff as error:
        raise InputError(f"{path} is no readable Parquet file: {error}") from error
    except (OSError, EOFError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {type(error).__name__}") from error
    if not beginning.strip():
        raise InputError(f"{path} is empty")
    encoding = _encoding(beginning)
    text = beginning.decode(encoding, errors="replace").removeprefix("\ufeff")
    if text.lstrip().startswith("{"):
        return _ndjson(text, encoding)
    if text.lstrip().startswith("["):
        raise InputError(f"{path} is a JSON list: write each object on a line of its own (jq -c '.[]')")
    return _csv(text, encoding, mapping)


def _beginning(path: Path, most_bytes: int) -> bytes:
    """Whole lines of at most so many bytes."""
    with _opened(path) as stream:
        block: bytes = stream.read(most_bytes)
        if len(block) == most_bytes:
            block = block[: block.rfind(b"\n") + 1] or block
    return block


def _opened(path: Path) -> Any:
    if path.name.lower().endswith(".gz"):
        return gzip.open(path)
    if path.name.lower().endswith(".zst"):
        import pyarrow as pa

        return pa.input_stream(str(path), compression="zstd")
    return path.open("rb")


def _encoding(beginning: bytes) -> str:
    if beginning.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        beginning.decode()
    except UnicodeDecodeError as error:
        if error.start < len(beginning) - 4:
            return "cp1252" if not re.search(rb"[\x81\x8d\x8f\x90\x9d]", beginning) else "latin-1"
    return "utf-8"


def _parquet(path: Path) -> Sample:
    records = [*itertools.islice(_rows_of(path), ROWS)]
    rows = [*itertools.islice(entries([_flat(record) for record in records]), ROWS)]
    return Sample("parquet", rows, _names(rows), records=records)


def _rows_of(path: Path) -> Iterator[Row]:
    """As reading by a mapping has them: a time is text there, and whatever is in the file is decoded apart from us."""
    import duckdb  # noqa: F401  # Here rather than by the child: it is slow to load.

    for part in confined(partial(parts, path, Rules(currency=None), mapped=True)):
        if not isinstance(part, EventColumns):
            yield from (as_read(values) for _, _, values in part)


def _ndjson(text: str, encoding: str) -> Sample:
    records = []
    for line in itertools.islice(text.splitlines(), ROWS):
        try:
            record = msgspec.json.decode(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            records.append(record)
    if not records:
        raise InputError("no line of it holds a JSON object")
    rows = [*itertools.islice(entries([_flat(record) for record in records]), ROWS)]
    return Sample("ndjson", rows, _names(rows), encoding=encoding, records=records)


def _csv(text: str, encoding: str, mapping: MappingFile | None) -> Sample:
    delimiter = mapping.delimiter if mapping else _delimiter(text)
    values = [*itertools.islice(_records(text, delimiter, quotes=mapping is None or mapping.quotes), ROWS + 1)]
    header = mapping.header if mapping else _header(values)
    first = values[0] if values else []
    names = first if header is True else header or [f"column_{i}" for i in range(1, len(first) + 1)]
    rest = values[1:] if header is True else values
    records = [
        dict(zip(names, record, strict=True)) for record in rest if len(record) == len(names) and record != names
    ]
    rows = [*itertools.islice(entries([_looked_into(record) for record in records]), ROWS)]
    return Sample("csv", rows, _names(rows) or [*names], delimiter, encoding, header, records, len(first))


def _header(records: Sequence[Sequence[str]]) -> bool | Sequence[str]:
    """Whether the first record names the columns; the names where a later one does, below a title; False for none.

    A column of numbers or times tells: its name is neither.
    """
    if not records:
        return True
    width = Counter(len(record) for record in records[:HEAD]).most_common(1)[0][0]
    at, first = next((at, record) for at, record in enumerate(records) if len(record) == width)
    rest = [record for record in records[at + 1 : HEAD] if len(record) == width]
    kinds = [_kind(first[column]) for column in range(width)]
    others = [Counter(_kind(record[column]) for record in rest) for column in range(width)]
    told = [column for column in range(width) if others[column][_VALUE] > 0.9 * len(rest)]
    if sum(kinds[column] == _VALUE for column in told) > len(told) / 2 or kinds.count(_VALUE) == width:
        return False
    return first if at and all(first) and len(set(first)) == width else True


def _kind(value: str) -> str:
    return _VALUE if _DATA.fullmatch(value) else _NAME


def _records(text: str, delimiter: str, *, quotes: bool = True) -> Iterator[list[str]]:
    if delimiter == WHITESPACE:
        return (line.split() for line in text.splitlines() if line.strip())
    quoting: Any = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    lines = io.StringIO(text, newline="")
    return (record for record in csv.reader(lines, delimiter=delimiter, quoting=quoting) if record)


def _delimiter(text: str) -> str:
    """The one by which most of the first records have as many values as most others, and the most of them."""
    head = text[:200_000]
    best, most = WHITESPACE, 0.0
    for delimiter in DELIMITERS:
        try:
            widths = Counter(len(record) for record in itertools.islice(_records(head, delimiter), HEAD))
        except csv.Error:
            continue
        width, count = widths.most_common(1)[0]
        agreement = count / widths.total() * (width > 1)
        if agreement * width > most:
            best, most = delimiter, agreement * width
    widths = Counter(len(line.split()) for line in head.splitlines()[:HEAD])
    return best if most or widths.most_common(1)[0][0] > 1 else ","


def _names(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows[:2_000] for name in row))


def entries(rows: Sequence[Row]) -> Iterator[Row]:
    """The rows for each entry of the list that tells the most of events: its lines, or the events themselves."""
    told = {name: _told(name, rows) for name in _lists(rows)}
    chosen = max(told, key=lambda name: told[name], default=None)
    if chosen is None or not told[chosen]:
        yield from rows
        return
    for row in rows:
        several = row.get(chosen)
        for entry in several if isinstance(several, list) and several else [{}]:
            inside = _flat(entry, f"{chosen}{IN_LIST}.", 2) if isinstance(entry, dict) else {}
            yield {**{name: value for name, value in row.items() if name != chosen}, **inside}


def _lists(rows: Sequence[Row]) -> Iterator[str]:
    """Columns that hold lists of objects."""
    for name in _names(rows):
        first = next((row[name] for row in rows if isinstance(row.get(name), list) and row[name]), None)
        if first and isinstance(first[0], dict):
            yield name


def _told(name: str, rows: Sequence[Row]) -> int:
    """How many fields the names of a list's entries speak for."""
    first = next(row[name] for row in rows if isinstance(row.get(name), list) and row[name])
    return sum(any(likeness(field, path) > 0.5 for path in _flat(first[0], "a.", 2)) for field in _OF_ENTRIES)


def _looked_into(row: Mapping[str, str]) -> Row:
    """JSON that a column holds as text is looked into."""
    flat: dict[str, Any] = {}
    for name, text in row.items():
        value: Any = text
        if text.startswith(("{", "[{")):
            try:
                decoded = msgspec.json.decode(text)
            except (ValueError, RecursionError):
                decoded = text
            if isinstance(decoded, dict):
                flat |= _flat(decoded, f"{name}.")
                continue
            value = decoded
        flat[name] = value
    return flat


def _flat(record: Mapping[str, Any], prefix: str = "", depth: int = 1) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict) and depth < DEPTH:
            flat |= _flat(value, f"{prefix}{name}.", depth + 1)
        elif isinstance(value, str) and value.startswith(("{", "[{")) and depth < DEPTH:
            flat |= _looked_into({f"{prefix}{name}": value})
        else:
            flat[f"{prefix}{name}"] = value
    return flat
