"""A layout tells lines that differ in their values alone."""

import io
import json
from typing import Any

import numpy as np
import pytest

from shared.events.blocks import Block, blocks
from shared.events.layouts import Layout, layout_of, matching
from shared.events.texts import Texts
from tests.events.lines import GOOD

LINE = json.dumps({**GOOD, "a": {"b": [1, None, "x"], "c": True}, "größe": 7}).encode()


def block_of(*lines: bytes) -> Block:
    [block] = blocks(io.BytesIO(b"\n".join(lines)))
    return block


def values_in(layout: Layout, line: bytes) -> dict[str, str] | None:
    """The values of the contract's fields, where the line has the layout."""
    block = block_of(line)
    quotes = np.flatnonzero(block.text == ord('"'))
    if len(quotes) != layout.quotes:
        return None
    at, slots = matching(layout, block, np.array([0]), quotes, np.array([0]))
    values = {slot.name: Texts(begins, ends - begins, block.text) for slot, begins, ends in slots if slot.name}
    return {name: "".join(value.tolist()) for name, value in values.items()} if len(at) else None


def layout(line: bytes = LINE) -> Layout:
    made = layout_of(line)
    assert made
    return made


def test_a_line_has_its_own_layout() -> None:
    assert layout().is_plain
    assert values_in(layout(), LINE) == {name: str(value) for name, value in GOOD.items()}


def test_other_values_have_the_layout_and_all_else_has_not() -> None:
    assert values_in(layout(), LINE.replace(b"889", b"7").replace(b"2.5", b"1e3")) is not None
    for old, new in (
        (b": {", b":{"),
        (b'"b"', b'"d"'),
        (b"null", b"0"),
        (b"}", b"]"),
        (b'"a"', b'"A"'),
    ):
        assert old in LINE
        assert values_in(layout(), LINE.replace(old, new, 1)) is None, new
    for line in (LINE + b" ", b" " + LINE, LINE[:-1]):
        assert values_in(layout(), line) is None


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[1]", b"7", b'{"a": 1,}', b'{"a": NaN}', LINE + b"x", b'{"a": "' + b"x" * 5_000 + b'"}']
)
def test_what_is_no_object_or_too_long_has_none(line: bytes) -> None:
    assert layout_of(line) is None


@pytest.mark.parametrize(
    "change",
    [
        {"event_id": None}, {"event_type": None}, {"timestamp": True}, {"customer_id": 7}, {"customer_id": None},
        {"anonymous_id": "v"}, {"price": "9.99"}, {"price": True}, {"category": ["a"]}, {"brand": {}},
        {"consent": False}, {"attributes": {}},
    ],
)  # fmt: skip
def test_lines_that_break_a_rule_of_types_or_need_care_are_not_plain(change: dict[str, Any]) -> None:
    assert not layout(json.dumps({**GOOD, **change}).encode()).is_plain


@pytest.mark.parametrize("twice", [b'"price": 1, ', b'"pr\\u0069ce": 1, ', b'"other": 1, "other": 2, '])
def test_lines_that_name_a_field_twice_are_not_plain(twice: bytes) -> None:
    assert not layout(b"{" + twice + LINE[1:]).is_plain


def test_fields_inside_of_others_are_not_the_contracts() -> None:
    inside = json.dumps({**GOOD, "a": {"price": 9, "brand": "x"}}).encode()
    assert layout(inside).is_plain
    assert values_in(layout(inside), inside) == {name: str(value) for name, value in GOOD.items()}
