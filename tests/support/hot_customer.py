"""A customer whom many writers change at once, in simulated time: who gives up, and how long the others wait.

Prints how often writers gave up and how long a batch took:

    python -m tests.support.hot_customer
"""

import random
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from shared.clock import Moment
from shared.profiles.incoming import Incoming
from shared.profiles.stored_profile import StoredProfile
from shared.profiles.update import Updater
from tests.support.event_files import profiles, purchase
from tests.support.memory_table import MemoryTable

READ, WRITE = 0.008, 0.010
"""Seconds that a batch of requests takes."""
CPU, CPU_A_PROFILE = 0.300, 0.004
"""Seconds between reading and writing: decoding, merging, deciding with its look-ahead, encoding."""
MOMENT = Moment(as_of_ms=1_509_494_400_000, scored_at_ms=1_509_494_400_250)


class Timeline:
    """Threads of which one runs at a time, the one whose time has come first."""

    def __init__(self) -> None:
        self.now = 0.0
        self._waiting: list[tuple[float, int, threading.Semaphore]] = []
        self._turn = threading.Semaphore(0)
        self._order = 0

    def wait(self, seconds: float) -> None:
        """Called by a thread: lets the others go on until so much time has passed."""
        mine = threading.Semaphore(0)
        self._push(self.now + seconds, mine)
        self._turn.release()
        mine.acquire()

    def run(self, jobs: Sequence[Callable[[], None]]) -> None:
        """Runs all jobs to their ends."""
        for job in jobs:
            start = threading.Semaphore(0)
            threading.Thread(target=self._do, args=(job, start), daemon=True).start()
            self._push(self.now, start)
        left = len(jobs)
        self._ended = 0
        while self._waiting:
            self.now, _, thread = heappop(self._waiting)
            thread.release()
            self._turn.acquire()
        assert self._ended == left

    def _do(self, job: Callable[[], None], start: threading.Semaphore) -> None:
        start.acquire()
        job()
        self._ended += 1
        self._turn.release()

    def _push(self, at: float, thread: threading.Semaphore) -> None:
        self._order += 1
        heappush(self._waiting, (at, self._order, thread))


class SlowTable(MemoryTable):
    """The table as one writer sees it: every request takes its time."""

    def __init__(self, items: MemoryTable, timeline: Timeline) -> None:
        super().__init__(items.items)
        self._timeline = timeline

    def load(self, keys: Sequence[str]) -> dict[str, StoredProfile]:  # type: ignore[override]
        self._timeline.wait(READ / 2)
        profiles = super().load(keys)
        self._timeline.wait(READ / 2)
        return profiles

    def save(self, profiles: Sequence[StoredProfile]) -> set[str]:
        self._timeline.wait(CPU + CPU_A_PROFILE * len(profiles) + WRITE / 2)
        lost = super().save(profiles)
        self._timeline.wait(WRITE / 2)
        return lost


@dataclass(frozen=True)
class Outcome:
    """What became of the batches."""

    batches: int
    gave_up: int
    """Batches that have to come again for the hot customer."""
    neighbours: int
    """Profiles beside the hot one that have to come again."""
    seconds: float
    """That a batch took on average."""
    slowest: float


def simulate(writers: int, batches: int = 30, others: int = 20, seed: int = 0) -> Outcome:
    """So many writers at once, each with so many batches in a row, in all of which the hot customer is."""
    random.seed(seed)
    table = MemoryTable()
    timeline = Timeline()
    unwritten: list[set[str]] = []
    seconds: list[float] = []

    def job(writer: int) -> Callable[[], None]:
        def write() -> None:
            slow = SlowTable(table, timeline)
            timeline.wait(random.uniform(0, 0.1))
            for number in range(batches):
                neighbours = [purchase(f"w{writer}-{number}-{i}") for i in range(others)]
                news = profiles(purchase("hot", 1_000 * writer + number), *neighbours)
                began = timeline.now
                updater = Updater(slow, None, MOMENT, timeline.wait)
                updater.update(news.keys, Incoming(news))
                unwritten.append({*updater.unwritten})
                seconds.append(timeline.now - began)

        return write

    timeline.run([job(writer) for writer in range(writers)])
    return Outcome(
        batches=writers * batches,
        gave_up=sum(map(bool, unwritten)),
        neighbours=sum(len(keys - {"customer#hot"}) for keys in unwritten),
        seconds=sum(seconds) / len(seconds),
        slowest=max(seconds),
    )


def main() -> None:
    """Prints a table for several numbers of writers."""
    for writers in map(int, sys.argv[1:] or ["2", "5", "10", "20", "40"]):
        done = simulate(writers)
        share = done.gave_up / done.batches
        sys.stdout.write(
            f"{writers:3} writers: {share:6.1%} of {done.batches} batches come again, {done.neighbours} neighbours; "
            f"{done.seconds:.2f} s a batch, the slowest {done.slowest:.1f} s\n"
        )


if __name__ == "__main__":
    main()
