"""How time and memory grow with the events: `python -m bench.scale --model my-model/`; results in bench/scale.json.

Made-up shops of 130 events a customer are scored, each by every engine in a process of its own with two cores, as it
comes. The exponent is that of the power of events that time grows with, by least squares over all sizes: 1 is linear.
"""

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from bench.imports import ROOT
from bench.report import table
from bench.row import Row
from bench.worker import peak_bytes
from local.console import console
from shared.events.event import parse_timestamp
from training import score
from training.simulator import write

RESULTS = ROOT / "bench/scale.json"
EVENTS_A_CUSTOMER = 130
MADE_UP = 1_000_000
SIZES = (100_000, 1_000_000, 10_000_000)
AS_OF = "2024-11-01"
ENGINES = ("memory", "disk")
USUAL, LIMIT = "usual", "limit"
"""What they are held against: pandas and pickles, and a sort by DuckDB."""
USUAL_UP_TO = 1_000_000
"""Beyond, pandas has not memory enough on the machine at hand."""
AIM_EXPONENT = 1.05
AIM_GIGABYTES = 8
GIGABYTE = 10**9


@dataclass(frozen=True)
class Run:
    """One engine on one shop."""

    engine: str
    events: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    """Resident memory of the whole process."""
    scratch_bytes: int
    """On the disk at the same time, as far as it was seen."""


_SELF = (sys.executable, "-m", "bench.scale", "--step")


def measure(engine: str, events: int, model: Path) -> Run:
    """Makes the shop and scores it, in processes of their own. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory(dir=_bench_folder()) as place:
        # The making of the shop is not measured, so that its memory is not either.
        made = subprocess.run([*_SELF, "make", place, str(events)], check=True, stdout=subprocess.PIPE)
        done = subprocess.run([*_SELF, engine, place, str(model)], check=True, stdout=subprocess.PIPE)
    return Run(engine, int(made.stdout.splitlines()[-1]), **json.loads(done.stdout.splitlines()[-1]))


def measure_scale(
    model: Path, sizes: Sequence[int] = SIZES, engines: Sequence[str] = (*ENGINES, USUAL, LIMIT)
) -> Iterator[Run]:
    """Each of the engines on shops of each of the sizes, as far as it goes. Raises CalledProcessError."""
    for size in sizes:
        for engine in engines:
            if engine != USUAL or size <= USUAL_UP_TO:
                yield measure(engine, size, model)


def exponent(grown: Sequence[tuple[float, float]]) -> float:
    """Of which power of the first of each pair the second grows, by least squares of the logarithms."""
    x, y = ([math.log(value) for value in values] for values in zip(*grown, strict=True))
    mean_x, mean_y = (sum(values) / len(values) for values in (x, y))
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / sum((a - mean_x) ** 2 for a in x)


def scale_rows(runs: Sequence[Run]) -> Iterator[Row]:
    """A row a run of ours, beside the usual way and the limit on the same shop, and what each engine's runs come to."""
    others = {(run.engine, run.events): run.cpu_seconds for run in runs}
    for run in runs:
        if run.engine not in ENGINES:
            continue
        usual, limit = (others.get((engine, run.events)) for engine in (USUAL, LIMIT))
        yield Row(
            f"scale_{run.engine}_{run.events}",
            f"{run.events:,} events scored, {run.engine}",
            run.cpu_seconds,
            "s of CPU",
            "pandas and pickles" if usual else "",
            usual,
            "DuckDB's sort of them" if limit else "",
            limit,
            note=f"{run.seconds:,.0f} s; GB of memory: {run.peak_bytes / GIGABYTE:.2f},"
            f" of scratch: {run.scratch_bytes / GIGABYTE:.2f}",
        ).held(f"< {AIM_GIGABYTES} GB of memory", run.peak_bytes < AIM_GIGABYTES * GIGABYTE)
    for engine in ENGINES:
        own = [(run.events, run.cpu_seconds) for run in runs if run.engine == engine]
        if len(own) > 1:
            what = f"Power of the events that CPU time grows with, {engine}"
            yield Row(f"scale_{engine}_exponent", what, exponent(own), "").at_most(AIM_EXPONENT)


# ---- Steps, in processes of their own --------------------------------------------------------------------------------


