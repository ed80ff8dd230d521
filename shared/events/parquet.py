"""Parquet at the speed of columns: rows that are plainly valid never become Python objects one by one.

A row is plain where SQL can see that it keeps every rule. All others go through the same parsing as lines of text, so
that one judge decides what is valid and words the reasons. The file is decoded in a process of its own.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.events.arrow import BrokenStream, Columns, batches
from shared.events.attributes import regions
from shared.events.batches import BATCH_BYTES, BATCH_LINES, Batch
from shared.events.columns import (
    channel_codes,
    event_fingerprints,
    name_codes,
    product_ids,
    profiles_of,
    text_codes,
    whole,
)
from shared.events.confined import BrokenOff, confined
from shared.events.event import FIELDS
from shared.events.judging import Rules
from shared.events.locked import locked_database
from shared.events.parquet_sql import Table, all_rows, each_row, other_rows, own_types, parameters
from shared.events.streams import BLOCK, LARGEST_EXPANSION, LONGEST_LINE, MOST_EXPANDED, ByteStream, UnreadableFile
from shared.events.tables import MOST_COLUMNS, check_names
from shared.events.texts import Texts
from shared.features.columns import MONEY_UNITS, PURCHASE, REFUND, EventColumns, Rows

if TYPE_CHECKING:
    import duckdb

    from shared.events.translator import Translator

LARGEST_FILE = 2**31 - 2**27
"""Bytes, which must fit beside others into what a function has of a disk."""
_SHORTENED_BYTES = 256
"""Taken for each value of a row that is too long."""
_ROWS_AT_ONCE = 32_768
"""Of a batch of DuckDB's, of which what is in between takes several times as much."""
_FETCHED_AT_ONCE = 64
"""Of rows that are read one by one, each of which may be a line long."""
_TOO_MUCH = "it takes too much memory: write it with smaller pages and shorter texts"
_ID_COLUMNS = {name for name in FIELDS if name.endswith("_id")} | {"region", "campaign"}

type Row = tuple[int, int, dict[str, Any]]
"""Its number from 1, its bytes, and its values by name."""


def read_parquet(
    stream: ByteStream, rules: Rules, translator: Translator | None = None
) -> Iterator[tuple[EventColumns | None, Batch]]:
    """The plain rows of a Parquet file as columns, and the others beside them as a batch to be parsed, part by part.

    Raises UnreadableFile.
    """
    import duckdb  # noqa: F401  # Here rather than by each child that decodes a file: it is slow to load.

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.parquet"
        _copy(stream, path)
        try:
            for part in confined(partial(parts, path, rules, mapped=translator is not None)):
                if isinstance(part, EventColumns):
                    yield part, Batch()
                else:
                    yield None, _batch(part, translator)
        except BrokenOff as error:
            raise UnreadableFile(f"not a readable Parquet file: {error}") from error


def _copy(stream: ByteStream, path: Path) -> None:
    left = LARGEST_FILE
    with path.open("wb") as file:
        while block := stream.read(BLOCK):
            left -= len(block)
            if left < 0:
                raise UnreadableFile(f"a Parquet file may have {LARGEST_FILE:,} bytes")
            file.write(block)


def _batch(rows: Sequence[Row], translator: Translator | None) -> Batch:
    from shared.events.mapped import take_record

    batch = Batch()
    for number, size, values in rows:
        raw = as_read(values)
        undecoded = [name for name in raw if isinstance(values[name], bytes)]
        original = msgspec.json.encode(raw)
        if size > LONGEST_LINE:
            batch.refuse_long(number, original, raw)
        elif translator is not None:
            take_record(translator, batch, number, original, raw)
        elif broken := [name for name in undecoded if name in FIELDS]:
            batch.refuse(number, f"{' and '.join(broken)} not valid UTF-8", original, raw)
        else:
            batch.add(number, original, raw, strict=True)
    return batch


