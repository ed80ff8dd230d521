"""Which customer a visitor is: the rules, pure, for the functions and for training alike."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from shared.identity.keys import anonymous

CUSTOMERS_A_DEVICE = 3
"""A visitor that as many customers claim is a device they share: a shop's tablet, a family's computer."""

VISITORS_A_CUSTOMER = 200
"""Far beyond anyone's browsers, but soon reached by a placeholder that a shop sends for want of a customer's id."""


NOBODY = "erased"
"""Stands in a link for a customer who was erased: a device that many share stays one."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An event that carries both ids, and so says that `visitor` is `customer`."""

    visitor: str
    """The profile key of its anonymous id."""
    customer: str
    """The profile key of its customer id."""
    time_ms: int
    """When it happened, UTC milliseconds."""
    line: int
    original: bytes


class LinkState(StrEnum):
    """Where a visitor's events count: for the customer while linked, otherwise for the visitor alone."""

    LINKED = "linked"
    UNLINKED = "unlinked"
    """Undone by hand, and not to be made again."""
    SHARED = "shared"


@dataclass(frozen=True, slots=True)
class Link:
    """Who a visitor is."""

    customer: str
    """Profile key of the customer who claimed the visitor first."""
    state: LinkState = LinkState.LINKED
    others: tuple[str, ...] = ()
    """The other customers who claimed it, fewer than CUSTOMERS_A_DEVICE, by names as of `anonymous`, sorted."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A visitor's history as it stands beside their customer's own."""

    version: int
    """The version of the visitor's profile that it was taken from."""
    state: bytes | None
    """None once the link was withdrawn: nothing that was under way may bring the history back."""


class NoSuchLink(Exception):
    """There is no link to undo; the message says why."""


def claim(link: Link | None, customer: str) -> Link:
    """The link after `customer` claimed the visitor."""
    if link is None:
        return Link(customer)
    if link.state is not LinkState.LINKED or customer == link.customer:
        return link
    others = tuple(sorted({*link.others, anonymous(customer)}))
    shared = 1 + len(others) >= CUSTOMERS_A_DEVICE
    return Link(link.customer, LinkState.SHARED if shared else LinkState.LINKED, others)


def claimed(link: Link | None, customers: Iterable[str], visitors: Counter[str]) -> Link | None:
    """The link after `customers` claimed the visitor one by one, save those who have too many visitors already.

    `visitors` counts the visitors of each customer, and goes up by one where a link is made.
    """
    for customer in customers:
        if link is None and visitors[customer] >= VISITORS_A_CUSTOMER:
            continue
        if link is None:
            visitors[customer] += 1
        link = claim(link, customer)
    return link


def refusal(link: Link | None, customer: str) -> str | None:
    """Why a claim of `customer` was not followed, given the link that stands after it; None where it was."""
    kept = "the event counts for its customer, but anonymous_id is not linked to them: "
    if link is None:
        return f"{kept}customer_id has {VISITORS_A_CUSTOMER} anonymous ids already, more than a person"
    if link.state is LinkState.SHARED:
        return f"{kept}{CUSTOMERS_A_DEVICE} or more customers share that device"
    if link.state is LinkState.UNLINKED:
        return f"{kept}its link was undone by hand"
    return None if link.customer == customer else f"{kept}it is linked to another customer already"


def unlinked(link: Link | None) -> Link:
    """The link once it has been undone. Raises NoSuchLink."""
    if link is None:
        raise NoSuchLink("the visitor is linked to nobody")
    if link.state is LinkState.SHARED:
        raise NoSuchLink(f"the visitor is linked to nobody: {CUSTOMERS_A_DEVICE} or more customers share that device")
    return replace(link, state=LinkState.UNLINKED)


def forgotten(link: Link, customer: str) -> Link:
    """The link without a word of the customer."""
    others = tuple(sorted({NOBODY if other == anonymous(customer) else other for other in link.others}))
    return replace(link, customer=NOBODY if link.customer == customer else link.customer, others=others)


def newer(known: Copy | None, new: Copy) -> Copy:
    """The one that stands: a withdrawal whatever it met, otherwise the later. Any order and repetition agree on it."""
    if known is None or (known.state is not None and new.state is None):
        return new
    stale = known.state is None or known.state == new.state or new.version <= known.version
    return known if stale else new


def resolve(claims: Iterable[tuple[str, str]]) -> dict[str, Link]:
    """Each visitor's link after these claims, (visitor, customer), in their order."""
    links: dict[str, Link] = {}
    visitors = Counter[str]()
    for visitor, customer in claims:
        link = claimed(links.get(visitor), [customer], visitors)
        if link is not None:
            links[visitor] = link
    return links
