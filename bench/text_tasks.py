"""The purchases as files of text: gzipped lines of JSON, and gzipped CSV."""

from pathlib import Path
from typing import Any

from bench.work import Inputs, Task, Work
from local.complete_journey import AS_OF
from shared.events import Rules, read_file
from shared.events.event import parse_timestamp
from shared.features import EventColumns, features, fold

NDJSON, CSV = ".ndjson.gz", ".csv.gz"
_FORMATS = {NDJSON: "json", CSV: "csv"}
_READERS = {NDJSON: "read_json(?, format = 'newline_delimited')", CSV: "read_csv(?)"}
_COLUMNS = "* REPLACE (strftime(timestamp, '%Y-%m-%dT%H:%M:%S') AS timestamp)"
_GROUP_BY = "SELECT customer_id, count(*), sum(price * quantity) FROM {} GROUP BY customer_id"


def fold_text(ending: str) -> Task:
    """Read, check and fold such a file into profiles."""

    def task(inputs: Inputs) -> Work:
        path, rows = _file(inputs.purchases, ending)
        return Work(lambda: fold(*_parts(path)), rows)

    return task


def duckdb_text(ending: str) -> Task:
    """Count and sum a customer, of the same file: no check, no distinct events, nothing kept of them."""

    def task(inputs: Inputs) -> Work:
        path, rows = _file(inputs.purchases, ending)
        return Work(lambda: _duckdb(_GROUP_BY.format(_READERS[ending]), path), rows)

    return task


def features_of_text(ending: str) -> Task:
    """Read, check and fold such a file, and then the features of all customers."""

    def task(inputs: Inputs) -> Work:
        path, rows = _file(inputs.purchases, ending)
        return Work(lambda: features(fold(*_parts(path)), parse_timestamp(AS_OF)), rows)

    return task


def pandas_text(ending: str) -> Task:
    """Recompute the features from the same file with pandas."""

    def task(inputs: Inputs) -> Work:
        import pandas as pd

        from bench.pandas_features import COLUMNS, pandas_features

        path, rows = _file(inputs.purchases, ending)
        as_of = pd.Timestamp(parse_timestamp(AS_OF), unit="ms")

        def run() -> object:
            if ending == CSV:
                events = pd.read_csv(path, usecols=COLUMNS, parse_dates=["timestamp"])
            else:
                events = pd.read_json(path, lines=True, convert_dates=["timestamp"])
            return pandas_features(events, as_of)

        return Work(run, rows)

    return task


TEXT_TASKS: dict[str, Task] = {
    f"{name}_{kind}": task(ending)
    for kind, ending in (("ndjson", NDJSON), ("csv", CSV))
    for name, task in (
        ("fold", fold_text),
        ("duckdb", duckdb_text),
        ("features", features_of_text),
        ("pandas", pandas_text),
    )
}
"""By their names."""


def _parts(path: Path) -> list[EventColumns]:
    return [chunk.events for chunk in read_file(path, path.name, Rules())]


def _file(purchases: Path, ending: str) -> tuple[Path, int]:
    """The purchases as such a file, which is written where it is not there yet, and how many they are."""
    path = purchases.with_suffix(ending)
    if not path.exists():
        target = f"TO '{path}' (FORMAT {_FORMATS[ending]}, COMPRESSION gzip)"
        _duckdb(f"COPY (SELECT {_COLUMNS} FROM read_parquet(?)) {target}", purchases)
    return path, int(_duckdb("SELECT count(*) AS n FROM read_parquet(?)", purchases)["n"][0])


def _duckdb(query: str, path: Path) -> Any:
    import duckdb

    with duckdb.connect(config={"threads": 1}) as database:
        return database.execute(query, [str(path)]).fetchnumpy()