def as_read(values: Mapping[str, Any]) -> dict[str, Any]:
    """A row's values that are filled; bytes are text."""
    return {
        name: value.decode(errors="backslashreplace") if isinstance(value, bytes) else value
        for name, value in values.items()
        if value is not None
    }


# ---- In a process of its own -----------------------------------------------------------------------------------------


def parts(path: Path, rules: Rules, *, mapped: bool = False) -> Iterator[EventColumns | list[Row]]:
    """What is in the file, part by part: plain rows as columns, and others as they are. Raises BrokenOff."""
    import duckdb

    try:
        with locked_database(path) as database:
            yield from _parts(database, _table(database, path, mapped=mapped), path, rules)
    except duckdb.OutOfMemoryException as error:
        raise BrokenOff(_TOO_MUCH) from error
    except (duckdb.Error, BrokenStream, UnicodeDecodeError) as error:
        if "alloc" in str(error):
            raise BrokenOff(_TOO_MUCH) from error
        raise BrokenOff("it is damaged, or no Parquet") from error


def _table(database: duckdb.DuckDBPyConnection, path: Path, *, mapped: bool) -> Table:
    schema = "SELECT name, coalesce(num_children, 0) FROM parquet_schema($path) LIMIT $most"
    _, *elements = database.execute(schema, {"path": str(path), "most": 2 + MOST_COLUMNS}).fetchall()
    if len(elements) > MOST_COLUMNS:
        raise BrokenOff(f"it has more than {MOST_COLUMNS:,} columns, those inside of others included")
    names = []
    while elements:
        name, inside = elements.pop(0)
        names.append(name)
        while inside > 0 and elements:
            inside += elements.pop(0)[1] - 1
    table = Table(names, [""] * len(names))
    columns = database.execute(f"SELECT * {table.source} LIMIT 0", {"path": str(path)}).description
    kinds = [column[1].id for column in columns or ()][:-1]
    if len(kinds) != len(names):
        raise BrokenOff("its columns cannot be told apart")
    if not mapped:
        try:
            check_names(names)
        except UnreadableFile as error:
            raise BrokenOff(str(error)) from error
    return Table(names, kinds, mapped)


def _parts(
    database: duckdb.DuckDBPyConnection, table: Table, path: Path, rules: Rules
) -> Iterator[EventColumns | list[Row]]:
    expansion = _Expansion(path)
    if not table.is_plain():
        yield from _row_by_row(database, table, path, expansion)
        return
    asked = {"path": str(path), **parameters(table, rules)}
    others = database.cursor()
    read = 0
    for batch in batches(database.sql(all_rows(table, rules), params={**asked, **own_types(rules)})):
        sizes = batch.numbers("size", np.int64)
        expansion.add(int(sizes.sum()))
        for first in range(0, len(batch), _ROWS_AT_ONCE):
            part = batch.part(first, min(first + _ROWS_AT_ONCE, len(batch)))
            plain = np.flatnonzero(sizes[first : first + len(part)] == 0)
            yield _event_columns(part, plain, rules)
        for first, last in _slices(sizes, len(table.names)):
            bounds = {"first": read + first, "last": read + last}
            values = others.execute(other_rows(table, rules), {**asked, **bounds}).fetchall()
            yield [_row(table, row) for row in values]
        read += len(batch)


class _Expansion:
    """How far a file expands, which is bounded."""

    def __init__(self, path: Path) -> None:
        self._left = max(MOST_EXPANDED, LARGEST_EXPANSION * path.stat().st_size)

    def add(self, size: int) -> None:
        """Raises BrokenOff where it has gone too far."""
        self._left -= size
        if self._left < 0:
            raise BrokenOff(f"a file may expand {LARGEST_EXPANSION}-fold, and this one expands further")