def _step(what: str, place: Path, argument: str) -> None:
    """Makes a shop of so many events and prints how many; or scores it by a bundle, and prints what that took."""
    if what == "make":
        sys.stdout.write(f"{_make(place, int(argument))}\n")
        return
    scratch = place / "scratch"
    scratch.mkdir()
    others: dict[str, Callable[[Path], int]] = {USUAL: _usual, LIMIT: _sorted}
    work = others.get(what) or (lambda place: score.main(_arguments(what, place, argument)))
    began, cpu = time.perf_counter(), time.process_time()
    with _watched(scratch) as most:
        status = work(place)
    took = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu}
    if status:
        raise SystemExit(status)
    sys.stdout.write(json.dumps({**took, "peak_bytes": peak_bytes(), "scratch_bytes": most["bytes"]}) + "\n")


def _usual(place: Path) -> int:
    """Features with pandas, and four models of scikit-learn."""
    import pandas as pd

    from bench.pandas_all_features import COLUMNS
    from bench.usual_way import predicted

    events = pd.read_parquet(place / "events", columns=[name for name in COLUMNS if name != "quantity"])
    events = events.assign(timestamp=pd.to_datetime(events.timestamp, unit="ms"), quantity=1.0)
    predicted(_bench_folder(), events.sort_values("timestamp", kind="stable"), parse_timestamp(AS_OF))
    return 0


def _sorted(place: Path) -> int:
    """The events by customer and time, as whoever scores customers by their histories needs them, and their gaps."""
    query = (
        "SELECT count(*), sum(length(customer_id)), sum(gap) FROM (SELECT *, timestamp - lag(timestamp)"
        " OVER (PARTITION BY customer_id ORDER BY timestamp) AS gap FROM read_parquet($1))"
    )
    with duckdb.connect(config={"memory_limit": "4GB", "temp_directory": str(place / "scratch")}) as database:
        database.execute(query, [str(place / "events" / "*.parquet")]).fetchall()
    return 0


def _make(place: Path, events: int) -> int:
    """A shop of about so many events: beyond MADE_UP, copies of one whose customers have ids of their own."""
    copies = max(1, round(events / MADE_UP))
    count = write(place, round(events / copies / EVENTS_A_CUSTOMER))
    folder = place / "events"
    files = sorted(folder.iterdir())
    again = "COPY (SELECT * REPLACE (customer_id || $1 AS customer_id) FROM read_parquet($2)) TO $3 (FORMAT parquet)"
    with duckdb.connect() as database:
        for number in range(1, copies):
            for file in files:
                database.execute(again, [f"-{number}", str(file), str(folder / f"{number}-{file.name}")])
    return count * copies


def _arguments(engine: str, place: Path, model: str) -> list[str]:
    files = ["--events", str(place / "events"), "--out", str(place / "scores.parquet")]
    return [*files, "--model", model, "--as-of", AS_OF, "--engine", engine, "--scratch", str(place / "scratch")]


@contextmanager
def _watched(folder: Path) -> Iterator[Mapping[str, int]]:
    """The most `bytes` that were seen in the folder."""
    most = {"bytes": 0}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.5):
            most["bytes"] = max(most["bytes"], _size(folder))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield most
    finally:
        over.set()
        watcher.join()


def _size(folder: Path) -> int:
    total = 0
    for at, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(at) / name).stat().st_blocks * 512
            except FileNotFoundError:  # gone meanwhile
                continue
    return total


def _bench_folder() -> Path:
    folder = ROOT / "build/bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def main() -> None:
    """Measure each size by each engine, as far as it fits, and write results.json's neighbour."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--model", metavar="DIR", help="a bundle's folder")
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES, metavar="N", help="events; default: %(default)s")
    parser.add_argument("--engines", nargs="+", choices=(*ENGINES, USUAL, LIMIT), default=ENGINES)
    parser.add_argument("--step", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        what, place, argument = given.step
        _step(what, Path(place), argument)
        return
    runs: list[Run] = []
    for run in measure_scale(Path(given.model), given.sizes, given.engines):
        runs.append(run)
        console.print(table(scale_rows(runs)))
        _write(runs)


def _write(runs: Sequence[Run]) -> None:
    about = {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "runs": [asdict(run) for run in runs],
    }
    RESULTS.write_text(json.dumps(about, indent=2) + "\n")


if __name__ == "__main__":
    main()
