"""Which customer a visitor is, claim by claim."""

from collections import Counter

import pytest

from shared.identity.keys import anonymous
from shared.identity.links import (
    NOBODY,
    VISITORS_A_CUSTOMER,
    Copy,
    Link,
    LinkState,
    NoSuchLink,
    claim,
    claimed,
    forgotten,
    newer,
    refusal,
    resolve,
    unlinked,
)

A, B, C = "customer#a", "customer#b", "customer#c"


def test_the_first_customer_who_claims_a_visitor_keeps_it() -> None:
    link = claim(claim(None, A), B)
    assert (link.customer, link.state, link.others) == (A, LinkState.LINKED, (anonymous(B),))
    assert claim(link, A) == claim(link, B) == link


def test_a_device_that_three_customers_claim_counts_for_none() -> None:
    assert resolve([("visitor#v", who) for who in (A, B, C)])["visitor#v"].state is LinkState.SHARED


def test_a_customer_with_too_many_visitors_is_given_no_more() -> None:
    visitors = Counter({A: VISITORS_A_CUSTOMER - 1})
    assert claimed(None, [A], visitors) == Link(A)
    assert claimed(None, [A], visitors) is None
    assert claimed(None, [A, B], visitors) == Link(B)


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        (None, "customer_id has 200 anonymous ids already"),
        (Link(A, LinkState.SHARED), "3 or more customers share that device"),
        (Link(A, LinkState.UNLINKED), "its link was undone by hand"),
        (Link(A), "it is linked to another customer already"),
    ],
)
def test_a_claim_that_is_not_followed_says_why(link: Link | None, reason: str) -> None:
    assert reason in str(refusal(link, B))


def test_a_claim_that_is_followed_has_no_reason() -> None:
    assert refusal(Link(A), A) is None


def test_a_link_is_undone_once_and_not_made_again() -> None:
    undone = unlinked(claim(None, A))
    assert claim(undone, B) == undone
    for link in (None, Link(A, LinkState.SHARED)):
        with pytest.raises(NoSuchLink):
            unlinked(link)


def test_a_customer_who_is_erased_is_named_by_no_link_but_a_shared_device_stays_one() -> None:
    shared = resolve([("visitor#v", who) for who in (A, B, C)])["visitor#v"]
    assert forgotten(shared, A).customer == NOBODY
    assert anonymous(B) not in forgotten(shared, B).others
    assert forgotten(shared, B).state is LinkState.SHARED


def test_of_two_copies_the_later_stands_and_a_withdrawal_for_good() -> None:
    first, second, gone = Copy(1, b"a"), Copy(2, b"b"), Copy(2, None)
    assert newer(None, first) == first
    assert newer(first, second) == newer(second, first) == second
    assert newer(second, gone) == newer(gone, Copy(9, b"c")) == gone
