"""What is measured: each task makes ready what it needs, untimed, and gives the work to be timed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import batched
from pathlib import Path
from typing import Any

import numpy as np

from bench.shop import AS_OF_MS, shop_events
from bench.stream import EventStream
from local.complete_journey import AS_OF
from shared.deciding import Moment
from shared.events import Rules, read_file
from shared.events.event import parse_timestamp
from shared.features import EventColumns, Profiles, decode, encode, features, fold, merge
from shared.ingest import PROFILES_AT_ONCE, Intake
from shared.profile_table import ProfileTable, StoredProfile

MEGABYTE = 1_000_000
_YEAR_END_MS = parse_timestamp(AS_OF)
_GROUP_BY = "SELECT customer_id, count(*), sum(price * quantity) FROM read_parquet(?) GROUP BY customer_id"
_COLUMNS = (
    "SELECT event_id, event_type, timestamp, customer_id, session_id, order_id, category, brand, quantity, price,"
    " discount, currency FROM read_parquet(?)"
)


@dataclass(frozen=True)
class Inputs:
    """What tasks work on."""

    purchases: Path
    """A Parquet file of purchases."""
    customers: int = 100_000
    """Customers of the made-up shop."""
    megabytes: int = 50
    """Length of the stream of events."""


@dataclass(frozen=True)
class Work:
    """Something to be timed."""

    run: Callable[[], object]
    units: int
    """Events or customers in one run."""
    facts: dict[str, float] = field(default_factory=dict)
    """What else is worth knowing."""


type Task = Callable[[Inputs], Work]


# ---- Files -----------------------------------------------------------------------------------------------------------


def fold_file(inputs: Inputs) -> Work:
    """Read, check and fold a file of events into profiles."""
    return Work(lambda: _profiles(inputs.purchases), _rows(inputs.purchases))


def fold_file_to_features(inputs: Inputs) -> Work:
    """The same, and then the features of all customers."""
    return Work(lambda: features(_profiles(inputs.purchases), _YEAR_END_MS), _rows(inputs.purchases))


def duckdb_group_by(inputs: Inputs) -> Work:
    """Count and sum a customer, of the same file: no check, no distinct events, nothing kept of them."""
    return Work(lambda: _duckdb(_GROUP_BY, inputs.purchases), _rows(inputs.purchases))


def duckdb_columns(inputs: Inputs) -> Work:
    """Only get the columns that folding needs out of the same file, as NumPy arrays."""
    return Work(lambda: _duckdb(_COLUMNS, inputs.purchases), _rows(inputs.purchases))


def pandas_file(inputs: Inputs) -> Work:
    """Recompute the features from the same file with pandas."""
    import pandas as pd
    import pyarrow.parquet  # noqa: F401  what read_parquet would import first, which is not its work

    from bench.pandas_features import COLUMNS, pandas_features

    as_of = pd.Timestamp(_YEAR_END_MS, unit="ms")

    def run() -> object:
        return pandas_features(pd.read_parquet(inputs.purchases, columns=COLUMNS), as_of)

    return Work(run, _rows(inputs.purchases))


# ---- In memory -------------------------------------------------------------------------------------------------------


def fold_columns(inputs: Inputs) -> Work:
    """Fold events that are columns already, part by part as a file gives them."""
    parts = _parts(inputs.purchases)
    return Work(lambda: [fold(part) for part in parts], sum(map(len, parts)))


def merge_profiles(inputs: Inputs) -> Work:
    """Merge two halves of everybody's histories, every other event each."""
    events = shop_events(inputs.customers)
    halves = [fold(_every_other(events, first)) for first in (0, 1)]
    return Work(lambda: merge(*halves), len(events))


def encode_profiles(inputs: Inputs) -> Work:
    """Profiles to bytes, as many at once as are written at once."""
    batches = _batches(inputs)
    counts = np.concatenate([batch.event_counts for batch in batches])
    sizes = [len(blob) for batch in batches for blob in encode(batch)]
    facts = {"events_median": np.median(counts), "events_mean": np.mean(counts)}
    facts |= {"bytes_median": np.median(sizes), "bytes_99th_percentile": np.percentile(sizes, 99)}
    numbers = {name: round(float(value), 1) for name, value in facts.items()}
    return Work(lambda: [encode(batch) for batch in batches], len(sizes), numbers)


