"""Files piece by piece: every byte comes back, and each piece says whose it is."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.erasure.streams import NotSearchable
from shared.erasure.texts import (
    LONGEST_LINE_BYTES,
    Piece,
    Pieces,
    archived,
    csv_rows,
    json_rows,
    lines,
    mentions,
    quarantined,
    reasons,
)
from shared.erasure.wanted import Wanted
from tests.support.event_files import ndjson, purchase

WANTED = Wanted(["customer#889", "visitor#phone"])


def pieces(read: Pieces, body: bytes) -> list[Piece]:
    return [*read(io.BytesIO(body), WANTED)]


def theirs(read: Pieces, body: bytes) -> list[bytes]:
    return [piece.raw for piece in pieces(read, body) if piece.theirs]


def doubtful(read: Pieces, body: bytes) -> list[bytes]:
    return [piece.raw for piece in pieces(read, body) if piece.doubtful]


@given(st.lists(st.sampled_from([b"889", b"a,b", b'"x', b"\r", b"\n", b"\xff", b'{"customer_id":889}']), max_size=9))
def test_every_byte_of_a_text_comes_back(parts: list[bytes]) -> None:
    body = b"customer_id,n\n" + b"".join(parts)
    for read in (json_rows, csv_rows, quarantined):
        assert b"".join(piece.raw for piece in pieces(read, body)) == body


def test_rows_of_csv_are_theirs_by_the_column_of_people() -> None:
    assert theirs(csv_rows, b"n,customer_id\n1,889\n889,2\n") == [b"1,889\n"]


def test_a_row_that_does_not_fit_and_names_them_is_doubtful() -> None:
    assert doubtful(csv_rows, b"n,customer_id\n1,2,889\n1,2,3\n") == [b"1,2,889\n"]


def test_rows_of_no_column_of_people_cannot_be_searched() -> None:
    with pytest.raises(NotSearchable, match="no column says whose a row is"):
        pieces(csv_rows, b"a,b\n1,2\n")


def test_lines_of_json_are_theirs_by_a_field_of_people() -> None:
    assert theirs(json_rows, b'{"userId":889}\n{"n":889,"userId":1}\n') == [b'{"userId":889}\n']
    assert doubtful(json_rows, b'{"n":889}\n{"n":1}\n') == [b'{"n":889}\n']


def test_refused_lines_say_whom_they_name_or_are_looked_into() -> None:
    named = json.dumps({"original": "889", "people": ["customer#1"]}).encode() + b"\n"
    other = json.dumps({"original": "of 889"}).encode() + b"\n"
    assert theirs(quarantined, named + other) == [other]
    assert [piece.people for piece in pieces(quarantined, named)] == [("customer#1",)]


def test_archived_events_are_theirs_by_whom_they_name() -> None:
    body = ndjson([purchase("889"), purchase("1", anonymous_id="phone"), purchase("1", note="889")])
    assert theirs(archived, body) == body.splitlines(keepends=True)[:2]


def test_a_reason_that_names_them_goes_and_the_rest_stays() -> None:
    gone, kept = pieces(reasons, b'{"source_key":"a","reason":"not 889"}')
    assert (gone.theirs, json.loads(kept.raw)["source_key"]) == (True, "a")
    assert "889" not in kept.raw.decode()


def test_lines_end_as_the_file_ends_them() -> None:
    assert [*lines(io.BytesIO(b"a\rb\r"))] == [b"a\r", b"b\r"]
    assert [*lines(io.BytesIO(b"a\r\nb"))] == [b"a\r\n", b"b"]


def test_a_line_without_end_cannot_be_searched() -> None:
    with pytest.raises(NotSearchable, match="a line is longer than"):
        list(lines(io.BytesIO(b"x" * (LONGEST_LINE_BYTES + (1 << 20) + 1))))


def test_bytes_mention_them_also_across_blocks_and_are_not_searched_where_they_are_no_text() -> None:
    assert mentions(io.BytesIO(b" " * ((1 << 20) - 2) + b"889 "), WANTED)
    assert not mentions(io.BytesIO(b"8890"), WANTED)
    with pytest.raises(NotSearchable, match="not text"):
        mentions(io.BytesIO(b"\x00\x01"), WANTED)
