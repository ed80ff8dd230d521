"""Lines of JSON are taken apart together."""

import io
import json
from unittest.mock import patch

import pytest

from shared.events.blocks import Block, blocks
from shared.events.json_lines import FEWEST_ALIKE, json_columns
from shared.events.layouts import layout_of
from tests.events.lines import GOOD


def block_of(*lines: bytes) -> Block:
    [block] = blocks(io.BytesIO(b"\n".join(lines)))
    return block


def lines_of(count: int = FEWEST_ALIKE, **fields: object) -> list[bytes]:
    return [json.dumps({**GOOD, **fields, "event_id": f"e{at}"}).encode() for at in range(count)]


def test_lines_that_look_alike_are_taken_apart() -> None:
    lines, layouts = json_columns(block_of(*lines_of()), [])
    assert lines.usual.all()
    assert lines.column("event_id").tolist() == [f"e{at}" for at in range(FEWEST_ALIKE)]
    assert lines.column("brand").tolist() == [""] * FEWEST_ALIKE
    assert len(layouts) == 1


def test_few_lines_are_left_to_python_unless_their_layout_is_known() -> None:
    block = block_of(*lines_of(2))
    assert not json_columns(block, [])[0].usual.any()
    layout = layout_of(block.line(0))
    assert layout
    assert json_columns(block, [layout])[0].usual.all()


def test_a_layout_that_no_line_has_is_forgotten() -> None:
    other = layout_of(b'{"a": 1}')
    assert other
    assert other not in json_columns(block_of(*lines_of()), [other])[1]


def test_escapes_are_decoded() -> None:
    written = lines_of(category='Hü/te "1"')
    lines, _ = json_columns(block_of(*written, *(line.replace(b"/", b"\\/") for line in written)), [])
    assert lines.usual.all()
    assert set(lines.column("category").tolist()) == {'Hü/te "1"'}


@pytest.mark.parametrize("wrong", [b"\\x", b"\\ud800", b"\\\\", b"\t", b"\xff", b"\\u12"])
def test_a_line_with_a_text_that_is_none_is_left_to_python(wrong: bytes) -> None:
    good = lines_of(category="here")
    lines, _ = json_columns(block_of(*good, good[0].replace(b"here", wrong)), [])
    assert lines.usual.tolist() == [True] * len(good) + [False]


def test_times_that_are_numbers_are_told_from_texts() -> None:
    with patch("shared.events.json_lines.FEWEST_ALIKE", 1):
        lines, _ = json_columns(block_of(*lines_of(2), *lines_of(2, timestamp=1_506_852_000)), [])
    assert lines.numeric.tolist() == [False, False, True, True]


def test_many_layouts_cost_no_more_than_some() -> None:
    block = block_of(*(line for at in range(200) for line in lines_of(2, **{f"a{at:03}": 1})))
    _, layouts = json_columns(block, [])
    assert len(layouts) <= 64
