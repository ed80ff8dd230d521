"""Blocks hold the lines that there are, whatever the bytes."""

import io
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events.batches import BATCH_LINES
from shared.events.blocks import blocks
from shared.events.streams import LONGEST_LINE, lines

_CONTENT = st.lists(st.sampled_from((b"\n", b"\r", b"a", b"\xef\xbb\xbf", b"\xff", b"\\", b"\x00", b"xyz"))).map(
    b"".join
)


def numbered(content: bytes) -> list[tuple[int, bytes]]:
    return [(block.number + at, block.line(at)) for block in blocks(io.BytesIO(content)) for at in range(len(block))]


@given(_CONTENT, st.sampled_from((1, 7, 2**20)))
def test_the_lines_are_those_that_are_read_one_by_one(content: bytes, size: int) -> None:
    with patch("shared.events.blocks.BLOCK", size):
        assert numbered(content) == [*lines(io.BytesIO(content))]


def test_of_a_line_that_is_too_long_a_beginning_is_kept() -> None:
    content = b"a\n" + b"x" * (5 * LONGEST_LINE) + b"\nb"
    assert numbered(content) == [*lines(io.BytesIO(content))]


def test_nothing_has_no_block() -> None:
    assert [*blocks(io.BytesIO(b""))] == []
    assert [*blocks(io.BytesIO(b"\xef\xbb\xbf"))] == []


def test_odd_lines_are_those_that_need_a_look() -> None:
    kept = [b"abc", b"a\r", b"\xc3\xbc", b"a\\"]
    odd = [b"", b"\r", b"a\tb", b"\ra", b"\xc3", b"a\r\r", b"x" * (LONGEST_LINE + 1)]
    with patch("shared.events.blocks.BLOCK", 2 * LONGEST_LINE):
        [block] = blocks(io.BytesIO(b"\n".join(kept + odd)))
    is_odd, backslashes = block.odd()
    assert is_odd.tolist() == [False] * len(kept) + [True] * len(odd)
    assert block.line_of(backslashes).tolist() == [3]


def test_a_block_has_a_bounded_number_of_lines() -> None:
    sizes = [len(block) for block in blocks(io.BytesIO(b"\n" * (2 * BATCH_LINES + 7)))]
    assert max(sizes) <= BATCH_LINES
    assert sum(sizes) == 2 * BATCH_LINES + 7


class Breaking:
    """A stream that breaks off after some bytes."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def read(self, size: int = -1, /) -> bytes:
        if not (part := self._content.read(min(size, 7))):
            raise EOFError("broken off")
        return part


def test_whole_lines_before_a_stream_breaks_off_are_handed_out() -> None:
    handed_out: list[bytes] = []
    with pytest.raises(EOFError, match="broken off"):
        for block in blocks(Breaking(b"one\ntwo\nthree, which is cut")):
            handed_out += [block.line(at) for at in range(len(block))]
    assert handed_out == [b"one", b"two"]
