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
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq

from shared.events.csv_text import WHITESPACE
from shared.events.mapping import MappingFile
from training.base.errors import InputError

ROWS = 20_000
"""Looked at, from the beginning: files are sorted by anything, and guesses are shown before they are used."""
BYTES = 32 * 2**20
BYTES_OF_COLUMNS = 2**20
DELIMITERS = (",", ";", "\t", "|")
DEPTH = 4
"""Of nested objects."""
_DATA = re.compile(r"[\s\d.,:/+\-$€£]*")

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
    header: bool = True
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
    file = pq.ParquetFile(path)
    batches = file.iter_batches(batch_size=ROWS)
    table = next(batches, None)
    records = table.to_pylist() if table is not None else []
    rows = [_flat(record) for record in records]
    return Sample("parquet", rows, _names(rows), records=records)


def _ndjson(text: str, encoding: str) -> Sample:
    records = []
    for line in itertools.islice(text.splitlines(), ROWS):
        try:
            record = msgspec.json.decode(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            records.append(record)
    if not records:
        raise InputError("no line of it holds a JSON object")
    rows = [_flat(record) for record in records]
    return Sample("ndjson", rows, _names(rows), encoding=encoding, records=records)


def _csv(text: str, encoding: str, mapping: MappingFile | None) -> Sample:
    delimiter = mapping.delimiter if mapping else _delimiter(text)
    values = itertools.islice(_records(text, delimiter, quotes=mapping is None or mapping.quotes), ROWS + 1)
    first = next(values, [])
    header = mapping.header is True if mapping else not all(_DATA.fullmatch(value) for value in first)
    names = first if header else [f"column_{i}" for i in range(1, len(first) + 1)]
    if mapping and isinstance(mapping.header, list):
        names = mapping.header
    rest = values if header else itertools.chain([first], values)
    records = [dict(zip(names, record, strict=True)) for record in rest if len(record) == len(names)]
    rows = [_looked_into(record) for record in records]
    return Sample("csv", rows, _names(rows) or names, delimiter, encoding, header, records, len(first))


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
            widths = Counter(len(record) for record in itertools.islice(_records(head, delimiter), 200))
        except csv.Error:
            continue
        width, count = widths.most_common(1)[0]
        agreement = count / widths.total() * (width > 1)
        if agreement * width > most:
            best, most = delimiter, agreement * width
    widths = Counter(len(line.split()) for line in head.splitlines()[:200])
    return best if most or widths.most_common(1)[0][0] > 1 else ","


def _names(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows[:2_000] for name in row))


def _looked_into(row: dict[str, str]) -> Row:
    """JSON that a column holds as text is looked into."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if value.startswith("{"):
            try:
                decoded = msgspec.json.decode(value)
            except ValueError:
                decoded = value
            if isinstance(decoded, dict):
                flat |= _flat(decoded, f"{name}.")
                continue
        flat[name] = value
    return flat


def _flat(record: Mapping[str, Any], prefix: str = "", depth: int = 1) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict) and depth < DEPTH:
            flat |= _flat(value, f"{prefix}{name}.", depth + 1)
        elif isinstance(value, str) and value.startswith("{") and depth < DEPTH:
            flat |= _looked_into({f"{prefix}{name}": value})
        else:
            flat[f"{prefix}{name}"] = value
    return flat
