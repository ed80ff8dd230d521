"""Rows of any table, for tests that do not care what is in them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from shared.events.event import parse_timestamp
from shared.exports.rows import Rows, blobs, lists, numbers, texts
from shared.exports.schema import Kind, Table


def filled(table: Table, names: Sequence[str]) -> Rows:
    """A row for each name, whose texts are all that name and whose numbers are all unknown."""
    made: dict[str, Any] = {}
    for column in table.columns:
        makers: Any = {Kind.TEXT: texts, Kind.TEXTS: lambda some: lists([one] for one in some), Kind.BYTES: _encoded}
        make = makers.get(column.kind, lambda some: np.full(len(some), np.nan))
        made[column.name] = make(names)
    return made


def rows_of(table: Table, rows: Sequence[Mapping[str, Any]]) -> Rows:
    """Rows with these values, and NULL wherever nothing is said; times are ISO 8601, amounts in the currency."""
    return {column.name: _column(column.kind, [row.get(column.name) for row in rows]) for column in table.columns}


def _column(kind: Kind, values: Sequence[Any]) -> Any:
    match kind:
        case Kind.TEXT:
            return texts(values)
        case Kind.TEXTS:
            return lists(values)
        case Kind.BYTES:
            return blobs(values)
        case Kind.TIME:
            return numbers(None if value is None else parse_timestamp(value) for value in values)
        case Kind.MONEY:
            return numbers(None if value is None else round(value * 10_000) for value in values)
        case _:
            return numbers(values)


def _encoded(names: Sequence[str]) -> Any:
    return blobs(name.encode() for name in names)
