"""Parquet at the speed of columns: rows that are plainly valid never become Python objects one by one.

A row is plain where SQL can see that it keeps every rule. All others go through the same parsing as lines of text, so
that one judge decides what is valid and words the reasons.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.events.arrow import BrokenStream, Columns, batches
from shared.events.channels import channel_code
from shared.events.columns import (
    AHEAD_MS,
    LARGEST_NET,
    Rules,
    add_name,
    event_fingerprints,
    text_codes,
)
from shared.events.event import FIELDS, LARGEST_AMOUNT, LARGEST_QUANTITY, LEAST_MS, LONGEST_TEXT
from shared.events.readers import BATCH_LINES, Batch, ByteStream, UnreadableFile
from shared.events.texts import Texts
from shared.features.columns import (
    DEVICES,
    EVENT_TYPES,
    MONEY_UNITS,
    OTHER,
    OTHER_DEVICE,
    PURCHASE,
    REFUND,
    UNKNOWN_DEVICE,
    EventColumns,
    Rows,
)
from shared.keys import LONGEST_ID, customer_key, visitor_key

if TYPE_CHECKING:
    import duckdb

_LATEST_MS = 253_402_300_800_000  # the year 10000, past which Python has no dates
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "FLOAT", "DOUBLE", "DECIMAL", "UINTEGER")
_WHOLE_NUMBERS = ("SMALLINT", "INTEGER", "BIGINT", "USMALLINT", "UINTEGER")
_NUMBER_FIELDS = ("quantity", "price", "discount", "engagement_seconds")
_ID_FIELDS = tuple(name for name in FIELDS if name.endswith("_id"))
_SHORT = ("event_id", "event_type", "customer_id", "anonymous_id")
_BLOCK = 2**20

type Types = dict[str, str]


def read_parquet(stream: ByteStream, rules: Rules) -> Iterator[tuple[EventColumns | None, Batch]]:
    """The plain rows of a Parquet file as columns, and the others beside them as a batch to be parsed, part by part.

    Raises UnreadableFile.
    """
    import duckdb  # Slow to load, and Parquet is the only format that needs it.

    with tempfile.TemporaryDirectory() as folder, duckdb.connect(config={"threads": 1}) as database:
        path = Path(folder) / "events.parquet"
        with path.open("wb") as file:
            shutil.copyfileobj(stream, file, _BLOCK)
        try:
            table = database.from_parquet(str(path))
            types = dict(zip(table.columns, map(str, table.types), strict=True))
            source, plain = f"FROM read_parquet('{path}', file_row_number = true)", _plain(types, rules)
            yield from _by_row(database, types, source) if plain is None else _by_column(database, types, source, plain)
        except (duckdb.Error, BrokenStream) as error:
            raise UnreadableFile(f"not a readable Parquet file: {str(error).splitlines()[0]}") from error


# ---- Plain rows ------------------------------------------------------------------------------------------------------


def _by_column(
    database: duckdb.DuckDBPyConnection, types: Types, source: str, plain: str
) -> Iterator[tuple[EventColumns, Batch]]:
    database.execute("SET arrow_large_buffer_size = true")
    others = f"CASE WHEN ({plain}) IS TRUE THEN '' ELSE {_object(types)} END AS other"
    read = 0
    for found in batches(database.sql(f"SELECT {_columns(types)}, {others} {source}")):
        texts, batch = found.texts("other"), Batch()
        at = np.flatnonzero(texts.sizes)
        for number, text in zip((read + 1 + at).tolist(), texts.take(at).tolist(), strict=True):
            _add(batch, number, msgspec.json.decode(text))
        yield _event_columns(found, np.flatnonzero(texts.sizes == 0)), batch
        read += len(found)


def _plain(types: Types, rules: Rules) -> str | None:
    """SQL for "this row keeps every rule"; None where a column's type already says that rows need parsing."""
    texts = [name for name in FIELDS if name not in (*_NUMBER_FIELDS, "timestamp", "consent")]
    if "event_type" not in types or not types.get("timestamp", "").startswith(("TIMESTAMP", "DATE", *_WHOLE_NUMBERS)):
        return None
    if any(not types.get(name, "DOUBLE").startswith(_NUMBERS) for name in _NUMBER_FIELDS):
        return None
    if any(types.get(name, "VARCHAR") != "VARCHAR" for name in texts if name not in _ID_FIELDS):
        return None
    customer, visitor = _text("customer_id", types), _text("anonymous_id", types)
    latest = _LATEST_MS if rules.now_ms is None else rules.now_ms + AHEAD_MS
    currency = "regexp_full_match({0}, '[A-Z]{{3}}')" if rules.currency is None else f"{{0}} = '{rules.currency}'"
    return " AND ".join(
        [
            # Bytes stand for characters: never fewer, so nothing too long passes.
            *(f"strlen({_text(name, types)}) BETWEEN 1 AND {LONGEST_ID}" for name in ("event_id", "event_type")),
            f"strlen(coalesce({customer}, {visitor})) BETWEEN 1 AND {LONGEST_ID}",
            f"({customer} IS NULL OR {visitor} IS NULL)",
            *(["consent IS NULL"] if "consent" in types else []),
            *(
                f"coalesce(strlen({_text(name, types)}), 0) <= {LONGEST_TEXT}"
                for name in texts
                if name not in (*_SHORT, "currency")
            ),
            f"coalesce({currency.format(_text('currency', types))}, true)",
            f"{_number('quantity', types, 1)} > 0 AND {_number('quantity', types, 1)} <= {LARGEST_QUANTITY}",
            *(
                f"{_number(name, types, 0)} BETWEEN 0 AND {LARGEST_AMOUNT}"
                for name in ("price", "discount", "engagement_seconds")
            ),
            f"{_number('price', types, 0)} * {_number('quantity', types, 1)} <= {LARGEST_NET}",
            f"{_time(types)} BETWEEN 0 AND {latest}",
        ]
    )


