"""Lines of CSV are taken apart together."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events.blocks import Block, blocks
from shared.events.csv_lines import csv_columns

HEADER = ["event_id", "theirs", "timestamp", "price"]


def block_of(*lines: bytes) -> Block:
    [block] = blocks(io.BytesIO(b"\n".join(lines)))
    return block


@given(st.lists(st.text('ab,"\r ', max_size=12), min_size=1))
def test_a_line_that_is_taken_apart_has_the_values_of_pythons_reader(texts: list[str]) -> None:
    written = [text.encode() or b" " for text in texts]
    lines = csv_columns(block_of(b"xxx", *written), HEADER)
    for at, text in enumerate(written, 1):
        if lines.usual[at]:
            [values] = csv.reader(io.StringIO(text.decode() + "\n", newline=""), strict=True)
            own = {name: lines.column(name).tolist()[at] for name in ("event_id", "timestamp", "price")}
            assert own == {name: value for name, value in zip(HEADER, values, strict=True) if name in own}


@pytest.mark.parametrize("line", [b"e1,x,2017,1", b'"e1","x",2017,"1"', b'e1,"x,""y,2017,1', b'e1,"x,y",2017,1\r'])
def test_lines_of_any_usual_kind_are_taken_apart(line: bytes) -> None:
    lines = csv_columns(block_of(line, b"e2,,,"), HEADER)
    assert lines.usual.tolist() == [b'""' not in line, True]
    if lines.usual[0]:
        assert [lines.column(name).tolist()[0] for name in ("event_id", "timestamp", "price")] == ["e1", "2017", "1"]
    assert lines.column("brand").tolist() == ["", ""]


@pytest.mark.parametrize(
    "line", [b"", b"e1", b"a,b,c", b"a,b,c,d,e", b'a"b,c,d,e', b'"a,b,c,d', b'"a"b,c,d,e', b"a,b\r,c,d", b"a,\xff,c,d"]
)
def test_all_others_are_left_to_python(line: bytes) -> None:
    assert csv_columns(block_of(b"a,b,c,d", line, b"a,b,c,d"), HEADER).usual.tolist() == [True, False, True]
