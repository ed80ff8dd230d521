"""Holds the feature engine to the oracle on whole datasets: `python -m training.check_features PATH [PATH …]`.

Each PATH is a Parquet file of events in the contract's columns. Its events are folded twice: in one pass, and as files
of one day each in random order, of which a fifth come twice and a tenth of whose lines come in another day's file.
Both must give the same bytes, and every feature of every customer must be the oracle's at several instants, with days
and hours of `--time-zone`.
"""

import argparse
import io
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import batched
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from shared.events import Rules, read_file
from shared.events.event import parse_timestamp
from shared.features import FEATURE_NAMES, Profiles, encode, features, fold, merge
from shared.features.time_zone import TimeZone, UnknownTimeZone
from training.base import command
from training.base.progress import progress
from training.data.events import read_events
from training.data.naive_features import naive_features

RELATIVE, ABSOLUTE = 1e-6, 1e-9
INSTANTS = 4
CUSTOMERS_A_TASK = 50
FILES_AT_ONCE = 50
"""As many as one invocation takes in."""
SEED = 11


@dataclass(frozen=True)
class Parity:
    """What was compared for one file."""

    events: int
    customers: int
    values: int
    differing: dict[str, int]
    """Differing values by feature."""
    changed_states: int
    """Customers whose bytes depend on the way of delivery."""
    median_bytes: float
    """Of a customer's encoded state."""
    percentile_99_bytes: float


def check(path: Path, workers: int, zone: str = "UTC") -> Parity:
    """Fold the file both ways and compare all features with the oracle's, in a time zone."""
    whole = read_events([path]).profiles
    frame = _counted(path)
    frame["timestamp"] = _in_utc(frame.timestamp)
    piecemeal = _fold_daily(frame)
    states = dict(zip(whole.keys, encode(whole), strict=True))
    others = dict(zip(piecemeal.keys, encode(piecemeal), strict=True))
    changed = sum(states.get(key) != others.get(key) for key in states.keys() | others.keys())

    instants = _instants(frame)
    matrices = [features(piecemeal, round(at.timestamp() * 1_000), TimeZone.of(zone)) for at in instants]
    differing: dict[str, int] = {}
    tasks = list(batched(_raw_histories(frame, piecemeal.keys), CUSTOMERS_A_TASK, strict=False))
    with ProcessPoolExecutor(workers) as pool, progress(f"oracle for {path.parent.name}", len(whole)) as advance:
        done = 0
        for expected in pool.map(partial(_oracle, instants=instants, zone=zone), tasks):
            for i, matrix in enumerate(matrices):
                got = matrix[done : done + len(expected)]
                wrong = ~np.isclose(got, expected[:, i], rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True)
                for j in np.flatnonzero(wrong.any(axis=0)):
                    differing[FEATURE_NAMES[j]] = differing.get(FEATURE_NAMES[j], 0) + int(wrong[:, j].sum())
            done += len(expected)
            advance(len(expected), f"{done:,} customers")
    sizes = [len(state) for state in states.values()]
    values = sum(matrix.size for matrix in matrices)
    return Parity(len(frame), len(whole), values, differing, changed, *np.percentile(sizes, [50, 99]).tolist())


def _counted(path: Path) -> pd.DataFrame:
    """The rows of a file that are not refused, which nothing is known of."""
    frame = pd.read_parquet(path)
    with path.open("rb") as file:
        chunks = read_file(file, path.name, Rules(currency=None))
        refused = [rejection.line - 1 for chunk in chunks for rejection in chunk.rejections]
    return frame.drop(index=frame.index[refused]).reset_index(drop=True)


def _in_utc(timestamp: "pd.Series[Any]") -> Any:
    """The same instants, of whatever type: what names no zone is in UTC, as the contract has it."""
    if not pd.api.types.is_datetime64_any_dtype(timestamp):
        return pd.to_datetime(timestamp.map(parse_timestamp), unit="ms", utc=True)
    return timestamp.dt.tz_localize(UTC) if timestamp.dt.tz is None else timestamp.dt.tz_convert(UTC)


