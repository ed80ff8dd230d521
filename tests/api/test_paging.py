"""Pages as requests ask for them."""

import pytest

from shared.api.answers import Refused
from shared.api.cursors import Cursors
from shared.api.paging import MOST_A_PAGE, USUAL_PAGE, Paging

CURSORS = Cursors(lambda: b"a secret")


def paging(**query: str) -> Paging:
    return Paging(query, CURSORS)


@pytest.mark.parametrize("limit", ["1", "25", "100", "007"])
def test_a_page_is_as_long_as_asked_for(limit: str) -> None:
    assert paging(limit=limit).limit == int(limit)


def test_a_page_is_of_the_usual_length_else() -> None:
    assert paging().limit == USUAL_PAGE < MOST_A_PAGE


@pytest.mark.parametrize("limit", ["0", "101", "-1", "", "ten", "1.0", "²", "\u0661", "0001", " 1"])
def test_any_other_limit_is_refused(limit: str) -> None:
    with pytest.raises(Refused, match="whole number from 1 to 100") as refused:
        _ = paging(limit=limit).limit
    assert (refused.value.status, refused.value.code) == (400, "invalid_limit")


def test_a_cursor_leads_to_the_page_that_it_was_given_out_for() -> None:
    cursor = paging().cursor("history of a", 7)
    assert cursor is not None
    assert paging(cursor=cursor).place("history of a", int) == 7
    with pytest.raises(Refused) as refused:
        paging(cursor=cursor).place("history of b", int)
    assert refused.value.code == "invalid_cursor"


@pytest.mark.parametrize("query", [{}, {"cursor": ""}])
def test_without_a_cursor_a_listing_begins(query: dict[str, str]) -> None:
    assert paging(**query).place("history of a", int) is None


def test_the_last_page_has_no_cursor() -> None:
    assert paging().cursor("history of a", None) is None
