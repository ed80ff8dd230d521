"""The document: back as it was, and refused where it is none."""

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from shared.recommending.products import NOWHERE
from shared.recommending.recommender import MAGIC, MOST_BYTES, NoRecommender, Recommender
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
    assert (read.ids, read.names) == (["a1", "a2", "b1", "c1"], [""] * 4) or sorted(read.ids) == [
        "a1",
        "a2",
        "b1",
        "c1",
    ]
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
        (lambda known: replace(known, new=replace(known.new, knots=-known.new.knots)), "not defined"),
    ],
)
def test_numbers_that_would_mislead_are_refused(change: Callable[[Recommender], Recommender], why: str) -> None:
    with pytest.raises(NoRecommender, match=why):
        Recommender.from_bytes(change(small_recommender()).to_bytes())