def _fold_daily(frame: pd.DataFrame) -> Profiles:
    rng = np.random.default_rng(SEED)
    day = frame.timestamp.dt.date.to_numpy().copy()
    late = rng.random(len(frame)) < 0.1
    day[late] = rng.permutation(day[late])
    files = [part for _, part in frame.groupby(day)]
    rng.shuffle(files)
    files += [files[i] for i in rng.choice(len(files), len(files) // 5, replace=False)]
    state = Profiles.empty()
    with progress("folding daily files", len(files)) as advance:
        for some in batched(files, FILES_AT_ONCE, strict=False):
            folded = [
                fold(chunk.events)
                for part in some
                for chunk in read_file(io.BytesIO(part.to_parquet(index=False)), "day.parquet", Rules(currency=None))
            ]
            state = merge(state, *folded)
            advance(len(some), f"{len(state.rows):,} events")
    return state


def _instants(frame: pd.DataFrame) -> list[datetime]:
    """Evenly spread over the data, one of them not at midnight, the last after its end."""
    first = frame.timestamp.min().to_pydatetime()
    last = frame.timestamp.max().to_pydatetime()
    step = (last - first) / INSTANTS
    midnights = [(first + step * i).replace(hour=0, minute=0, second=0, microsecond=0) for i in range(1, INSTANTS)]
    return [midnights[0] + timedelta(hours=13, minutes=7, milliseconds=5), *midnights[1:], last + timedelta(days=1)]


def _raw_histories(frame: pd.DataFrame, keys: Sequence[str]) -> Iterator[list[dict[str, Any]]]:
    at = frame.timestamp.dt.to_pydatetime()
    columns = {name: frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in frame.columns}
    columns["timestamp"] = list(at)
    rows_of = frame.groupby(frame.customer_id.astype(str)).indices
    for key in keys:
        yield [
            {name: value for name, values in columns.items() if (value := values[i]) is not None}
            for i in rows_of[key.partition("#")[2]]
        ]


def _oracle(histories: Sequence[list[dict[str, Any]]], instants: Sequence[datetime], zone: str) -> np.ndarray[Any, Any]:
    """Features of some customers at all instants [n_customers, n_instants, n_features]."""
    by_customer = [[naive_features(history, at, ZoneInfo(zone)) for at in instants] for history in histories]
    return np.array([[[row[name] for name in FEATURE_NAMES] for row in rows] for rows in by_customer], np.float32)


def main(arguments: Sequence[str] | None = None, prog: str = "python -m training.check_features") -> int:
    """Compare, print the counts, and exit with 1 if anything differs."""
    parser = argparse.ArgumentParser(prog=prog, description="Hold features to a slow and obvious oracle.")
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="Parquet file of events")
    parser.add_argument("--workers", type=int, default=2, help="processes for the oracle")
    parser.add_argument("--time-zone", type=_zone, default="UTC", metavar="NAME", help="whose days and hours count")
    return command.run(parser, _run, arguments)


def _zone(name: str) -> str:
    try:
        return TimeZone.of(name).name
    except UnknownTimeZone as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _run(arguments: argparse.Namespace) -> int:
    failed = False
    for path in arguments.paths:
        parity = check(path, arguments.workers, arguments.time_zone)
        wrong = sum(parity.differing.values())
        command.say(
            f"{path}: {parity.events:,} events, {parity.customers:,} customers, {parity.values:,} values compared,"
            f" {wrong:,} differ in {arguments.time_zone}, {parity.changed_states:,} states depend on the delivery;"
            f" a state takes {parity.median_bytes:,.0f} bytes at the median,"
            f" {parity.percentile_99_bytes:,.0f} at the 99th percentile"
        )
        for name, count in parity.differing.items():
            command.say(f"  {name}: {count:,} differ")
        failed |= bool(wrong or parity.changed_states)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
