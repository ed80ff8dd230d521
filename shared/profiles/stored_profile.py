"""A profile as it is stored: one item of the table, and volumes of its older events beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.decisions.decision import Decision
from shared.decisions.transitions import Cause
from shared.identity.links import Copy, Link, LinkState
from shared.profiles.sealed import Sealed

PROFILE = "profile"
"""Sort key of a profile's item; other kinds of item may stand beside it under the same partition key."""
VERSIONS_A_MILLISECOND = 1_000
"""A profile's versions begin with so many times the milliseconds of its first write, above those of any former life."""


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """What the table holds of one profile."""

    key: str
    version: int
    """One more with each write; see `VERSIONS_A_MILLISECOND` for the first."""
    state: bytes
    """Of the events delivered under the profile's own id those that are not sealed; empty where there are none."""
    events: int
    """Distinct events delivered under the profile's own id, the sealed ones included."""
    decision: Decision | None
    link: Link | None = None
    """Of a visitor: who that is."""
    visitors: Mapping[str, Copy] = field(default_factory=dict)
    """Of a customer: their visitors' histories, by profile key."""
    moved: Cause | None = None
    """Why this version is in another segment or audience than the version before; None where it is not."""
    counts_from_ms: int | None = None
    """Of someone who came back after a refusal: events before it do not count."""
    born: int = 0
    """Of a profile not stored yet: the version that its first write follows."""
    waits_since_ms: int | None = None
    """Since when its decision, if any, does not know all that is stored, for want of a model; None where it does."""
    sealed: Sealed | None = None
    """Where its older events are; None while all are in `state`."""
    known: bytes | None = None
    """Of one that moves and has sealed events, what the decision was made on: the bundle's features, float32. The
    ledger sees this version of the item, and the volumes may hold more by then."""

    @property
    def states(self) -> list[bytes]:
        """The parts of what was delivered under its own id; their union is all of it.

        While no volume has to be there, the item holds all of it by itself.
        """
        volumes = self.sealed.read if self.sealed and self.sealed.holds_events else ()
        return [state for state in (self.state, *(volume.state for volume in volumes)) if state]

    @property
    def due_ms(self) -> int | None:
        """When to decide again; None for never."""
        if self.waits_since_ms is not None:
            return self.waits_since_ms
        return self.decision.due_ms if self.decision else None

    @property
    def size(self) -> int:
        """About the bytes of the profile's item that grow with events and visitors."""
        copies = self.visitors.items()
        return len(self.state) + sum(len(key.encode()) + len(copy.state or b"") + 40 for key, copy in copies)

    @property
    def is_someone(self) -> bool:
        """Whether decisions are made on it: not on a visitor known as a customer, a shared device, or no events."""
        if self.link is not None and self.link.state is not LinkState.UNLINKED:
            return False
        own = bool(self.state) or (self.sealed is not None and self.sealed.holds_events)
        return own or any(copy.state for copy in self.visitors.values())


def item_key(key: str) -> dict[str, Any]:
    """The key of a profile's item in the table."""
    return {"pk": {"S": key}, "sk": {"S": PROFILE}}
