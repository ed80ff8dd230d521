"""Parquet at the speed of columns: rows that are plainly valid never become Python objects one by one.

A row is plain where SQL can see that it keeps every rule. All others go through the same parsing as lines of text, so
that one judge decides what is valid and words the reasons.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.events.columns import (
    AHEAD_MS,
    LARGEST_NET,
    Rules,
    add_name,
    event_fingerprint,
    text_hash,
)
from shared.events.event import FIELDS, LARGEST_AMOUNT, LARGEST_QUANTITY, LONGEST_ID, LONGEST_TEXT
from shared.events.readers import BATCH_LINES, Batch, ByteStream, UnreadableFile
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
from shared.keys import customer_key, visitor_key

if TYPE_CHECKING:
    import duckdb

ROWS_AT_ONCE = 200_000
_LATEST_MS = 253_402_300_800_000  # the year 10000, past which Python has no dates
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "FLOAT", "DOUBLE", "DECIMAL", "UINTEGER")
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
            source = f"read_parquet('{path}', file_row_number = true)"
            counted = database.execute(f"SELECT count(*) FROM {source}").fetchone()
            plain = _plain(types, rules)
            for begin in range(0, counted[0] if counted else 0, ROWS_AT_ONCE if plain else BATCH_LINES):
                end = begin + (ROWS_AT_ONCE if plain else BATCH_LINES)
                part = f"FROM {source} WHERE file_row_number >= {begin} AND file_row_number < {end}"
                if plain is None:
                    yield None, _parsed(database, types, part)
                    continue
                columns = database.execute(f"SELECT {_columns(types)} {part} AND ({plain})").fetchnumpy()
                events = _event_columns(columns)
                others = end - begin > len(events)
                yield events, _parsed(database, types, f"{part} AND ({plain}) IS NOT TRUE") if others else Batch()
        except duckdb.Error as error:
            raise UnreadableFile(f"not a readable Parquet file: {str(error).splitlines()[0]}") from error


# ---- Plain rows ------------------------------------------------------------------------------------------------------


def _plain(types: Types, rules: Rules) -> str | None:
    """SQL for "this row keeps every rule"; None where a column's type already says that rows need parsing."""
    texts = [name for name in FIELDS if name not in (*_NUMBER_FIELDS, "timestamp")]
    if "event_type" not in types or not types.get("timestamp", "").startswith(("TIMESTAMP", "DATE")):
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
            f"{_TIME} BETWEEN 0 AND {latest}",
        ]
    )


def _columns(types: Types) -> str:
    customer, visitor = _text("customer_id", types), _text("anonymous_id", types)
    key = f"coalesce('{customer_key('')}' || {customer}, '{visitor_key('')}' || {visitor})"
    selected = {
        "key": key,
        "time_ms": _TIME,
        "kind": f"coalesce(list_position({list(EVENT_TYPES)}, {_text('event_type', types)}) - 1, {OTHER})",
        "event_id": _text("event_id", types),
        **{name: f"coalesce({_text(name, types)}, '')" for name in ("session_id", "order_id", "category", "brand")},
        "net": f"{_number('price', types, 0)} * {_number('quantity', types, 1)}",
        "discount": _number("discount", types, 0),
        "engagement": _number("engagement_seconds", types, 0),
        "device": f"CASE WHEN coalesce({_text('device', types)}, '') = '' THEN {UNKNOWN_DEVICE} ELSE "
        f"coalesce(list_position({list(DEVICES)}, lower({_text('device', types)})) - 1, {OTHER_DEVICE}) END",
    }
    return ", ".join(f"{expression} AS {name}" for name, expression in selected.items())


def _event_columns(found: dict[str, Any]) -> EventColumns:
    keys: dict[str, int] = {}
    profile = _mapped(found["key"], lambda key: keys.setdefault(key, len(keys)), np.int64)
    names: dict[int, str] = {}
    kind = found["kind"].astype(np.uint8)
    money = np.isin(kind, np.array([PURCHASE, REFUND], np.uint8))
    rows = Rows(
        time_ms=found["time_ms"].astype(np.int64),
        kind=kind,
        fingerprint=np.array([event_fingerprint(name) for name in found["event_id"].tolist()], np.uint64),
        session=_mapped(found["session_id"], text_hash, np.uint32),
        order=_mapped(found["order_id"], text_hash, np.uint32),
        category=_mapped(found["category"], lambda name: add_name(names, name), np.uint32),
        brand=_mapped(found["brand"], text_hash, np.uint32),
        net=np.where(money, np.rint(found["net"] * MONEY_UNITS), 0).astype(np.int64),
        discount=np.where(kind == PURCHASE, np.rint(found["discount"] * MONEY_UNITS), 0).astype(np.int64),
        engagement_ms=np.rint(found["engagement"] * 1_000).astype(np.int64),
        device=found["device"].astype(np.uint8),
    )
    return EventColumns(list(keys), profile, rows, names)


def _mapped[T: np.generic](values: NDArray[Any], code: Callable[[str], int], dtype: type[T]) -> NDArray[T]:
    """`code` of every value, computed once for each distinct one."""
    texts = values.tolist()
    codes = {text: code(text) for text in dict.fromkeys(texts)}
    return np.fromiter(map(codes.__getitem__, texts), dtype, len(texts))


_TIME = "epoch_ns(timestamp) // 1_000_000"


def _text(name: str, types: Types) -> str:
    return f"{name}::VARCHAR" if name in types else "NULL::VARCHAR"


def _number(name: str, types: Types, absent: float) -> str:
    return f"coalesce({name}::DOUBLE, {absent})" if name in types else f"{absent}::DOUBLE"


# ---- All other rows --------------------------------------------------------------------------------------------------


def _parsed(database: duckdb.DuckDBPyConnection, types: Types, part: str) -> Batch:
    columns = ", ".join(f'{_as_json(name, kind)} AS "{name}"' for name, kind in types.items())
    batch = Batch()
    rows = database.execute(f"SELECT file_row_number + 1, {columns} {part} ORDER BY file_row_number")
    while some := rows.fetchmany(BATCH_LINES):
        for number, *row in some:
            raw = {name: value for name, value in zip(types, row, strict=True) if value is not None}
            batch.add(number, msgspec.json.encode(raw), raw, strict=True)
    return batch


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
