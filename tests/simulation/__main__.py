"""Plays seeds from the command line."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import batched
from multiprocessing import get_context

import tests.conftest  # noqa: F401  for its environment
from tests.simulation.play import Played, play, play_aloud, say

SEEDS_A_TASK = 5
SEEDS_A_PROCESS = 100


def main() -> int:
    """Plays one seed or many; the exit status is 1 where the auditor found something."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="play this one and say what was found")
    parser.add_argument("--trace", action="store_true", help="with every call and what became of it")
    parser.add_argument("--seeds", type=int, default=50, help="play so many")
    parser.add_argument("--first", type=int, default=0, help="from this one on")
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    if given.seed is not None:
        return _told([play(given.seed, say if given.trace else None)])
    seeds = range(given.first, given.first + given.seeds)
    if given.processes == 1:
        return _told([play_aloud(seed) for seed in seeds])
    return _told([*_counted(_played(seeds, given.processes))])


def _played(seeds: range, processes: int) -> Iterator[Played]:
    # A process keeps every module of every container it made, so that it is let go in time. One of a plain pool may not
    # have children, which functions read Parquet in.
    for some in batched(seeds, SEEDS_A_PROCESS * processes, strict=False):
        with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
            yield from pool.map(play_aloud, some, chunksize=SEEDS_A_TASK)


def _counted(played: Iterable[Played]) -> Iterator[Played]:
    for number, one in enumerate(played, 1):
        if number % 100 == 0:
            say(f"{number:,} seeds played")
        yield one


def _told(played: list[Played]) -> int:
    failed = [one for one in played if one.findings]
    for name in ("calls", "invocations", "faults"):
        total = sum((getattr(one, name) for one in played), Counter[str]())
        say(f"{total.total():,} {name}: " + ", ".join(f"{n:,} {kind}" for kind, n in total.most_common()))
    for one in failed:
        say(f"seed {one.seed}: {len(one.findings)} findings; python -m tests.simulation --seed {one.seed} --trace")
        for finding in one.findings if len(played) == 1 else ():
            say(f"  {finding}")
    say(f"{len(failed)} of {len(played)} seeds failed; digest {played[-1].digest}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
