"""Parquet files without the rows of people who are looked for; no name or value of theirs is part of a statement."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.erasure.streams import NotSearchable, OutOfTime
from shared.erasure.wanted import Wanted, about_people
from shared.events.confined import BrokenOff, confined
from shared.events.locked import locked_database

if TYPE_CHECKING:
    import duckdb

_MENTIONED = -1
"""They stand in it, and no column says whose a row is."""


class ParquetFile:
    """A file at a path of ours, and `kept`, another path of ours, for what is left of it."""

    def __init__(self, path: Path, kept: Path, wanted: Wanted, go_on: Callable[[], bool] = lambda: True) -> None:
        self._path = path
        self._kept = kept
        self._wanted = wanted
        self._go_on = go_on

    def rewrite(self) -> int:
        """How many rows are theirs; where there are any, the others are then at the path for what is left.

        Raises NotSearchable and OutOfTime.
        """
        # Here, or the process that each file is given would load it anew, which takes longer than most files.
        import duckdb  # noqa: F401

        try:
            (rows,) = confined(self._rewritten)
        except BrokenOff as error:
            if not self._go_on():
                raise OutOfTime from error
            raise NotSearchable(f"not a readable Parquet file: {error}") from error
        if rows == _MENTIONED:
            raise NotSearchable("no column says whose a row is")
        return rows

    def _rewritten(self) -> Iterator[int]:
        with locked_database(self._path, self._kept) as database, self._interrupted(database):
            yield self._without_theirs(database)

    @contextmanager
    def _interrupted(self, database: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Ends a query that is still at work when there is no time left."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(1):
                if not self._go_on():
                    database.interrupt()
                    return

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()

    def _is_mentioned(self, database: duckdb.DuckDBPyConnection) -> bool:
        ids = sorted(self._wanted.customers | self._wanted.visitors)
        rows = database.execute(
            "SELECT 1 FROM (SELECT CAST(r AS VARCHAR) AS text FROM read_parquet(?) AS r) "
            "WHERE list_bool_or([contains(text, id) FOR id IN ?]) LIMIT 1",
            [str(self._path), ids],
        )
        return rows.fetchone() is not None

    def _without_theirs(self, database: duckdb.DuckDBPyConnection) -> int:
        described = database.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(self._path)]).fetchall()
        names = [str(name) for name, *_ in described]
        if not any(map(about_people, names)):
            return _MENTIONED if self._is_mentioned(database) else 0
        conditions = list[str]()
        values = list[Any]()
        for number, name in enumerate(names):
            if ids := self._wanted.of_column(name):
                text = f"CAST(c{number} AS VARCHAR)"
                conditions.append(f"list_contains(?, {text}) OR list_contains(?, regexp_replace({text}, '\\.0+$', ''))")
                values += [sorted(ids), sorted(ids)]
        if not conditions:
            return 0
        # Columns go by their position: their names are the user's.
        aliases = ", ".join(f"c{number}" for number in range(len(names)))
        source = f"read_parquet(?, file_row_number = true) AS t({aliases}, row)"
        theirs = " OR ".join(f"({condition})" for condition in conditions)
        query = f"CREATE TEMP TABLE theirs AS SELECT row FROM {source} WHERE {theirs}"  # noqa: S608  # numbers alone
        database.execute(query, [str(self._path), *values])
        (rows,) = database.execute("SELECT count(*) FROM theirs").fetchone() or (0,)
        if rows:
            left = (
                "SELECT * EXCLUDE (file_row_number) FROM read_parquet(?, file_row_number = true) "
                "WHERE file_row_number NOT IN (SELECT row FROM theirs)"
            )
            database.execute(f"COPY ({left}) TO '{self._kept}' (FORMAT parquet)", [str(self._path)])
        return int(rows)
