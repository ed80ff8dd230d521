"""The document of a shop's journeys."""

import contextlib
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.destinations.steps import Quiet
from shared.journeys.journey import (
    Branch,
    Cap,
    Check,
    Journey,
    Journeys,
    Jump,
    NotJourneys,
    Publication,
    Send,
    Wait,
    decode_publication,
    encode_publication,
    renewed,
)
from tests.journeys.worlds import RULE
from tests.support.examples import at_most

STEPS = (Wait(5, "carts"), Wait(0), Check(), Branch("views(5) > 0", RULE, 6), Send("crm", "a"), Jump(7), Send("b", "c"))
JOURNEY = Journey("cart", "Cart", "abandoned", STEPS)
SHOP = Journeys(3, (JOURNEY,), Quiet(1_260, 480), Cap(2, 7))


def test_a_publication_is_read_as_it_was_written() -> None:
    publication = Publication(SHOP, "text", "2024-05-01T00:00:00Z", "ada", "spring")
    assert decode_publication(encode_publication(publication)) == publication


def test_a_journey_that_stays_as_it_was_keeps_its_version() -> None:
    before = renewed(Journeys(), Journeys(0, (JOURNEY, replace(JOURNEY, key="b"))))
    after = renewed(before, Journeys(0, (JOURNEY, replace(JOURNEY, key="b", audience="else"))))
    assert [journey.version for journey in after.all] == [1, 2]
    known = after.get("b")
    assert known is not None
    assert known.audience == "else"
    assert after.get("c") is None


def document(**changed: Any) -> bytes:
    stored = msgspec.json.decode(encode_publication(Publication(SHOP, "", "", "", "")))
    stored["journeys"][0] |= {name: value for name, value in changed.items() if name != "quiet"}
    stored |= {name: value for name, value in changed.items() if name == "quiet"}
    return msgspec.json.encode(stored)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[" * 100_000,
        b"{}",
        document(key="No Key"),
        document(steps=[]),
        document(steps=[["jump", 0]]),  # would never end
        document(steps=[["jump", 2]]),  # leads out of it
        document(steps=[["branch", "x", ["=", 1, 2], 1]]),
        document(steps=[["wait", -1, None]]),
        document(steps=[["wait", 1, "sneezes"]]),
        document(steps=[["fly"]]),
        document(quiet=[0, 1_440]),
    ],
)
def test_what_is_no_document_of_journeys_is_refused(content: bytes) -> None:
    with pytest.raises(NotJourneys):
        decode_publication(content)


def test_two_journeys_of_one_key_are_refused() -> None:
    twice = replace(SHOP, all=(JOURNEY, JOURNEY))
    with pytest.raises(NotJourneys):
        decode_publication(encode_publication(Publication(twice, "", "", "", "")))


WHOLE = encode_publication(Publication(SHOP, "", "", "", ""))


@given(st.integers(0, len(WHOLE) - 1), st.binary(max_size=3))
@settings(max_examples=at_most(300))
def test_a_damaged_document_is_refused_or_read(at: int, instead: bytes) -> None:
    with contextlib.suppress(NotJourneys):
        decode_publication(WHOLE[:at] + instead + WHOLE[at + 1 :])
