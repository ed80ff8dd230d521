"""Ids of people in the ways in which files write them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.erasure.wanted import LONGEST_MENTION_BYTES, Wanted, about_people, as_bytes, same
from shared.identity.keys import LONGEST_ID, customer_key

WANTED = Wanted(["customer#889", "customer#Zoë Ünal", "visitor#phone of 889"])
ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=LONGEST_ID)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp1252", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["889", "Zoë Ünal", "phone of 889"])
def test_an_id_is_mentioned_in_every_usual_encoding(name: str, encoding: str) -> None:
    assert WANTED.mentioned(f"of {name}, yesterday".encode(encoding))


@pytest.mark.parametrize("text", [b"8890", b"1889", b"889-1", b"x_889", b"Zoe Unal", b""])
def test_a_part_of_a_longer_word_is_no_mention(text: bytes) -> None:
    assert not WANTED.mentioned(text)


@given(ids)
def test_no_way_to_write_an_id_is_longer_than_what_is_read_twice(name: str) -> None:
    for encoded in (json.dumps(name).encode(), name.encode("utf-16-le"), name.encode()):
        assert len(encoded) + 8 <= LONGEST_MENTION_BYTES or len(name) > 100


@given(ids)
def test_a_line_with_the_id_as_a_value_is_never_passed_over(name: str) -> None:
    wanted = Wanted([customer_key(name)])
    for escaped in (True, False):
        assert wanted.may_be_in(json.dumps({"customer_id": name}, ensure_ascii=escaped).encode())


def test_a_column_holds_customers_or_visitors_by_its_name() -> None:
    assert WANTED.of_column("Customer ID") == {"889", "Zoë Ünal"}
    assert WANTED.of_column("user_pseudo_id") == {"phone of 889"}
    assert WANTED.of_column("segment") == frozenset()
    assert [about_people(name) for name in ("userId", "VISITOR-ID", "price")] == [True, True, False]


@pytest.mark.parametrize("value", [889, 889.0, "889", " 889 ", '="889"', "889.0"])
def test_an_id_is_the_same_where_a_number_or_a_spreadsheet_was_made_of_it(value: object) -> None:
    assert same(value, WANTED.customers)
    assert not same(value, WANTED.visitors)


def test_ids_as_bytes_are_what_latin_1_makes_of_each_encoding() -> None:
    assert {"Zoë", "Zo\xc3\xab"} <= as_bytes(["Zoë"])
