"""The purchases as files: Parquet, gzipped lines of JSON, and gzipped CSV."""

import time
from pathlib import Path
from typing import Any

from bench.work import Inputs, Task, Work
from local.complete_journey import AS_OF
from shared.events import Rules, read_file
from shared.events.event import parse_timestamp
from shared.features import EventColumns, features, fold

PARQUET, NDJSON, CSV = ".parquet", ".ndjson.gz", ".csv.gz"
FORMATS = {
    "parquet": ("Parquet", "pandas.read_parquet", 10, 10),
    "ndjson": ("NDJSON.gz", "pandas.read_json", 2.5, 5),
    "csv": ("CSV.gz", "pandas.read_csv", 2.5, 5),
}
"""What each is called, and pandas' reader of it; how near the limit profiles of it are to come, and how many times as
fast as with pandas its features."""
_ENDINGS = {"parquet": PARQUET, "ndjson": NDJSON, "csv": CSV}
_WRITTEN = {NDJSON: "json", CSV: "csv"}
_READERS = {
    PARQUET: "read_parquet(?)", NDJSON: "read_json(?, format = 'newline_delimited')", CSV: "read_csv(?)"
}  # fmt: skip
_COLUMNS = "* REPLACE (strftime(timestamp, '%Y-%m-%dT%H:%M:%S') AS timestamp)"
_GROUP_BY = "SELECT customer_id, count(*), sum(price * quantity) FROM {} GROUP BY customer_id"


def fold_file(ending: str) -> Task:
    """Read, check and fold such a file into profiles."""

    def task(inputs: Inputs) -> Work:
        path, rows = _file(inputs.purchases, ending)
        return Work(lambda: fold(*_parts(path)), rows)

    return task


def duckdb_file(ending: str) -> Task:
    """Count and sum a customer, of the same file: no check, no distinct events, nothing kept of them."""

    def task(inputs: Inputs) -> Work:
        path, rows = _file(inputs.purchases, ending)
        return Work(lambda: _duckdb(_GROUP_BY.format(_READERS[ending]), path), rows)

    return task


def features_of_file(ending: str) -> Task:
    """Read, check and fold such a file, and then the features of all customers."""

    def task(inputs: Inputs) -> Work:
        path, rows = _file(inputs.purchases, ending)
        return Work(lambda: features(fold(*_parts(path)), parse_timestamp(AS_OF)), rows)

    return task


def pandas_file(ending: str) -> Task:
    """Recompute the features from the same file with pandas."""

    def task(inputs: Inputs) -> Work:
        import pandas as pd
        import pyarrow.parquet  # noqa: F401  what read_parquet would import first, which is not its work

        from bench.pandas_features import COLUMNS, pandas_features

        path, rows = _file(inputs.purchases, ending)
        as_of = pd.Timestamp(parse_timestamp(AS_OF), unit="ms")
        facts: dict[str, float] = {}

        def run() -> object:
            began = time.perf_counter()
            if ending == PARQUET:
                events = pd.read_parquet(path, columns=COLUMNS)
            elif ending == CSV:
                events = pd.read_csv(path, usecols=COLUMNS, parse_dates=["timestamp"])
            else:
                events = pd.read_json(path, lines=True, convert_dates=["timestamp"])
            facts["reading_seconds"] = time.perf_counter() - began
            return pandas_features(events, as_of)

        return Work(run, rows, facts)

    return task


FILE_TASKS: dict[str, Task] = {
    f"{name}_{kind}": task(ending)
    for kind, ending in _ENDINGS.items()
    for name, task in (
        ("fold", fold_file),
        ("duckdb", duckdb_file),
        ("features", features_of_file),
        ("pandas", pandas_file),
    )
}
"""By their names."""


def _parts(path: Path) -> list[EventColumns]:
    return [chunk.events for chunk in read_file(path, path.name, Rules())]


def _file(purchases: Path, ending: str) -> tuple[Path, int]:
    """The purchases as such a file, which is written where it is not there yet, and how many they are."""
    path = purchases.with_suffix(ending)
    if not path.exists():
        target = f"TO '{path}' (FORMAT {_WRITTEN[ending]}, COMPRESSION gzip)"
        _duckdb(f"COPY (SELECT {_COLUMNS} FROM read_parquet(?)) {target}", purchases)
    return path, int(_duckdb("SELECT count(*) AS n FROM read_parquet(?)", purchases)["n"][0])


def _duckdb(query: str, path: Path) -> Any:
    import duckdb

    with duckdb.connect(config={"threads": 1}) as database:
        return database.execute(query, [str(path)]).fetchnumpy()
