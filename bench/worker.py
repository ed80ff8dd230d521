"""One measurement in a process of its own, on one core: `python -m bench.worker TASK INPUTS REPEATS` prints JSON."""

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from bench.tasks import TASKS
from bench.work import Inputs

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ARROW_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Measurement:
    """How long a task took, each time, and how much memory its process ever held."""

    seconds: list[float]
    units: int
    facts: dict[str, float]
    peak_bytes: int

    @property
    def best(self) -> float:
        """The shortest time in seconds: what is above it is other processes' doing."""
        return min(self.seconds)

    def recorded(self) -> dict[str, object]:
        """For results.json."""
        return {"best_seconds": self.best, "units_a_second": self.units / self.best, **asdict(self)}

    def __add__(self, other: Self) -> Self:
        seconds = self.seconds + other.seconds
        peak = max(self.peak_bytes, other.peak_bytes)
        return type(self)(seconds, other.units, other.facts, peak)


def measure(task: str, inputs: Inputs, repeats: int = 1) -> Measurement:
    """The task's work `repeats` times in a new process. Raises CalledProcessError."""
    written = json.dumps({**asdict(inputs), "purchases": str(inputs.purchases)})
    command = [sys.executable, "-m", "bench.worker", task, written, str(repeats)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ | _ONE_THREAD)
    # Before it may stand what making ready said, such as the training of a bundle.
    return Measurement(**json.loads(done.stdout.splitlines()[-1]))


def timed(task: str, inputs: Inputs, repeats: int) -> Measurement:
    """The task's work `repeats` times in this process."""
    work = TASKS[task](inputs)
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work.run()
        seconds.append(time.perf_counter() - began)
    return Measurement(seconds, work.units, work.facts, peak_bytes())


def peak_bytes() -> int:
    """The most resident memory that this process ever held."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the parent held while it started this process
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1_024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, where there is no /proc


def main() -> None:
    """Measure what the arguments say and print it."""
    task, written, repeats = sys.argv[1:]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    inputs = json.loads(written)
    inputs["purchases"] = Path(inputs["purchases"])
    json.dump(asdict(timed(task, Inputs(**inputs), int(repeats))), sys.stdout)


if __name__ == "__main__":
    main()
