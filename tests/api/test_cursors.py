"""Cursors lead back to where they were given out for, and say nothing on the way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.api.cursors import Cursors, InvalidCursor
from tests.support.markers import MARKERS, found_in

cursors = Cursors(lambda: b"a secret")
places = st.one_of(st.integers(0, 2**53), st.tuples(st.integers(0, 7), st.text(st.characters(codec="utf-8"))).map(list))


@given(st.text(st.characters(codec="utf-8")), places)
def test_a_cursor_leads_back_to_its_place_within_its_request_and_nowhere_else(request: str, place: object) -> None:
    cursor = cursors.seal(request, place)
    assert cursors.open(request, cursor) == place
    assert cursor.replace("-", "").replace("_", "").isalnum()
    for other in (Cursors(lambda: b"another"), cursors):
        with pytest.raises(InvalidCursor):
            other.open(request + (" " if other is cursors else ""), cursor)


@given(st.data())
def test_a_changed_cursor_is_refused(data: st.DataObject) -> None:
    cursor = cursors.seal("members of 2", [3, "customer#889"])
    at = data.draw(st.integers(0, len(cursor) - 2))
    changed = data.draw(st.sampled_from("ABCxyz019-_").filter(lambda one: one != cursor[at]))
    with pytest.raises(InvalidCursor):
        cursors.open("members of 2", cursor[:at] + changed + cursor[at + 1 :])


@pytest.mark.parametrize("cursor", ["", "A", "AAAA", "ä", "=", "A" * 22, "A" * 23])
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        cursors.open("members of 2", cursor)


@pytest.mark.parametrize("marker", MARKERS)
def test_a_cursor_shows_neither_an_id_nor_its_length(marker: str) -> None:
    cursor = cursors.seal("members of 2", [3, f"customer#{marker}"])
    assert found_in(cursor) == set() and f"customer#{marker}"[:9] not in cursor
    assert len(cursor) == len(cursors.seal("members of 2", [3, "customer#1"]))
    assert cursor[:40] != cursors.seal("members of 2", [3, f"customer#{marker}x"])[:40]
