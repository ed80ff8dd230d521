"""A shop's catalogue: which products there are, what they are called, and whether they can be had."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from shared.events.columns import product_code
from shared.features import category_hash
from shared.recommending.products import MOST_PRODUCTS
from shared.recommending.recommender import LONGEST_TEXT
from training.base.errors import InputError
from training.recommending.building import Entry

MOST_BYTES = 256_000_000
FIELDS = ("product_id", "name", "category", "price", "available")
_YES = frozenset({"", "true", "1", "yes", "in stock", "in_stock", "available"})
_NO = frozenset({"false", "0", "no", "out of stock", "out_of_stock", "unavailable"})
_MOST_SHOWN = 5


def read_catalogue(path: Path) -> tuple[dict[int, Entry], dict[int, str]]:
    """The entries by code, and the names of their categories by code. Of several of one product the last counts.

    Raises InputError where the file is no catalogue, with what is wrong of the first lines, and OSError.
    """
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise InputError(f"{path}: a catalogue may have {MOST_BYTES:,} bytes, and this one has {size:,}")
    entries, categories, problems = entries_of(path.read_bytes(), path.name)
    if problems:
        shown = "; ".join(problems[:_MOST_SHOWN])
        more = f"; and {len(problems) - _MOST_SHOWN:,} more" if len(problems) > _MOST_SHOWN else ""
        raise InputError(f"{path}: {shown}{more}")
    if not entries:
        raise InputError(f"{path}: it names no product")
    return entries, categories


def entries_of(content: bytes, name: str) -> tuple[dict[int, Entry], dict[int, str], list[str]]:
    """The entries, the names of their categories, and what is wrong with others, by line."""
    entries: dict[int, Entry] = {}
    categories: dict[int, str] = {}
    problems: list[str] = []
    try:
        for number, raw in enumerate(_records(content, name.lower()), 1):
            try:
                entry, category = _entry(raw)
            except ValueError as error:
                problems.append(f"entry {number:,}: {error}")
                continue
            code = product_code(entry.product_id)
            if entries.get(code, entry).product_id != entry.product_id:
                problems.append(f"entry {number:,}: its product_id cannot be told from another's: rename one")
            entries[code] = entry
            if category:
                categories[entry.category] = category
            if len(entries) > MOST_PRODUCTS:
                problems.append(f"it has more than {MOST_PRODUCTS:,} products: keep to those that are sold now")
                break
    except ValueError as error:
        problems.append(str(error))
    return entries, categories, problems


def _records(content: bytes, name: str) -> Iterator[Mapping[str, Any]]:
    """Raises ValueError."""
    if name.endswith(".parquet"):
        yield from _parquet(content)
        return
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    if name.endswith((".ndjson", ".jsonl")):
        yield from _ndjson(text.splitlines())
    elif name.endswith(".csv"):
        yield from _csv(text)
    else:
        raise ValueError("its name ends in none of .csv, .ndjson, .jsonl and .parquet")


def _ndjson(lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = msgspec.json.decode(line)
        except (ValueError, RecursionError):
            raise ValueError(f"line {number:,} is not JSON") from None
        if not isinstance(record, dict):
            raise ValueError(f"line {number:,} is no JSON object")
        yield record


def _csv(text: str) -> Iterator[Mapping[str, Any]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        _check(reader.fieldnames or ())
        yield from reader
    except csv.Error as error:
        raise ValueError(f"it is not CSV: {error}") from None


def _parquet(content: bytes) -> Iterator[Mapping[str, Any]]:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(io.BytesIO(content))
        _check(file.schema_arrow.names)
        if file.metadata.num_rows > 10 * MOST_PRODUCTS:
            raise ValueError(f"it has {file.metadata.num_rows:,} rows, and may have {10 * MOST_PRODUCTS:,}")
        wanted = [field for field in FIELDS if field in file.schema_arrow.names]
        for batch in file.iter_batches(batch_size=10_000, columns=wanted):
            yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError, MemoryError):
        raise ValueError("it is damaged, or no Parquet") from None


def _check(names: Iterable[str]) -> None:
    if "product_id" not in names:
        raise ValueError("it has no column product_id")


def _entry(raw: Mapping[str, Any]) -> tuple[Entry, str]:
    """An entry and the name of its category. Raises ValueError."""
    product_id, name, category = (_text(raw.get(field), field) for field in FIELDS[:3])
    if not product_id:
        raise ValueError("product_id is missing")
    entry = Entry(product_id, name, category_hash(category) if category else 0, _price(raw), _available(raw))
    return entry, category


def _text(value: Any, field: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{field} must be text")
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{field} is not Unicode") from None
    if len(text.encode()) > LONGEST_TEXT:
        raise ValueError(f"{field} has more than {LONGEST_TEXT} bytes")
    return text


def _price(raw: Mapping[str, Any]) -> float | None:
    value = raw.get("price")
    if value in (None, ""):
        return None
    try:
        price = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        price = math.nan
    if not 0 <= price <= 1e9:
        raise ValueError("price must be a number from 0 to 1,000,000,000")
    return price


def _available(raw: Mapping[str, Any]) -> bool:
    value = raw.get("available")
    text = "" if value is None else str(value).strip().lower() if isinstance(value, str | bool | int | float) else "?"
    if text in _YES or text in _NO:
        return text in _YES
    raise ValueError("available must be true or false")
