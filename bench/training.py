"""Where the time of training goes: `python -m bench --training`, or `make bench OPTIONS=--training`.

A sampler looks every few milliseconds at what training is in the middle of and books the time since to it, so that
training runs as it always does. `python -m bench.training EVENTS OUT` trains once and prints JSON.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from bench.imports import ROOT
from bench.row import Row
from bench.rows import MEGABYTE
from bench.worker import Measurement, peak_bytes
from training.base import command
from training.base.config import Config
from training.bundle import gate, manifest, reasons_file
from training.data import events
from training.prediction import candidates, classic, holdout
from training.prediction.predictions import fit_target
from training.prediction.targets import PointsInTime
from training.report import findings, page
from training.segmentation import naming, segments
from training.simulator import write
from training.train import train

CUSTOMERS = 100_000
AIM_SECONDS = 600
AIM_GIGABYTES = 8
WHOLE = "train"
REST = "all else"
EVERY_SECONDS = 0.02
GIGABYTE = 1_000 * MEGABYTE

STAGES: Mapping[str, Callable[..., Any]] = {
    "read the events": events.read_events,
    "features": PointsInTime.features,
    "segments": segments.fit_segments,
    "linear models": candidates.fit_linear,
    "random forests": candidates.fit_forest,
    "XGBoost": candidates.fit_boosted,
    "two-part models": candidates.fit_two_part,
    "BG/NBD + Gamma-Gamma": classic.judge,
    "other work on predictions": fit_target,
    "names of segments": naming.catalogue,
    "manifest": manifest.manifest,
    "gate": gate.pass_training,
    "what the gate keeps": gate.save,
    "holdout": holdout.held_out,
    "reasons": reasons_file.save,
    "findings": findings.find,
    "report": page.report,
}
"""What training is in the middle of, by the innermost of these functions."""
_CODE: Mapping[CodeType, str] = {function.__code__: stage for stage, function in STAGES.items()}


@dataclass
class Spent:
    """On one stage."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Of all threads."""
    peak_bytes: int = 0
    """Resident memory of the whole process, as far as a sample saw it."""


def profile(work: Callable[[], object]) -> dict[str, Spent]:
    """What `work` spends on each of STAGES that it comes to, and on all else; stages that several threads are in at the
    same time share it."""
    spent: dict[str, Spent] = {}
    over = threading.Event()

    def watch() -> None:
        then, cpu = time.perf_counter(), time.process_time()
        ended = False
        while not ended:
            ended = over.wait(EVERY_SECONDS)
            stages = list(filter(None, map(_stage, sys._current_frames().values()))) or [REST]
            now, cpu_now = time.perf_counter(), time.process_time()
            for on in (spent.setdefault(stage, Spent()) for stage in stages):
                on.seconds += (now - then) / len(stages)
                on.cpu_seconds += (cpu_now - cpu) / len(stages)
                on.peak_bytes = max(on.peak_bytes, _resident_bytes())
            then, cpu = now, cpu_now

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        work()
    finally:
        over.set()
        watcher.join()
    return spent


def _stage(frame: FrameType | None) -> str | None:
    while frame is not None:
        if stage := _CODE.get(frame.f_code):
            return stage
        frame = frame.f_back
    return None


def _resident_bytes() -> int:
    pages = Path("/proc/self/statm")
    return int(pages.read_text().split()[1]) * 4_096 if pages.exists() else peak_bytes()


def measure_training(customers: int = CUSTOMERS) -> dict[str, Measurement]:
    """Training on a made-up shop of so many customers, in a process of its own: as a whole, and each of its stages.

    Raises CalledProcessError.
    """
    shop = ROOT / f"build/bench/shop-{customers}"
    if not (shop / "types.csv").exists():
        write(shop, customers)
    with tempfile.TemporaryDirectory() as out:
        training = [sys.executable, "-m", "bench.training", str(shop / "events"), out]
        done = subprocess.run(training, check=True, stdout=subprocess.PIPE)
    stages = json.loads(done.stdout.splitlines()[-1])
    return {name: Measurement(**measured) for name, measured in stages.items()}


def training_rows(measured: Mapping[str, Measurement]) -> Iterator[Row]:
    """The rows of training as a whole, and of its stages from the longest to the shortest."""
    whole = measured[WHOLE]
    cpu = whole.facts["cpu_seconds"]
    events = f"{whole.units / 1e6:.1f} M events of {whole.facts['customers']:,.0f} customers"
    yield Row("training", f"Training on {events}", whole.best, "s", note=f"{cpu:,.0f} s of CPU").at_most(AIM_SECONDS)
    yield Row("training_memory", "Its peak memory", whole.peak_bytes / GIGABYTE, "GB").at_most(AIM_GIGABYTES)
    stages = {stage: one for stage, one in measured.items() if stage != WHOLE}
    for stage, one in sorted(stages.items(), key=lambda item: -item[1].facts["cpu_seconds"]):
        spent = one.facts["cpu_seconds"]
        note = f"{spent:,.0f} s of CPU, {spent / cpu:.0%} of it; {one.peak_bytes / GIGABYTE:.1f} GB"
        yield Row(f"training: {stage}", f"· {stage}", one.best, "s", note=note)


def main() -> None:
    """Train on the events of the first argument into the folder of the second, and print what it took."""
    shop, out = map(Path, sys.argv[1:])
    began, cpu = time.perf_counter(), time.process_time()
    stages = profile(lambda: train([shop], out, None, Config()))
    whole = Spent(time.perf_counter() - began, time.process_time() - cpu, peak_bytes())
    known = json.loads((out / "manifest.json").read_text())["events"]
    measured = {name: asdict(_measured(spent, known)) for name, spent in {WHOLE: whole, **stages}.items()}
    command.say(json.dumps(measured))


def _measured(spent: Spent, known: Mapping[str, int]) -> Measurement:
    facts = {"cpu_seconds": spent.cpu_seconds, "customers": known["customers"]}
    return Measurement([spent.seconds], known["rows"], facts, spent.peak_bytes)


if __name__ == "__main__":
    main()