def decode_profiles(inputs: Inputs) -> Work:
    """Bytes to profiles, as many at once as are read at once."""
    stored = [(batch.keys, encode(batch)) for batch in _batches(inputs)]
    return Work(lambda: [decode(keys, blobs) for keys, blobs in stored], sum(len(keys) for keys, _ in stored))


def feature_matrix(inputs: Inputs) -> Work:
    """All features of the made-up shop's customers."""
    profiles = fold(shop_events(inputs.customers))
    return Work(lambda: features(profiles, AS_OF_MS), len(profiles), {"events": len(profiles.rows)})


def features_of_profiles(inputs: Inputs) -> Work:
    """All features of the customers in the file, from their profiles."""
    profiles = _profiles(inputs.purchases)
    return Work(lambda: features(profiles, _YEAR_END_MS), len(profiles))


def pandas_of_frame(inputs: Inputs) -> Work:
    """The same with pandas, from a data frame that is in memory already."""
    import pandas as pd

    from bench.pandas_features import COLUMNS, pandas_features

    frame, as_of = pd.read_parquet(inputs.purchases, columns=COLUMNS), pd.Timestamp(_YEAR_END_MS, unit="ms")
    return Work(lambda: pandas_features(frame, as_of), frame.customer_id.nunique())


# ---- Streams ---------------------------------------------------------------------------------------------------------


class _Nowhere(ProfileTable):
    """A table that knows nobody and keeps nothing, for its contents would count as memory of the function."""

    def __init__(self) -> None:
        pass

    def load(self, keys: Iterable[str]) -> dict[str, StoredProfile]:
        return {}

    def save(self, profiles: Any) -> set[str]:
        return set()


def take_in_stream(inputs: Inputs) -> Work:
    """Take a stream of NDJSON in as the function does: read, check, fold, gather, merge, encode, and write."""
    stream = EventStream(inputs.megabytes * MEGABYTE, inputs.customers)
    facts: dict[str, float] = {}

    def run() -> None:  # to its end, so once only
        intake = Intake(_Nowhere(), None, Moment(_YEAR_END_MS, _YEAR_END_MS))
        for chunk in read_file(stream, "stream.ndjson", Rules()):
            intake.add(chunk, lambda rejections: None)
        intake.flush()
        facts.update(accepted=intake.accepted, lines=stream.lines, bytes=stream.bytes, making_seconds=stream.seconds)

    return Work(run, inputs.megabytes, facts)


TASKS: dict[str, Task] = {
    task.__name__: task
    for task in (
        fold_file,
        fold_file_to_features,
        duckdb_group_by,
        duckdb_columns,
        pandas_file,
        fold_columns,
        merge_profiles,
        encode_profiles,
        decode_profiles,
        feature_matrix,
        features_of_profiles,
        pandas_of_frame,
        take_in_stream,
    )
}


def _parts(path: Path) -> list[EventColumns]:
    return [chunk.events for chunk in read_file(path, path.name, Rules())]


def _profiles(path: Path) -> Profiles:
    return merge(*[fold(chunk.events) for chunk in read_file(path, path.name, Rules())])


def _batches(inputs: Inputs) -> list[Profiles]:
    everyone = fold(shop_events(inputs.customers // 10))
    return [everyone.take(list(some)) for some in batched(range(len(everyone)), PROFILES_AT_ONCE, strict=False)]


def _every_other(events: EventColumns, first: int) -> EventColumns:
    half = slice(first, None, 2)
    return EventColumns(events.keys, events.profile[half], events.rows.take(half), events.category_names)


def _rows(path: Path) -> int:
    import duckdb

    with duckdb.connect() as database:
        found = database.execute("SELECT count(*) FROM read_parquet(?)", [str(path)]).fetchone()
    return int(found[0]) if found else 0


def _duckdb(query: str, path: Path) -> object:
    import duckdb

    with duckdb.connect(config={"threads": 1}) as database:
        return database.execute(query, [str(path)]).fetchnumpy()
