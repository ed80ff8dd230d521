"""What a table that is exported is: its columns with their types, and how it grows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The types of columns, called as DuckDB calls them; none of them holds a not-a-number, NULL is what is unknown."""

    TEXT = "VARCHAR"
    TEXTS = "VARCHAR[]"
    WHOLE = "BIGINT"
    FLOAT = "FLOAT"
    NUMBER = "DOUBLE"
    MONEY = "DECIMAL(18,4)"
    FLAG = "BOOLEAN"
    TIME = "TIMESTAMP"
    """UTC."""
    BYTES = "BLOB"


GLUE = {
    Kind.TEXT: "string",
    Kind.TEXTS: "array<string>",
    Kind.WHOLE: "bigint",
    Kind.FLOAT: "float",
    Kind.NUMBER: "double",
    Kind.MONEY: "decimal(18,4)",
    Kind.FLAG: "boolean",
    Kind.TIME: "timestamp",
}
"""The types as Glue, and with it Athena, calls them; bytes are no warehouse's."""

ICEBERG = {
    Kind.TEXT: "string",
    Kind.WHOLE: "long",
    Kind.FLOAT: "float",
    Kind.NUMBER: "double",
    Kind.MONEY: "decimal(18, 4)",
    Kind.FLAG: "boolean",
    Kind.TIME: "timestamp",
}
"""The types as Iceberg calls them; lists are of texts."""


class Growth(StrEnum):
    """What a date's objects hold of a table."""

    SNAPSHOT = "snapshot"
    """All of it, as it was at that date's instant."""
    INCREMENT = "increment"
    """What was recorded since the snapshot before; all dates together are all of it."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column, which may be NULL unless it is part of the table's key."""

    name: str
    kind: Kind
    meaning: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table."""

    name: str
    meaning: str
    growth: Growth
    key: tuple[str, ...]
    """The columns that tell rows apart: within a date, or, of increments of what never changes, in all dates."""
    columns: tuple[Column, ...]

    @property
    def is_personal(self) -> bool:
        """Whether its rows are of somebody, so that an erasure takes them out."""
        return "customer_id" in self.names

    @property
    def names(self) -> tuple[str, ...]:
        """Of its columns, in their order."""
        return tuple(column.name for column in self.columns)
