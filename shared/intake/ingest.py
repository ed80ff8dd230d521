"""The core that all events go through, whatever brought them: fold, merge with what is stored, decide, store."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import batched
from typing import TYPE_CHECKING

from shared.aws.backoff import Sleep
from shared.clock import Moment
from shared.features import Profiles
from shared.identity.consents import Consent
from shared.identity.keys import is_visitor
from shared.identity.links import Copy, LinkState
from shared.intake.claims import Claims, copies
from shared.profiles.change import Ingested
from shared.profiles.incoming import Incoming
from shared.profiles.table import ProfileTable
from shared.profiles.unwritten import check
from shared.profiles.update import Updater

if TYPE_CHECKING:
    from shared.models.bundle import Bundle

COPIES_AT_ONCE = 64 << 20
"""Bytes of visitors' histories that wait to be handed on to their customers."""
PROFILES_AT_ONCE = 1_000
"""Bounds the memory that stored histories take, of which a few events may touch many."""


def ingest(
    delta: Profiles,
    table: ProfileTable,
    bundle: Bundle | None,
    moment: Moment,
    sleep: Sleep = time.sleep,
    claims: Claims | None = None,
) -> Ingested:
    """Merges `delta` into the stored profiles, follows `claims`, and decides anew for those that it changed.

    Profiles that it adds nothing to are not written. Without a bundle, histories are stored and decisions stay as they
    are. Raises, once all others are written, what `check` raises of those that are not, and what the table raises; the
    same `delta` can always be given again, and what was written then counts as known.
    """
    updater = Updater(table, bundle, moment, sleep)
    total = fold_in(delta, updater, claims or Claims((), table))
    check(updater.unwritten)
    return total


def fold_in(delta: Profiles, updater: Updater, claims: Claims, consents: Iterable[Consent] = ()) -> Ingested:
    """What became of `delta`, see `ingest`; the updater knows which profiles did not take it, and why.

    Those whom the updater's admission refuses are left out. Where a customer did not take what a visitor did, and may
    later, neither did the visitor.
    """
    folding = _Folding(delta, updater)
    folding.record(consents)
    # Visitors first: customers take over their histories as they then stand.
    folding.fold_visitors(claims)
    folding.withdraw_refused()
    folding.fold_customers()
    folding.ask_for_erasures()
    folding.hold_back_visitors()
    return updater.total + Ingested(forgotten=folding.forgotten)


class _Folding:
    """One `delta` on its way into the profiles, visitors' and customers'."""

    def __init__(self, delta: Profiles, updater: Updater) -> None:
        self._delta = delta
        self._updater = updater
        self._copies: dict[str, dict[str, Copy]] = {}
        """What waits to be handed on to customers of their visitors' histories."""
        self._visitors: dict[str, set[str]] = {}
        """By customer, those of whom anything was or is to be handed on."""
        self._asked: set[str] = set()

    @property
    def forgotten(self) -> int:
        """Events of those who are not to be profiled."""
        refused = [i for i, key in enumerate(self._delta.keys) if key in self._updater.refused]
        return int(self._delta.take(refused).event_counts.sum())

    def record(self, consents: Iterable[Consent]) -> None:
        """Puts consents down, and asks for the erasure of whoever refuses, stored or not: lines of theirs may stand in
        quarantine."""
        admission = self._updater.admission
        if admission and consents:
            self._updater.recorded = admission.marks.record(consents, self._ask)

    def fold_visitors(self, claims: Claims) -> None:
        """Gives visitors their events, and links them as `claims` say."""
        incoming = Incoming(self._delta, relink=claims.resolve)
        for keys in _slices({*filter(is_visitor, self._delta.keys)} | claims.visitors):
            for customer, histories in copies(self._updater.update(keys, incoming)).items():
                self._hold(customer, histories)
            held = (copy for histories in self._copies.values() for copy in histories.values())
            if sum(len(copy.state or b"") for copy in held) >= COPIES_AT_ONCE:
                self._hand_over(Profiles.empty())
                self._copies.clear()

    def withdraw_refused(self) -> None:
        """Has customers forget the histories of linked visitors who are not to be profiled any more."""
        for visitor in self._updater.refused.values():
            if visitor and visitor.link and visitor.link.state is LinkState.LINKED:
                self._hold(visitor.link.customer, {visitor.key: Copy(visitor.version + 1, None)})

    def fold_customers(self) -> None:
        """Gives customers their own events, and what waits of their visitors' histories."""
        self._hand_over(self._delta)

    def ask_for_erasures(self) -> None:
        """Asks for the erasure of those who are not to be profiled and still are."""
        refused = self._updater.refused
        stored = {key for key, profile in refused.items() if profile}
        # Linked by somebody who did not see the customer's mark yet: what they did goes as the customer's own.
        linked = {visitor for key in refused.keys() & self._visitors.keys() for visitor in self._visitors[key]}
        for key in sorted(stored | linked):
            mark = self._updater.recorded.get(key)
            self._ask(key, (mark.refused_ms or 0) if mark else self._updater.moment.as_of_ms)

    def hold_back_visitors(self) -> None:
        """Counts visitors as unwritten whose customer is, and may take it later."""
        unwritten = self._updater.unwritten
        for customer in unwritten.keys() & self._visitors.keys():
            if unwritten[customer].passes:
                unwritten |= dict.fromkeys(self._visitors[customer], unwritten[customer])

    def _hold(self, customer: str, histories: Mapping[str, Copy]) -> None:
        self._copies.setdefault(customer, {}).update(histories)
        self._visitors.setdefault(customer, set()).update(histories)

    def _hand_over(self, events: Profiles) -> None:
        incoming = Incoming(events, copies=self._copies)
        for keys in _slices({key for key in events.keys if not is_visitor(key)} | self._copies.keys()):
            self._updater.update(keys, incoming)

    def _ask(self, key: str, refused_ms: int) -> None:
        admission = self._updater.admission
        if admission and key not in self._asked:
            admission.erase(key, Moment(refused_ms, self._updater.moment.scored_at_ms))
            self._asked.add(key)


def _slices(keys: set[str]) -> Iterator[tuple[str, ...]]:
    return batched(sorted(keys), PROFILES_AT_ONCE, strict=False)
