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
from bench.report import Line, table
from bench.worker import peak_bytes
from local.console import console
from training import score
from training.simulator import write

RESULTS = ROOT / "bench/scale.json"
EVENTS_A_CUSTOMER = 130
MADE_UP = 1_000_000
SIZES = (100_000, 1_000_000, 10_000_000)
AS_OF = "2024-11-01"
ENGINES = ("memory", "disk")
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


def exponent(runs: Sequence[Run], of: Callable[[Run], float]) -> float:
    """Of which power of the events it grows, by least squares of the logarithms."""
    x = [math.log(run.events) for run in runs]
    y = [math.log(of(run)) for run in runs]
    mean_x, mean_y = (sum(values) / len(values) for values in (x, y))
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / sum((a - mean_x) ** 2 for a in x)


def lines(runs: Sequence[Run]) -> Iterator[Line]:
    """A line a run, and what each engine's runs come to."""
    for run in runs:
        per = run.events / run.cpu_seconds
        ours = f"{run.seconds:,.0f} s ({run.cpu_seconds:,.0f} s of CPU, {per / 1_000:,.0f} k events/s of it)"
        against = f"{run.peak_bytes / GIGABYTE:.2f} GB of memory, {run.scratch_bytes / GIGABYTE:.2f} GB of scratch"
        met = run.peak_bytes < AIM_GIGABYTES * GIGABYTE
        yield Line(f"{run.events:,} events, {run.engine}", ours, against, aim=f"< {AIM_GIGABYTES} GB", met=met)
    for engine in dict.fromkeys(run.engine for run in runs):
        own = [run for run in runs if run.engine == engine]
        if len(own) > 1:
            grows = exponent(own, lambda run: run.cpu_seconds)
            name = f"Exponent of CPU time, {engine}"
            yield Line(name, f"{grows:.3f}", aim=f"≤ {AIM_EXPONENT}", met=grows <= AIM_EXPONENT)


# ---- Steps, in processes of their own --------------------------------------------------------------------------------


def _step(what: str, place: Path, argument: str) -> None:
    """Makes a shop of so many events and prints how many; or scores it by a bundle, and prints what that took."""
    if what == "make":
        sys.stdout.write(f"{_make(place, int(argument))}\n")
        return
    scratch = place / "scratch"
    scratch.mkdir()
    began, cpu = time.perf_counter(), time.process_time()
    with _watched(scratch) as most:
        status = score.main(_arguments(what, place, argument))
    took = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu}
    if status:
        raise SystemExit(status)
    sys.stdout.write(json.dumps({**took, "peak_bytes": peak_bytes(), "scratch_bytes": most["bytes"]}) + "\n")


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
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--step", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        what, place, argument = given.step
        _step(what, Path(place), argument)
        return
    runs = []
    for size in given.sizes:
        for engine in given.engines:
            runs.append(measure(engine, size, Path(given.model)))
            console.print(table(lines(runs)))
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