def _row_by_row(
    database: duckdb.DuckDBPyConnection, table: Table, path: Path, expansion: _Expansion
) -> Iterator[list[Row]]:
    """All rows of a file whose columns cannot be judged whole, so many at once that their bytes are bounded."""
    result = database.execute(each_row(table), {"path": str(path)})
    rows: list[Row] = []
    taken = 0
    while some := result.fetchmany(_FETCHED_AT_ONCE):
        for row in some:
            rows.append(_row(table, row))
            expansion.add(rows[-1][1])
            taken += _kept(rows[-1][1], len(table.names))
            if taken > BATCH_BYTES or len(rows) == BATCH_LINES:
                yield rows
                rows, taken = [], 0
    if rows:
        yield rows


def _kept(size: int, columns: int) -> int:
    """What is kept of a row of so many bytes."""
    return columns * _SHORTENED_BYTES if size > LONGEST_LINE else size


def _slices(sizes: NDArray[np.int64], columns: int) -> list[tuple[int, int]]:
    """First and last positions of rows that are not plain, so many at once that their bytes are bounded."""
    at = np.flatnonzero(sizes)
    kept = np.array([_kept(size, columns) for size in sizes[at].tolist()], np.int64)
    slices: list[tuple[int, int]] = []
    ends = np.cumsum(kept)
    begin = 0
    while begin < len(at):
        before = int(ends[begin - 1]) if begin else 0
        end = int(np.searchsorted(ends, before + BATCH_BYTES, "right"))
        end = min(max(end, begin + 1), begin + BATCH_LINES)
        slices.append((int(at[begin]), int(at[end - 1])))
        begin = end
    return slices


def _row(table: Table, row: tuple[Any, ...]) -> Row:
    position, size, *values = row
    named = {
        name: _value(value, table.limit(at) if name in _ID_COLUMNS else 0, is_id=name in _ID_COLUMNS)
        for at, (name, value) in enumerate(zip(table.names, values, strict=True))
    }
    return position + 1, size, named


def _value(value: Any, limit: int, *, is_id: bool) -> Any:
    """A value as JSON could have it: no number that is not finite, and as ids of numbers the whole ones as text."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    if isinstance(value, Decimal):
        whole = is_id and value == value.to_integral_value()
        return f"{value:.0f}" if whole else float(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            # As text it would pass for an id.
            return value if is_id else str(value)
        return str(int(value)) if is_id and value.is_integer() and abs(value) < limit else value
    return str(value) if is_id and isinstance(value, int) and not isinstance(value, bool) else value


def _event_columns(columns: Columns, at: NDArray[np.int64], rules: Rules) -> EventColumns:
    """The rows of `columns` at the positions `at`, which are plain."""

    def numbers(name: str, dtype: type[np.generic] = np.float64) -> NDArray[Any]:
        return columns.numbers(name, dtype)[at]

    def texts(name: str) -> Texts:
        return columns.texts(name).take(at)

    keys, profile = profiles_of(texts("person"), numbers("visitor", np.uint8))
    names: dict[int, str] = {}
    category = name_codes(names, texts("category"))
    kind = numbers("kind", np.uint8)
    time_ms = numbers("time_ms", np.int64)
    rows = Rows(
        time_ms=time_ms,
        kind=kind,
        fingerprint=event_fingerprints(texts("event_id")),
        session=text_codes(texts("session_id")),
        order=text_codes(texts("order_id")),
        category=category,
        brand=text_codes(texts("brand")),
        net=whole(np.where((kind == PURCHASE) | (kind == REFUND), numbers("net"), 0), MONEY_UNITS),
        discount=whole(np.where(kind == PURCHASE, numbers("discount"), 0), MONEY_UNITS),
        engagement_ms=whole(numbers("engagement"), 1_000),
        device=numbers("device", np.uint8),
        channel=channel_codes(texts("channel")),
        product=text_codes(texts("product_id")),
        campaign=name_codes(names, texts("campaign")),
        arm=numbers("arm", np.uint8),
    )
    said = regions(profile, time_ms, texts("region"))
    return EventColumns(keys, profile, rows, names, said, product_ids(texts("product_id"), rules))
