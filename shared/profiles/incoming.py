"""What profiles are to hold beside what they hold: events, links, and copies of visitors' histories."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from shared.features import Profiles, rows_in
from shared.identity.links import Copy, Link, newer
from shared.profiles.stored_profile import StoredProfile

type Links = Mapping[str, Link | None]
"""Who visitors are, by profile key."""


def unchanged(links: Links) -> Links:
    """The links as they are."""
    return links


@dataclass(frozen=True)
class Incoming:
    """What is new of some profiles."""

    events: Profiles
    """Delivered under each profile's own id; some may be stored already."""
    relink: Callable[[Links], Links] = unchanged
    """From visitors' links as they are stored to what they become; called again for those that lost a race."""
    copies: Mapping[str, Mapping[str, Copy]] = field(default_factory=dict)
    """Of customers, their visitors' histories."""

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {key: i for i, key in enumerate(self.events.keys)}

    def events_of(self, keys: Iterable[str]) -> Profiles:
        """The new events of some profiles."""
        return self.events.take(sorted(self._positions[key] for key in keys if key in self._positions))

    def count(self, key: str) -> int:
        """How many new events, and events in new copies, a profile has."""
        own = int(self.events.event_counts[self._positions[key]]) if key in self._positions else 0
        return own + sum(rows_in(copy.state) for copy in self.copies.get(key, {}).values() if copy.state)

    def visitors_of(self, profile: StoredProfile) -> dict[str, Copy]:
        """The visitors' histories that stand beside a customer's own from now on."""
        copies = self.copies.get(profile.key, {})
        return {**profile.visitors, **{key: newer(profile.visitors.get(key), copy) for key, copy in copies.items()}}
