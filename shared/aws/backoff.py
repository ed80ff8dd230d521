"""Waiting between attempts, longer each time and never in step with others."""

import random
import time
from collections.abc import Callable, Iterator

FIRST_WAIT_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 2.0

type Sleep = Callable[[float], None]


RACES_AT_MOST = 30
LONGEST_RACE_WAIT_SECONDS = 0.8
"""Whoever lost a race waits for the winner's read, decision and write, not for a service to recover. Waits that go on
growing leave the field to those who have just begun: measured in docs/decisions."""


def races(sleep: Sleep = time.sleep) -> Iterator[int]:
    """Attempts to write before others do."""
    return attempts(RACES_AT_MOST, sleep, LONGEST_RACE_WAIT_SECONDS)


def attempts(most: int, sleep: Sleep = time.sleep, longest: float = LONGEST_WAIT_SECONDS) -> Iterator[int]:
    """0, 1, … `most` - 1, with a wait before each but the first.

    Each wait is random between 0 and a bound that doubles ("full jitter"), so that those who collided spread out:
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    for attempt in range(most):
        if attempt:
            sleep(random.uniform(0, min(longest, FIRST_WAIT_SECONDS * 2**attempt)))
        yield attempt
