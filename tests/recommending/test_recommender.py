"""The document: back as it was, and refused where it is none."""

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from shared.recommending.discovery import NEW
from shared.recommending.products import NOWHERE
from shared.recommending.recommender import MAGIC, MOST_BYTES, NoRecommender, Recommender
from shared.recommending.trees import ALL, LEAVES, Trees
from tests.support.recommenders import small_recommender


def header(content: bytes) -> tuple[dict[str, Any], bytes]:
    """What the document says of itself, and what follows."""
    (length,) = struct.unpack_from("<I", content, len(MAGIC))
    begin = len(MAGIC) + 4
    return msgspec.json.decode(content[begin : begin + length]), content[begin + length :]


def with_header(**changes: Any) -> bytes:
    """The small shop's document with another header."""
    before, rest = header(small_recommender().to_bytes())
    encoded = msgspec.json.encode({**before, **changes})
    return b"".join([MAGIC, struct.pack("<I", len(encoded)), encoded, rest])


def test_it_comes_back_as_it_was() -> None:
    once = small_recommender().to_bytes()
    read = Recommender.from_bytes(once)
    assert read.to_bytes() == once
    assert (sorted(read.ids), read.names) == (["a1", "a2", "b1", "c1"], [""] * 4)
    assert read.title(0) == read.ids[0]
    assert replace(read, names=["Bread", "", "", ""]).title(0) == "Bread"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "does not begin"),
        (MAGIC, "does not begin"),
        (MAGIC + b"\xff\xff\xff\xff{", "not JSON"),
        (b"PK\x03\x04 anything else", "does not begin"),
        (with_header(products=10**9), "header is refused"),
        (with_header(products=3), "not as long"),
        (with_header(text_bytes=0), "not as long"),
        (with_header(recommender_id="../models"), "header is refused"),
        (with_header(segment_names=["a"]), "not as long"),
        (with_header(again={"signals": ["x"], "knots": [[0]], "values": [[0]], "base": 0}), "other signals"),
        (small_recommender().to_bytes() + b"more", "not as long"),
        (bytes(MOST_BYTES + 1), "more than"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_what_is_none_is_refused_with_a_reason(content: bytes, why: str) -> None:
    with pytest.raises(NoRecommender, match=why):
        Recommender.from_bytes(content)


def _set(name: str, value: Any) -> Callable[[Recommender], Recommender]:
    def changed(known: Recommender) -> Recommender:
        array = getattr(known.products, name).copy()
        array.flat[0] = value
        return replace(known, products=replace(known.products, **{name: array}))

    return changed


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_set("code", 2**32 - 1), "do not ascend"),
        (_set("near", 4), "does not have"),
        (_set("of_all", NOWHERE - 1), "does not have"),
        (_set("demand", np.nan), "not finite"),
        (_set("alike", np.inf), "not finite"),
        (_set("gap_days", 0), "impossible"),
        (_set("price", -np.inf), "impossible"),
        (lambda known: replace(known, again=replace(known.again, base=np.inf)), "header is refused|not defined"),
        (lambda known: replace(known, again=replace(known.again, knots=-known.again.knots)), "not defined"),
    ],
)
def test_numbers_that_would_mislead_are_refused(change: Callable[[Recommender], Recommender], why: str) -> None:
    with pytest.raises(NoRecommender, match=why):
        Recommender.from_bytes(change(small_recommender()).to_bytes())


TREES = Trees(
    signal=np.array([[0, 1] + [0] * (LEAVES - 3)]),
    limit=np.array([[0.5, 1.0] + [np.inf] * (LEAVES - 3)]),
    kept=np.array([[0b11111110, 0b11111101] + [ALL] * (LEAVES - 3)], np.uint8),
    leaf=np.arange(LEAVES, dtype=float)[None] - 3,
    base=-1.0,
)


def test_trees_come_back_as_they_were() -> None:
    once = replace(small_recommender(), new=TREES)
    read = Recommender.from_bytes(once.to_bytes())
    assert read.to_bytes() == once.to_bytes()
    signals = np.zeros((3, len(NEW)))
    signals[1:, 0] = 1
    signals[2, 1] = 2
    assert read.new.log_odds(signals).tolist() == TREES.log_odds(signals).tolist() == [-4.0, -3.0, -2.0]


@pytest.mark.parametrize(
    "trees",
    [
        replace(TREES, signal=TREES.signal + len(NEW)),
        replace(TREES, leaf=TREES.leaf * 1e300),
        replace(TREES, leaf=TREES.leaf[:, :2]),
        replace(TREES, kept=np.array([[-1] * (LEAVES - 1)])),
        replace(TREES, signal=TREES.signal[:0]),
    ],
)
def test_trees_that_would_mislead_are_refused(trees: Trees) -> None:
    with pytest.raises(NoRecommender, match=r"trees are not|header is refused"):
        Recommender.from_bytes(replace(small_recommender(), new=trees).to_bytes())
