"""What is measured on the made-up shop; as in `bench.tasks`, each task gives the work to be timed."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from io import BytesIO
from itertools import batched, chain, groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.shop import AS_OF_MS, shop_events, shop_file
from bench.work import Inputs, Work
from shared.durations import DAY_MS
from shared.events import Rules, read_file
from shared.features import EventColumns, Profiles, decode, encode, features, fold, merge
from shared.features.columns import COLUMN_TYPES
from shared.intake.ingest import PROFILES_AT_ONCE

if TYPE_CHECKING:
    import pandas as pd


def shop_file_to_features(inputs: Inputs) -> Work:
    """Read, check and fold the made-up shop's events of every kind, and compute all features."""
    events = shop_events(inputs.customers)
    file = shop_file(events)
    return Work(lambda: features(_folded(file), AS_OF_MS), len(events))


def pandas_shop_file(inputs: Inputs) -> Work:
    """Recompute all features from the same file with pandas."""
    import pandas as pd

    from bench.pandas_all_features import COLUMNS, pandas_all_features

    events = shop_events(inputs.customers)
    file = shop_file(events)
    as_of = pd.Timestamp(AS_OF_MS, unit="ms")
    return Work(lambda: pandas_all_features(pd.read_parquet(BytesIO(file), columns=COLUMNS), as_of), len(events))


def day_file(inputs: Inputs) -> Work:
    """Take in a day's file of the shop: read it, load, merge and encode whom it touches, and compute their features."""
    before, day = _last_day(inputs)
    known = fold(before)
    stored = dict(zip(known.keys, _encoded(known), strict=True))
    file = shop_file(day)

    def run() -> object:
        new = _folded(file)
        keys = [key for key in new.keys if key in stored]
        after = merge(decode(keys, [stored[key] for key in keys]), new)
        stored.update(zip(after.keys, encode(after), strict=True))
        return features(after, AS_OF_MS)

    return Work(run, len(day), {"customers": len(_folded(file))})


def pandas_day_file(inputs: Inputs) -> Work:
    """Read the same file with pandas and recompute everybody's features, of whom all earlier events are in memory."""
    import pandas as pd

    from bench.pandas_all_features import COLUMNS, pandas_all_features

    before, day = _last_day(inputs)
    known = pd.read_parquet(BytesIO(shop_file(before)), columns=COLUMNS)
    file = shop_file(day)
    as_of = pd.Timestamp(AS_OF_MS, unit="ms")

    def run() -> object:
        return pandas_all_features(pd.concat([known, pd.read_parquet(BytesIO(file), columns=COLUMNS)]), as_of)

    return Work(run, len(day))


def feature_matrix(inputs: Inputs) -> Work:
    """All features of the made-up shop's customers."""
    profiles = fold(shop_events(inputs.customers))
    return Work(lambda: features(profiles, AS_OF_MS), len(profiles), {"events": len(profiles.rows)})


def pandas_of_shop(inputs: Inputs) -> Work:
    """All features of the made-up shop's customers with pandas, from a data frame that is in memory already."""
    import pandas as pd

    from bench.pandas_all_features import COLUMNS, pandas_all_features

    file = shop_file(shop_events(inputs.customers))
    as_of = pd.Timestamp(AS_OF_MS, unit="ms")
    frame = pd.read_parquet(BytesIO(file), columns=COLUMNS)
    return Work(lambda: pandas_all_features(frame, as_of), inputs.customers)


def merge_profiles(inputs: Inputs) -> Work:
    """Merge two halves of everybody's histories, every other event each."""
    events = shop_events(inputs.customers)
    halves = [fold(_every_other(events, first)) for first in (0, 1)]
    return Work(lambda: merge(*halves), len(events))


def pandas_merge(inputs: Inputs) -> Work:
    """The same of two data frames: put together, sorted by customer and time, repeats of an event dropped."""
    import pandas as pd

    events = shop_events(inputs.customers)
    halves = [_frame(events).iloc[first::2] for first in (0, 1)]

    def run() -> object:
        together = pd.concat(halves).sort_values(["customer", "time_ms"], kind="stable")
        return together.drop_duplicates(["customer", "fingerprint"])

    return Work(run, len(events))


def read_columns(inputs: Inputs) -> Work:
    """Each column of everybody's histories summed up: the least that whoever uses them does."""
    profiles = fold(shop_events(inputs.customers))
    columns = [np.ascontiguousarray(column) for column in profiles.rows.columns()]
    return Work(lambda: [column.sum() for column in columns], len(profiles))


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


def json_encode(inputs: Inputs) -> Work:
    """The usual way: each customer's events as JSON, compressed by zlib."""
    records = _records(inputs)
    sizes = [len(one) for one in _documents(records)]
    facts = {"bytes_median": float(np.median(sizes)), "bytes_99th_percentile": float(np.percentile(sizes, 99))}
    return Work(lambda: _documents(records), len(records), facts)


def json_decode(inputs: Inputs) -> Work:
    """The same the other way."""
    documents = _documents(_records(inputs))
    return Work(lambda: [json.loads(zlib.decompress(document)) for document in documents], len(documents))


def _documents(records: list[list[dict[str, Any]]]) -> list[bytes]:
    return [zlib.compress(json.dumps(events).encode()) for events in records]


def _records(inputs: Inputs) -> list[list[dict[str, Any]]]:
    frame = _frame(shop_events(inputs.customers // 10)).sort_values("customer", kind="stable")
    lines: Any = frame.to_dict(orient="records")
    return [list(events) for _, events in groupby(lines, itemgetter("customer"))]


def _frame(events: EventColumns) -> pd.DataFrame:
    import pandas as pd

    names = zip(COLUMN_TYPES, events.rows.columns(), strict=True)
    return pd.DataFrame({"customer": events.profile, **dict(names)})


def _folded(file: bytes) -> Profiles:
    return fold(*[chunk.events for chunk in read_file(BytesIO(file), "events.parquet", Rules())])


def _batches(inputs: Inputs) -> list[Profiles]:
    return _batched(fold(shop_events(inputs.customers // 10)))


def _batched(everyone: Profiles) -> list[Profiles]:
    return [everyone.take(list(some)) for some in batched(range(len(everyone)), PROFILES_AT_ONCE, strict=False)]


def _encoded(everyone: Profiles) -> Iterable[bytes]:
    return chain.from_iterable(encode(batch) for batch in _batched(everyone))


def _every_other(events: EventColumns, first: int) -> EventColumns:
    return _some(events, np.arange(first, len(events), 2))


def _last_day(inputs: Inputs) -> tuple[EventColumns, EventColumns]:
    """The shop's events up to its last whole day, and those from then on."""
    events = shop_events(inputs.customers)
    new = events.rows.time_ms >= AS_OF_MS - 2 * DAY_MS
    return _some(events, np.flatnonzero(~new)), _some(events, np.flatnonzero(new))


def _some(events: EventColumns, at: NDArray[np.intp]) -> EventColumns:
    return EventColumns(events.keys, events.profile[at], events.rows.take(at), events.category_names)
