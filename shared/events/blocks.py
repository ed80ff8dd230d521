"""The lines of a text file, many at once: their bytes as one run, and where each begins and ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.events.batches import BATCH_LINES, is_utf8
from shared.events.streams import BYTE_ORDER_MARK, LONGEST_LINE, ByteStream
from shared.events.texts import Positions

LONGEST_LOOK = 4_096
"""Bytes that may be looked at from any place in a block on, as zeros follow it."""
BLOCK = 2 * 2**20
"""Bytes read at once: enough lines to spread what a call of NumPy costs, and few enough for the processor's cache."""
PIECE = 2**17
"""Bytes asked for at once, so that of a stream that breaks off no more are missing."""
_ZEROS = bytes(LONGEST_LOOK + 8)
_NOT_ASCII = 128
_LINE_END, _RETURN, _BACKSLASH, _SPACE = b"\n\r\\ "


@dataclass(frozen=True, slots=True)
class Block:
    """Some consecutive lines [n]."""

    number: int
    """Of the first line, from 1."""
    text: NDArray[np.uint8]
    """All lines with their ends, and zeros after them."""
    begins: Positions
    """Where each line begins [n]."""
    ends: Positions
    """Where each line ends, without what ends it: its \\n, and a \\r before that [n]."""
    stops: Positions
    """Where the \\n of each line is [n]."""

    def __len__(self) -> int:
        return len(self.begins)

    def line(self, at: int) -> bytes:
        """Line `at`, from 0, without its \\n."""
        return self.text[self.begins[at] : self.stops[at]].tobytes()

    def filled(self, some: NDArray[np.bool_]) -> Iterator[int]:
        """The lines, from 0, that are not empty, of those where `some` is set [n]."""
        return map(int, np.flatnonzero(some & (self.stops > self.begins)))

    def line_of(self, places: Positions) -> Positions:
        """The lines, from 0, in which the places are [m]."""
        return np.searchsorted(self.stops, places)

    def odd(self) -> tuple[NDArray[np.bool_], Positions]:
        """Lines that are empty, too long, no text or hold control characters [n], and places of all backslashes."""
        text = self.text[: self.stops[-1]]
        odd: NDArray[np.bool_] = (self.ends <= self.begins) | (self.stops - self.begins > LONGEST_LINE)
        places = np.flatnonzero((text < _SPACE) | (text == _BACKSLASH))
        if len(places) >= len(self):  # more than the line ends, of which the last is left out
            places = places[text[places] != _LINE_END]
            values = text[places]
            controls = places[values < _SPACE]
            odd[self.line_of(controls[self.ends[self.line_of(controls)] != controls])] = True
            places = places[values == _BACKSLASH]
        else:
            places = places[:0]
        if text.max(initial=0) >= _NOT_ASCII and not is_utf8(text.tobytes()):
            odd |= [not is_utf8(self.line(at)) for at in range(len(self))]
        return odd, places


def blocks(stream: ByteStream) -> Iterator[Block]:
    """All lines of a stream; of one longer than LONGEST_LINE only a beginning that is longer too.

    Where the stream breaks off, the whole lines before that come first, and then what it raised.
    """
    number = 1
    rest = b""
    broken: Exception | None = None
    read = stream.read(len(BYTE_ORDER_MARK)).removeprefix(BYTE_ORDER_MARK)
    if not read:
        read, broken = _read(stream)
    while read:
        rest += read
        read, broken = (b"", broken) if broken else _read(stream)
        size = rest.rfind(b"\n") + 1 if read or broken else len(rest)
        whole = memoryview(rest)[:size]
        while whole:
            block = _block(number, whole)
            yield block
            number += len(block)
            whole = whole[int(block.stops[-1]) + 1 :]
        rest = rest[size : size + LONGEST_LINE + 1]
    if broken:
        raise broken


def _read(stream: ByteStream) -> tuple[bytes, Exception | None]:
    """The next BLOCK of bytes, or those that there are, and what the stream raised after them."""
    parts: list[bytes] = []
    missing = BLOCK
    try:
        while missing and (part := stream.read(min(PIECE, missing))):
            parts.append(part)
            missing -= len(part)
    except Exception as error:  # whatever it is, it is raised once what came before it has been handed out
        return b"".join(parts), error
    return b"".join(parts), None


def _block(number: int, lines: memoryview) -> Block:
    ended = lines[-1] == _LINE_END
    text = np.frombuffer(b"".join((lines, _ZEROS if ended else b"\n" + _ZEROS)), np.uint8)
    stops = np.flatnonzero(text[: len(lines) + (not ended)] == _LINE_END)
    stops = stops[:BATCH_LINES]
    begins = np.concatenate(([0], stops[:-1] + 1))
    return Block(number, text, begins, stops - (text[stops - 1] == _RETURN), stops)
