"""Exported tables as files of ours that DuckDB reads: those of one date, and of what only grows those up to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.events.locked import locked_database
from shared.exports.tables import TABLES
from shared.telemetry.errors import AnonymousError

if TYPE_CHECKING:
    import duckdb

MEMORY = "1200MB"
"""Of DuckDB's own count, in a function of twice as much; the rest of what it works on goes to the disk."""


@dataclass(frozen=True)
class Tables:
    """Files of exported tables, by the table's name, in a folder of their own."""

    folder: Path
    files: Mapping[str, Sequence[Path]]

    @contextmanager
    def opened(self, *names: str) -> Iterator[Database]:
        """A database that reaches the files of these tables, and nothing else."""
        import duckdb

        own = {name: [*self.files.get(name, ())] or [self._empty(name)] for name in names}
        spill = self.folder / "spill"
        spill.mkdir(exist_ok=True)
        try:
            with locked_database(
                *(path for paths in own.values() for path in paths), memory=MEMORY, spill=spill
            ) as connection:
                yield Database(connection, {name: [str(path) for path in paths] for name, paths in own.items()})
        except duckdb.OutOfMemoryException as error:
            raise TooLarge("the exported tables take more room than there is") from error

    def _empty(self, name: str) -> Path:
        """A file of a table without a row, in the place of none."""
        import duckdb

        path = self.folder / f"{name}-empty.parquet"
        (table,) = (one for one in TABLES if one.name == name)
        columns = ", ".join(f"CAST(NULL AS {column.kind}) AS {column.name}" for column in table.columns)
        with duckdb.connect() as connection:
            connection.sql(f"SELECT {columns} WHERE false").write_parquet(str(path))
        return path


class TooLarge(AnonymousError):
    """What was exported takes more room than there is."""


@dataclass(frozen=True)
class Database:
    """A database with the files of some tables, which statements name as parameters: `read_parquet($orders)`."""

    connection: duckdb.DuckDBPyConnection
    paths: Mapping[str, Sequence[str]]

    def run(self, statement: str, **given: Any) -> duckdb.DuckDBPyConnection:
        """Runs a statement of ours with the parameters that it names."""
        known = {**self.paths, **given}
        return self.connection.execute(statement, {name: known[name] for name in known if f"${name}" in statement})

    def rows(self, statement: str, **given: Any) -> list[dict[str, Any]]:
        """What a statement of ours finds, a dictionary a row."""
        result = self.run(statement, **given)
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
