"""The erasure of one customer or visitor, in steps that can each break off and be done again."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from shared.aws.backoff import Sleep
from shared.identity.keys import is_visitor
from shared.identity.links import LinkState, forgotten
from shared.profiles.marks import Marks
from shared.profiles.races import RACES_AT_MOST, TooManyRaces, races
from shared.profiles.stored_profile import StoredProfile
from shared.profiles.table import ProfileTable


@dataclass(frozen=True, slots=True)
class Removed:
    """How much was removed of each kind."""

    customers: int = 0
    visitors: int = 0
    """Profiles of visitors who were the customer."""
    links: int = 0
    """Devices that mentioned the customer, and are nobody's or another's."""

    def __add__(self, other: Removed) -> Removed:
        return Removed(self.customers + other.customers, self.visitors + other.visitors, self.links + other.links)

    def __or__(self, other: Removed) -> Removed:
        """The more of each: what two who count the same saw of it."""
        return Removed(
            max(self.customers, other.customers), max(self.visitors, other.visitors), max(self.links, other.links)
        )


@dataclass
class Eraser:
    """Erases profiles of one table. Every writer that comes between a mark and a removal is waited for or undone."""

    table: ProfileTable
    marks: Marks
    sleep: Sleep = time.sleep
    removed: Removed = field(default_factory=Removed)
    erased: set[str] = field(default_factory=set)
    """The keys of those who were there."""

    def foresee(self, key: str) -> tuple[list[str], Removed]:
        """The profile keys that go with the one at `key`, a customer's visitors included, and what there is of them."""
        profile = self._load(key)
        visitors = self.table.heads(sorted(profile.visitors)) if profile else {}
        owned = [visitor for visitor, profile in sorted(visitors.items()) if _is_owned(profile, key)]
        one = Removed(visitors=1) if is_visitor(key) else Removed(customers=1)
        others = Removed(visitors=len(owned), links=len(_mentioning(visitors.values(), key)))
        return [key, *owned], others + (one if profile else Removed())

    def erase(self, key: str, at_ms: int) -> None:
        """Removes the profile and, of a customer, the visitors who were they; from `at_ms` on nothing brings them back.

        Whoever came back by a consent given later than that stays. Raises TooManyRaces and what the table raises; doing
        it again finishes what broke off.
        """
        self.marks.refuse(key, at_ms)
        for _ in races(self.sleep):
            profile = self._load(key)
            if profile is None or (profile.counts_from_ms is not None and profile.counts_from_ms > at_ms):
                # Also what somebody sealed who had read a profile that was erased before they were about to write it.
                self.table.sweep(key, profile)
                return
            for visitor, stored in self.table.heads(sorted(profile.visitors)).items():
                if _is_owned(stored, key):
                    self.erase(visitor, at_ms)
            self.forget(profile.visitors, key)
            self.marks.end(key, profile.version + 1)
            if self.table.delete(profile):
                one = Removed(visitors=1) if is_visitor(key) else Removed(customers=1)
                self.removed += one
                self.erased.add(key)
                self.table.sweep(key, None)
                return
        raise TooManyRaces(f"a profile was changed by others in each of {RACES_AT_MOST} attempts to erase it")

    def mentions(self, visitors: Iterable[str], customer: str) -> int:
        """How many of these devices mention a customer who is not theirs alone."""
        return len(_mentioning(self.table.heads(sorted(visitors)).values(), customer))

    def forget(self, visitors: Iterable[str], customer: str) -> None:
        """Takes the mention of a customer out of the links of devices that are not theirs alone."""
        waiting = sorted(visitors)
        for _ in races(self.sleep):
            changes = _mentioning(self.table.heads(waiting).values(), customer)
            lost = self.table.save(changes)
            self.removed += Removed(links=len(changes) - len(lost))
            if not lost:
                return
            waiting = sorted(lost)
        raise TooManyRaces(f"{len(waiting)} links were changed by others in each of {RACES_AT_MOST} attempts")

    def _load(self, key: str) -> StoredProfile | None:
        return self.table.heads([key]).get(key)


def _mentioning(visitors: Iterable[StoredProfile], customer: str) -> list[StoredProfile]:
    """Those that mention a customer they do not belong to, without the mention."""
    return [
        replace(visitor, link=link, version=visitor.version + 1, moved=None)
        for visitor in visitors
        if visitor.link is not None and not _is_owned(visitor, customer)
        for link in [forgotten(visitor.link, customer)]
        if link != visitor.link
    ]


def _is_owned(visitor: StoredProfile, customer: str) -> bool:
    link = visitor.link
    return link is not None and link.customer == customer and link.state is LinkState.LINKED
