"""Attempts to write a profile before others do: each begins with a read, and ends in a write that happens only if
nobody else wrote in between."""

import time
from collections.abc import Iterator

from shared.aws.backoff import Sleep, attempts
from shared.telemetry.errors import AnonymousError

RACES_AT_MOST = 30
LONGEST_RACE_WAIT_SECONDS = 0.8
"""Whoever lost a race waits for the winner's read, decision and write, not for a service to recover. Waits that go on
growing leave the field to those who have just begun: measured in docs/decisions."""


class TooManyRaces(AnonymousError):
    """Some profiles were changed by others each time they were about to be written; nothing is lost."""


def races(sleep: Sleep = time.sleep) -> Iterator[int]:
    """The numbers of the attempts, 0 to RACES_AT_MOST - 1, with a random wait before each but the first."""
    return attempts(RACES_AT_MOST, sleep, LONGEST_RACE_WAIT_SECONDS)