def _columns(types: Types) -> str:
    kind = f"coalesce(list_position({list(EVENT_TYPES)}, {_text('event_type', types)}) - 1, {OTHER})"
    device = f"coalesce(list_position({list(DEVICES)}, lower({_text('device', types)})) - 1, {OTHER_DEVICE})"
    selected = {
        "person": f"coalesce({_text('customer_id', types)}, {_text('anonymous_id', types)})",
        "visitor": f"({_text('customer_id', types)} IS NULL)::UTINYINT",
        "time_ms": f"coalesce({_time(types)}, 0)::BIGINT",
        "kind": f"({kind})::UTINYINT",
        **{name: _text(name, types) for name in ("event_id", "session_id", "order_id", "category", "brand", "channel")},
        "net": f"{_number('price', types, 0)} * {_number('quantity', types, 1)}",
        "discount": _number("discount", types, 0),
        "engagement": _number("engagement_seconds", types, 0),
        "device": f"(CASE WHEN coalesce({_text('device', types)}, '') = '' THEN {UNKNOWN_DEVICE} ELSE {device} END)"
        "::UTINYINT",
    }
    return ", ".join(f"{expression} AS {name}" for name, expression in selected.items())


def _event_columns(found: Columns, at: NDArray[np.int64]) -> EventColumns:
    """The rows of `found` at the positions `at`, which are plain."""

    def numbers(name: str, dtype: type[np.generic] = np.float64) -> NDArray[Any]:
        return found.numbers(name, dtype)[at]

    def texts(name: str) -> Texts:
        return found.texts(name).take(at)

    keys, profile = _profiles(texts("person"), numbers("visitor", np.uint8))
    names, category = _categories(texts("category"))
    kind = numbers("kind", np.uint8)
    rows = Rows(
        time_ms=numbers("time_ms", np.int64),
        kind=kind,
        fingerprint=event_fingerprints(texts("event_id")),
        session=text_codes(texts("session_id")),
        order=text_codes(texts("order_id")),
        category=category,
        brand=text_codes(texts("brand")),
        net=_whole(np.where((kind == PURCHASE) | (kind == REFUND), numbers("net"), 0), MONEY_UNITS),
        discount=_whole(np.where(kind == PURCHASE, numbers("discount"), 0), MONEY_UNITS),
        engagement_ms=_whole(numbers("engagement"), 1_000),
        device=numbers("device", np.uint8),
        channel=_channels(texts("channel")),
    )
    return EventColumns(keys, profile, rows, names)


