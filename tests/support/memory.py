"""Prints the peak memory of taking in so many events of so many customers in one batch, in megabytes:

python -m tests.support.memory 1000 2000
"""

import resource
import sys

import numpy as np

from shared.clock import Moment
from shared.durations import DAY_MS
from shared.events import Chunk
from shared.features.columns import COLUMN_TYPES, EventColumns, Rows
from shared.intake.gathering import Intake
from shared.models.bundle import Bundle
from tests.support.bundles import make_bundle
from tests.support.memory_table import MemoryTable

NOW_MS = 1_509_494_400_000
CHUNK = 50_000


def chunks(customers: int, events: int) -> list[Chunk]:
    """The events of one customer after the other, over two years, nearly all in a visit of their own."""
    random = np.random.default_rng(0)
    made = []
    for begin in range(0, customers * events, CHUNK):
        number = np.arange(begin, min(begin + CHUNK, customers * events))
        who, profile = np.unique(number // events, return_inverse=True)
        columns = {name: random.integers(0, 5, len(number)).astype(kind) for name, kind in COLUMN_TYPES.items()}
        columns["time_ms"] = NOW_MS - random.integers(0, 730 * DAY_MS, len(number))
        columns["fingerprint"] = random.integers(0, 2**40, len(number)).astype(np.uint64)
        columns["session"] = random.integers(1, 2**32, len(number)).astype(np.uint32)
        columns["category"] = np.zeros(len(number), np.uint32)
        keys = [f"customer#{customer}" for customer in who.tolist()]
        made.append(Chunk(EventColumns(keys, profile.astype(np.int64), Rows(**columns), {}), [], []))
    return made


def main() -> None:
    """The command line."""
    customers, events = map(int, sys.argv[1:3])
    table = MemoryTable()
    intake = Intake(table, Bundle.from_files(*make_bundle()), Moment(NOW_MS, NOW_MS))
    for chunk in chunks(customers, events):
        intake.add(chunk, refuse=lambda rejections: None)
    intake.flush()
    assert intake.total.events == customers * events
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    sys.stdout.write(f"{peak}\n")


if __name__ == "__main__":
    main()
