"""Texts by the column: the hashes that stored states hold, and which texts are equal."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events.texts import Texts

columns = st.lists(
    st.one_of(st.text(max_size=40), st.sampled_from(["", "a", "ab", "889", "\0", "\0\0", "é", "x" * 999]))
)


def slow_hash(text: str) -> int:
    """What the docstring of `Texts.hashes` says, one text and one word at a time."""
    data = text.encode()
    state = len(data) * 0x9E3779B97F4A7C15 % 2**64
    for begin in range(0, len(data), 8):
        state ^= int.from_bytes(data[begin : begin + 8], "little")
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        state = (state ^ state >> 27) * 0x94D049BB133111EB % 2**64
        state ^= state >> 31
    return state


@given(columns)
def test_hashes_are_what_is_documented(texts: list[str]) -> None:
    assert Texts.of(texts).hashes().tolist() == [slow_hash(text) for text in texts]


def test_hashes_stay_the_same_for_ever() -> None:
    known = {
        "": 0x0000000000000000,
        "889": 0x3C3D5C5365769FB9,
        "cj-1469307": 0x4459A2AB538C77FD,
        "0b1f3c9e-7d3a-4d52-9e0f-6f2f0a7c1d88": 0x806E22A1AD77D8AC,
        "Überzug": 0xC675BCDF6B36AFB2,
    }
    assert dict(zip(known, Texts.of([*known]).hashes().tolist(), strict=True)) == known


@given(columns)
def test_texts_come_back(texts: list[str]) -> None:
    assert Texts.of(texts).tolist() == texts


@given(columns)
def test_distinct_texts_are_found_each_once(texts: list[str]) -> None:
    positions, which = Texts.of(texts).distinct()
    distinct = [texts[i] for i in positions.tolist()]
    assert len(set(distinct)) == len(distinct)
    assert [distinct[i] for i in which.tolist()] == texts


def test_distinct_texts_are_told_apart_even_if_their_hashes_are_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Texts, "hashes", lambda self: np.zeros(len(self), np.uint64))
    positions, which = Texts.of(["a", "b", "a", "c", "b"]).distinct()
    assert (len(positions), len(set(which.tolist()))) == (3, 3)
    assert which[0] == which[2] != which[1] == which[4]
