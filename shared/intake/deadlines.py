"""Writing that stops before its invocation is ended, so that it can be gone on with at once rather than hours later."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from shared.profiles.change import Ingested
from shared.profiles.incoming import Incoming
from shared.profiles.stored_profile import StoredProfile
from shared.profiles.update import Updater
from shared.telemetry.errors import AnonymousError

RESERVE_SECONDS = 5.0
"""Left for the answer, and for what takes longer than it ever did."""


class OutOfTime(AnonymousError):
    """The invocation is about to be ended. What was written stays, and the same given again goes on from there."""


@dataclass
class TimedUpdater(Updater):
    """Updates profiles as long as there is time for as many once more, and some that change in any case.

    So each time that the same is given more of it is written, up to the end.
    """

    seconds_left: Callable[[], float] = lambda: math.inf
    """Until the invocation is ended."""
    _longest_s: float = 0.0
    _before: Ingested = field(default_factory=Ingested)

    def update(self, keys: Sequence[str], incoming: Incoming) -> list[StoredProfile]:
        """As any updater. Raises OutOfTime as well."""
        began_s = self.seconds_left()
        if self.total != self._before and began_s < RESERVE_SECONDS + 1.5 * self._longest_s:
            raise OutOfTime("there was no time left to write all that had gathered")
        profiles = super().update(keys, incoming)
        if began_s < math.inf:
            self._longest_s = max(self._longest_s, began_s - self.seconds_left())
        return profiles
