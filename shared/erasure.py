"""The erasure of one customer or visitor, in steps that can each break off and be done again."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from shared.backoff import Sleep, attempts
from shared.keys import is_visitor
from shared.links import LinkState, forgotten
from shared.marks import Marks
from shared.profile_table import ProfileTable, StoredProfile
from shared.update import RACES_AT_MOST, TooManyRaces


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


@dataclass
class Eraser:
    """Erases profiles of one table. Every writer that comes between a mark and a removal is waited for or undone."""

    table: ProfileTable
    marks: Marks
    sleep: Sleep = time.sleep
    removed: Removed = field(default_factory=Removed)

    def people(self, key: str) -> list[str]:
        """The profile keys that go with the one at `key`: its own, and of a customer those of their visitors."""
        profile = self._load(key)
        visitors = self.table.load(sorted(profile.visitors)) if profile else {}
        return [key, *(visitor for visitor, found in sorted(visitors.items()) if _is_owned(found, key))]

    def erase(self, key: str, at_ms: int) -> None:
        """Removes the profile and, of a customer, the visitors who were they; from `at_ms` on nothing brings them back.

        Whoever came back by a consent given later than that stays. Raises TooManyRaces and what the table raises; doing
        it again finishes what broke off.
        """
        self.marks.refuse(key, at_ms)
        for _ in attempts(RACES_AT_MOST, self.sleep):
            profile = self._load(key)
            if profile is None or (profile.counts_from_ms is not None and profile.counts_from_ms > at_ms):
                return
            for visitor, found in self.table.load(sorted(profile.visitors)).items():
                if _is_owned(found, key):
                    self.erase(visitor, at_ms)
            self.forget(profile.visitors, key)
            self.marks.end(key, profile.version + 1)
            if self.table.delete(profile):
                one = Removed(visitors=1) if is_visitor(key) else Removed(customers=1)
                self.removed += one
                return
        raise TooManyRaces(f"a profile was changed by others in each of {RACES_AT_MOST} attempts to erase it")

    def forget(self, visitors: Iterable[str], customer: str) -> None:
        """Takes the mention of a customer out of the links of devices that are not theirs alone."""
        waiting = sorted(visitors)
        for _ in attempts(RACES_AT_MOST, self.sleep):
            changes = [
                replace(visitor, link=link, version=visitor.version + 1, moved=None)
                for visitor in self.table.load(waiting).values()
                if visitor.link is not None and not _is_owned(visitor, customer)
                for link in [forgotten(visitor.link, customer)]
                if link != visitor.link
            ]
            lost = self.table.save(changes)
            self.removed += Removed(links=len(changes) - len(lost))
            if not lost:
                return
            waiting = sorted(lost)
        raise TooManyRaces(f"{len(waiting)} links were changed by others in each of {RACES_AT_MOST} attempts")

    def _load(self, key: str) -> StoredProfile | None:
        return self.table.load([key]).get(key)


def _is_owned(visitor: StoredProfile, customer: str) -> bool:
    link = visitor.link
    return link is not None and link.customer == customer and link.state is LinkState.LINKED
