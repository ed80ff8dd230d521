from typing import Any

import pytest

from shared.shapes import LARGEST, Misfit, Text, check, parsed

SHAPE = {"name": Text(5), "size?": int, "parts?": [float], "*": (bool, None)}


@pytest.mark.parametrize(
    "document", [{"name": "usual"}, {"name": "", "size": 3, "parts": [1, 2.5], "more": None, "other": True}]
)
def test_what_fits_is_taken(document: Any) -> None:
    check(document, SHAPE)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "it is not an object"),
        ({}, "it has no name"),
        ({"name": "longer"}, "name of it is not a text of at most 5 characters"),
        ({"name": "\ud800"}, "name of it is not a text"),
        ({"name": "a", "size": 1.5}, "size of it is not a whole number"),
        ({"name": "a", "size": True}, "size of it is not a whole number"),
        ({"name": "a", "size": LARGEST + 1}, "size of it is not a whole number"),
        ({"name": "a", "parts": 1}, "parts of it is not a list"),
        ({"name": "a", "parts": [float("inf")]}, "an entry of parts of it is not a number"),
        ({"name": "a", "more": 1}, "an entry of it is not true or false or null"),
    ],
)
def test_what_does_not_is_refused_with_where_and_what_was_expected(document: Any, message: str) -> None:
    with pytest.raises(Misfit, match=message):
        check(document, SHAPE)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_bytes_that_are_no_json_are_refused(content: bytes) -> None:
    with pytest.raises(Misfit, match="it is not JSON"):
        parsed(content, SHAPE)