def _profiles(people: Texts, visitor: NDArray[np.uint8]) -> tuple[list[str], NDArray[np.int64]]:
    """The keys of customers, and of visitors where `visitor` says so, and which of them each row belongs to."""
    positions, person = people.distinct()
    both = 2 * person + visitor
    used = np.flatnonzero(np.bincount(both, minlength=2 * len(positions)))
    ids = people.take(positions[used // 2]).tolist()
    keys = [(customer_key, visitor_key)[code % 2](id_) for code, id_ in zip(used.tolist(), ids, strict=True)]
    rank = np.zeros(2 * len(positions), np.int64)
    rank[used] = np.arange(len(used))
    return keys, rank[both]


def _categories(texts: Texts) -> tuple[dict[int, str], NDArray[np.uint32]]:
    """The names behind the codes, and the code of each row."""
    names: dict[int, str] = {}
    positions, category = texts.distinct()
    codes = [add_name(names, name) for name in texts.take(positions).tolist()]
    return names, np.array(codes, np.uint32)[category]


def _channels(texts: Texts) -> NDArray[np.uint8]:
    if not texts.sizes.any():  # as where the file has no such column
        return np.zeros(len(texts), np.uint8)
    positions, channel = texts.distinct()
    return np.array([channel_code(name) for name in texts.take(positions).tolist()], np.uint8)[channel]


def _whole(amounts: NDArray[np.float64], units: int) -> NDArray[np.int64]:
    return np.rint(amounts * units).astype(np.int64)


def _time(types: Types) -> str:
    """SQL for milliseconds since 1970, as `parse_timestamp` reads them; negative ones for all before."""
    if types["timestamp"].startswith(("TIMESTAMP", "DATE")):
        return "epoch_ns(timestamp) // 1_000_000"
    return f"CASE WHEN timestamp < {LEAST_MS} THEN greatest(timestamp::BIGINT, -1) * 1_000 ELSE timestamp END"


def _text(name: str, types: Types) -> str:
    return f"{name}::VARCHAR" if name in types else "NULL::VARCHAR"


def _number(name: str, types: Types, absent: float) -> str:
    return f"coalesce({name}::DOUBLE, {absent})" if name in types else f"{absent}::DOUBLE"


# ---- All other rows --------------------------------------------------------------------------------------------------


def _by_row(database: duckdb.DuckDBPyConnection, types: Types, source: str) -> Iterator[tuple[None, Batch]]:
    columns = ", ".join(f'{_as_json(name, kind)} AS "{name}"' for name, kind in types.items())
    counted = database.execute(f"SELECT count(*) {source}").fetchone()
    for begin in range(0, counted[0] if counted else 0, BATCH_LINES):
        part = f"WHERE file_row_number >= {begin} AND file_row_number < {begin + BATCH_LINES} ORDER BY file_row_number"
        batch, rows = Batch(), database.execute(f"SELECT {columns} {source} {part}").fetchall()
        for number, row in enumerate(rows, begin + 1):
            _add(batch, number, dict(zip(types, row, strict=True)))
        yield None, batch


def _add(batch: Batch, number: int, row: dict[str, Any]) -> None:
    raw = {name: value for name, value in row.items() if value is not None}
    batch.add(number, msgspec.json.encode(raw), raw, strict=True)


def _object(types: Types) -> str:
    """SQL for a whole row as an object of JSON, which knows no numbers that are not finite: they become texts."""
    named = {name.replace("'", "''"): (_as_json(name, kind), kind) for name, kind in types.items()}
    finite = "CASE WHEN isfinite({0}) THEN to_json({0}) ELSE to_json(({0})::VARCHAR) END"
    values = [
        f"'{name}', {finite.format(value) if kind.startswith(_NUMBERS) and value.endswith('DOUBLE') else value}"
        for name, (value, kind) in named.items()
    ]
    return f"json_object({', '.join(values)})::VARCHAR"


def _as_json(name: str, kind: str) -> str:
    """SQL for a column as JSON would hold it: times as milliseconds, ids as text, numbers as floats, nests as JSON."""
    column = f'"{name.replace('"', '""')}"'
    if kind.startswith(("STRUCT", "MAP")) or kind.endswith("]"):
        return f"to_json({column})::VARCHAR"
    if kind.startswith(("TIMESTAMP", "DATE")):
        return f"epoch_ns({column}) // 1_000_000" if name in FIELDS else f"{column}::VARCHAR"
    if name in FIELDS and name not in (*_ID_FIELDS, "region"):
        return f"{column}::DOUBLE" if kind.startswith(_NUMBERS) else column
    return f"{column}::VARCHAR"
