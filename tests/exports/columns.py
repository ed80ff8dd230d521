"""Rows of any table, for tests that do not care what is in them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from shared.exports.rows import Rows, texts
from shared.exports.tables import Kind, Table


def filled(table: Table, names: Sequence[str]) -> Rows:
    """A row for each name, whose texts are all that name and whose numbers are all unknown."""
    made: dict[str, Any] = {}
    for column in table.columns:
        is_text = column.kind in (Kind.TEXT, Kind.TEXTS)
        values = [f'["{name}"]' if column.kind is Kind.TEXTS else name for name in names]
        made[column.name] = texts(values) if is_text else np.full(len(names), np.nan)
    return made
