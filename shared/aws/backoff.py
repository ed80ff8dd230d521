"""Waiting between attempts, longer each time and never in step with others."""

import random
import time
from collections.abc import Callable, Iterator

FIRST_WAIT_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 2.0

type Sleep = Callable[[float], None]


def attempts(most: int, sleep: Sleep = time.sleep, longest: float = LONGEST_WAIT_SECONDS) -> Iterator[int]:
    """0, 1, … `most` - 1, with a wait before each but the first.

    Each wait is random between 0 and a bound that doubles ("full jitter"), so that those who collided spread out:
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    for attempt in range(most):
        if attempt:
            sleep(random.uniform(0, min(longest, FIRST_WAIT_SECONDS * 2**attempt)))
        yield attempt
