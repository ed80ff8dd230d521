"""Gives mutated inputs to every parser: --inputs so many from --seed on, or that one alone with --only."""

import argparse
import resource
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from random import Random

from tests.fuzz.mutations import mutated
from tests.fuzz.parsers import PARSERS, PERSON, packed

SECONDS = 5.0
"""Of processor time, for one input."""
MEMORY_BYTES = 512 * 2**20


def fuzzed(seed: int) -> tuple[str, bytes]:
    """The parser whose turn it is, and its input."""
    random = Random(seed)
    (name,) = random.choices([*PARSERS], [parser.share for parser in PARSERS.values()])
    parser = PARSERS[name]
    if not parser.packed:
        return name, mutated(random, parser.bases())
    if random.random() < 0.5:
        return name, packed(mutated(random, parser.bases()))
    return name, mutated(random, [packed(base) for base in parser.bases()])


def problem(seed: int) -> str | None:
    """What is wrong with how the input of a seed is answered; None where nothing is."""
    name, content = fuzzed(seed)
    parser = PARSERS[name]
    began = _processor_seconds()
    try:
        parser.read(content)
    except parser.refusals as refusal:
        if PERSON in str(refusal):
            return f"{name}: the refusal repeats what is in the input"
    except Exception:
        return f"{name}: {traceback.format_exc(limit=-3)}"
    taken = _processor_seconds() - began
    return f"{name}: took {taken:.1f} s" if taken > SECONDS else None


def peak_bytes(lent: int) -> int:
    """Of this process and the largest of its children together, of which what each was lent counts once."""
    peaks = [1_024 * resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return peaks[0] + max(0, peaks[1] - lent)


def lent_bytes() -> int:
    """What a child that is forked now shares with this process: it counts as the child's own as well."""
    with Path("/proc/self/status").open() as status:
        (line,) = (line for line in status if line.startswith("RssAnon:"))
    return 1_024 * int(line.split()[1])


def _processor_seconds() -> float:
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def main() -> int:
    """Gives inputs to the parsers; the exit status is 1 where one is not answered as it should be."""
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("--inputs", type=int, default=1_000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--only", action="store_true", help="this seed alone, and show its input")
    chosen = options.parse_args()
    if chosen.only:
        name, content = fuzzed(chosen.seed)
        _say(f"{name}: {content!r}", problem(chosen.seed) or "as it should be")
        return 0
    began = time.monotonic()
    lent = lent_bytes()
    problems = 0
    turns = Counter[str]()
    for seed in range(chosen.seed, chosen.seed + chosen.inputs):
        turns[fuzzed(seed)[0]] += 1
        if why := problem(seed):
            problems += 1
            _say(f"python -m tests.fuzz --only --seed {seed}", f"  {why}")
    peak = peak_bytes(lent)
    _say(
        f"{chosen.inputs:,} inputs: " + ", ".join(f"{count:,} {name}" for name, count in turns.most_common()),
        f"{problems:,} problems, {peak >> 20} MB at the peak, {time.monotonic() - began:.0f} s",
    )
    return int(problems > 0 or peak > MEMORY_BYTES)


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
