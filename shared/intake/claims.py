"""Visitors who turn out to be customers: what a batch claims of them, and a link undone by hand.

A visitor's profile says who they are, and the customer's holds a copy of the visitor's history beside their own. Both
are written only at the version that was read, so the later of two writers sees what the earlier one wrote: whichever of
a link and a visitor's events comes first, who comes second hands the copy on. docs/decisions/0007 has the argument.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from shared.aws.backoff import Sleep
from shared.clock import Moment
from shared.features import Profiles
from shared.identity.keys import visitor_key
from shared.identity.links import NOBODY, Claim, Copy, Link, LinkState, claimed, refusal, unlinked
from shared.profiles.change import Ingested
from shared.profiles.histories import whole_state
from shared.profiles.incoming import Incoming, Links
from shared.profiles.item import ItemsUnreadable
from shared.profiles.marks import Admission
from shared.profiles.stored_profile import StoredProfile
from shared.profiles.table import ProfileTable
from shared.profiles.unwritten import check
from shared.profiles.update import Updater

if TYPE_CHECKING:
    from shared.models.bundle import Bundle


class Claims:
    """What a batch says of who is who, and the links that came of it."""

    def __init__(self, claims: Iterable[Claim], table: ProfileTable, admission: Admission | None = None) -> None:
        self._table = table
        self._admission = admission
        self._customers: dict[str, list[str]] = {}
        for claim in sorted(claims, key=lambda claim: claim.time_ms):
            self._customers.setdefault(claim.visitor, []).append(claim.customer)
        self._visitors = Counter[str]()
        """How many visitors each of the customers has."""
        self._links: dict[str, Link | None] = {}

    @property
    def visitors(self) -> set[str]:
        """The profile keys of all visitors that are claimed."""
        return {*self._customers}

    def resolve(self, links: Links) -> Links:
        """The links once these claims have been made, the earliest first."""
        customers = self._in_new_links(links) - self._visitors.keys()
        stored = self._load(customers)
        self._visitors.update({key: len(stored[key].visitors) if key in stored else 0 for key in customers})
        self._leave_out_refused(customers - stored.keys())
        resolved = {key: claimed(link, self._customers.get(key, ()), self._visitors) for key, link in links.items()}
        self._links.update(resolved)
        return resolved

    def _in_new_links(self, links: Links) -> set[str]:
        """The customers of claims that may change a link."""
        return {
            customer
            for visitor, link in links.items()
            for customer in self._customers.get(visitor, ())
            if link is None or (self._admission and customer != link.customer)
        }

    def _leave_out_refused(self, strangers: set[str]) -> None:
        """Drops the claims of those among customers who are not stored that are not to be profiled."""
        if self._admission and strangers:
            refused = self._admission.marks.refused(strangers)
            for visitor, customers in self._customers.items():
                self._customers[visitor] = [customer for customer in customers if customer not in refused]

    def _load(self, customers: set[str]) -> dict[str, StoredProfile]:
        try:
            return self._table.heads(sorted(customers)) if customers else {}
        except ItemsUnreadable as error:
            return error.profiles  # their own updates say so

    def refusal(self, claim: Claim) -> str | None:
        """Why the claim was not followed, once all are resolved; None where it was, or one of both was erased."""
        if claim.visitor not in self._links or claim.customer not in self._customers[claim.visitor]:
            return None
        return refusal(self._links[claim.visitor], claim.customer)


def copies(visitors: Iterable[StoredProfile]) -> dict[str, dict[str, Copy]]:
    """What customers' profiles are to hold of these visitors: the history of the linked, and no more of the others."""
    of_customers: dict[str, dict[str, Copy]] = {}
    for visitor in visitors:
        if visitor.link is not None and visitor.link.customer != NOBODY:
            state = whole_state(visitor) if visitor.link.state is LinkState.LINKED else None
            of_customers.setdefault(visitor.link.customer, {})[visitor.key] = Copy(visitor.version, state)
    return of_customers


def unlink(
    table: ProfileTable,
    visitor_id: str,
    moment: Moment,
    bundle: Bundle | None = None,
    sleep: Sleep = time.sleep,
) -> Ingested:
    """Takes a visitor's events back from the customer they were linked to, for good; later claims are refused.

    Events that were delivered with the customer's id stay. Doing it again changes nothing, and finishes what broke off.
    With a bundle both are decided on anew, otherwise by the next tick that knows one. Raises NoSuchLink, what `check`
    raises, and what the table raises.
    """
    updater = Updater(table, bundle, moment, sleep)
    undo = Incoming(Profiles.empty(), relink=lambda links: {key: unlinked(link) for key, link in links.items()})
    withdrawn = copies(updater.update([visitor_key(visitor_id)], undo))
    updater.update([*withdrawn], Incoming(Profiles.empty(), copies=withdrawn))
    check(updater.unwritten)
    return updater.total
