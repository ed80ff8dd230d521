"""What training asks of histories: each question of each profile alone, so that any engine may answer it.

Questions are values: two that ask the same are equal, and what was answered once need not be asked again.
"""

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.features import COMPUTED, FEATURES, Profiles, features
from shared.features.columns import CAMPAIGN_EXPOSURE
from shared.features.time_zone import UTC_TIME, TimeZone
from shared.models.bundle import Bundle
from training.base.target_entry import TargetEntry
from training.data.own_types import without_own_types
from training.data.preparation import Matrix
from training.engines.tables import ROW_BYTES, row_bytes
from training.prediction.calibration import Vector
from training.prediction.happenings import Ints, Mask, bought_before, known_at, outcome


@dataclass(frozen=True)
class KnownAt:
    """Who did anything before an instant (UTC milliseconds)."""

    at_ms: int

    def __call__(self, profiles: Profiles) -> Mask:
        """Whether each did [n_profiles]."""
        return known_at(profiles, self.at_ms)


@dataclass(frozen=True)
class BoughtBefore:
    """Who bought before an instant (UTC milliseconds)."""

    at_ms: int

    def __call__(self, profiles: Profiles) -> Mask:
        """Whether each did [n_profiles]."""
        return bought_before(profiles, self.at_ms)


@dataclass(frozen=True)
class Outcome:
    """What an entry asks of the time from one instant to another (UTC milliseconds)."""

    entry: TargetEntry
    own: tuple[str, ...]
    start_ms: int
    end_ms: int

    def __call__(self, profiles: Profiles) -> Vector:
        """As `happenings.outcome` [n_profiles]."""
        return outcome(self.entry, self.own, profiles, self.start_ms, self.end_ms)


@dataclass(frozen=True)
class FeaturesAt:
    """Features at an instant (UTC milliseconds), as the functions compute them."""

    at_ms: int
    zone: str = UTC_TIME.name
    superseded: bool = False
    """Whether those are among them that some were before."""

    @classmethod
    def of(cls, bundle: Bundle, at_ms: int) -> "FeaturesAt":
        """As the bundle takes them."""
        return cls(at_ms, bundle.zone.name, bundle.computed is COMPUTED)

    def __call__(self, profiles: Profiles) -> Matrix:
        """The features [n_profiles, n_features]."""
        of = COMPUTED if self.superseded else FEATURES
        return features(without_own_types(profiles), self.at_ms, TimeZone.of(self.zone), of)


@dataclass(frozen=True)
class Span:
    """When something is known of each, and whether anything is before an instant (UTC milliseconds)."""

    until_ms: int

    def __call__(self, profiles: Profiles) -> Ints:
        """The first event, the last, the last before the instant or -1, and 1 for who did anything before it
        [n_profiles, 4]."""
        counts = np.bincount(profiles.owner[profiles.rows.time_ms < self.until_ms], minlength=len(profiles))
        last = np.full(len(profiles), -1, np.int64)
        some = counts > 0
        last[some] = profiles.rows.time_ms[profiles.starts[:-1][some] + counts[some] - 1]
        known = known_at(profiles, self.until_ms)
        return np.column_stack([profiles.first_event_ms, profiles.last_event_ms, last, known]).astype(np.int64)


@dataclass(frozen=True)
class EventsBefore:
    """How many events each has before an instant (UTC milliseconds), and of what time."""

    at_ms: int

    def __call__(self, profiles: Profiles) -> Ints:
        """Their number, and the times of the first and the last, UTC milliseconds, 0 for who has none
        [n_profiles, 3]."""
        counts = np.bincount(profiles.owner[profiles.rows.time_ms < self.at_ms], minlength=len(profiles))
        times = np.zeros((2, len(profiles)), np.int64)
        some = counts > 0
        begins = profiles.starts[:-1][some]
        times[:, some] = profiles.rows.time_ms[np.stack([begins, begins + counts[some] - 1])]
        return np.column_stack([counts, *times])


@dataclass(frozen=True)
class DigestBefore:
    """What stands for each one's events before an instant (UTC milliseconds)."""

    at_ms: int

    def __call__(self, profiles: Profiles) -> NDArray[np.uint8]:
        """SHA-256 of them [n_profiles, 32]."""
        counts = EventsBefore(self.at_ms)(profiles)[:, 0]
        content = memoryview(row_bytes(without_own_types(profiles).rows).ravel())
        begins = (profiles.starts[:-1] * ROW_BYTES).tolist()
        ends = ((profiles.starts[:-1] + counts) * ROW_BYTES).tolist()
        digests = [hashlib.sha256(content[b:e]).digest() for b, e in zip(begins, ends, strict=True)]
        return np.frombuffer(b"".join(digests), np.uint8).reshape(len(profiles), 32)


@dataclass(frozen=True)
class Approached:
    """Whom a campaign was to approach, ever, of those who did anything before an instant (UTC milliseconds)."""

    known_ms: int

    def __call__(self, profiles: Profiles) -> Mask:
        """Whether it was each [n_profiles]."""
        exposed = profiles.owner[profiles.rows.kind == CAMPAIGN_EXPOSURE]
        return known_at(profiles, self.known_ms) & (np.bincount(exposed, minlength=len(profiles)) > 0)


@dataclass(frozen=True)
class Named:
    """Some profiles, by their keys."""

    keys: frozenset[str]

    def __call__(self, profiles: Profiles) -> Mask:
        """Whether each is one of them [n_profiles]."""
        return np.fromiter((key in self.keys for key in profiles.keys), bool, len(profiles))


def whole_histories(profiles: Profiles) -> NDArray[Any]:
    """The events of each as bytes [n_profiles]."""
    content = row_bytes(profiles.rows).tobytes()
    bounds = (profiles.starts * ROW_BYTES).tolist()
    histories = np.empty(len(profiles), object)
    histories[:] = [content[begin:end] for begin, end in pairwise(bounds)]
    return histories
