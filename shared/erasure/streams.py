"""Bytes of objects that are searched, within bounds of time and size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shared.events.streams import ByteStream

LONGEST_OBJECT_BYTES = 4 << 30
"""What is larger than that, as it is or unzipped, is not searched: it would not fit beside what is left of it."""
TOO_LARGE = f"it is larger than {LONGEST_OBJECT_BYTES:,} bytes"


class NotSearchable(ValueError):
    """An object, or what is left of it, cannot be searched; the message says why."""


class OutOfTime(Exception):
    """There is no time left to read on; what was not finished is as it was."""


class Begun:
    """A stream whose first bytes were read already."""

    def __init__(self, first: bytes, stream: ByteStream) -> None:
        self._first = first
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, up to `size`."""
        first, self._first = self._first, b""
        left = size - len(first)
        return first + self._stream.read(left) if left or not first else first


class Bounded:
    """A stream that is read as long as `go_on` says so, and up to a number of bytes."""

    def __init__(self, stream: Any, go_on: Callable[[], bool], most_bytes: int = LONGEST_OBJECT_BYTES) -> None:
        self._stream = stream
        self._go_on = go_on
        self._left = most_bytes

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, up to `size`. Raises OutOfTime, and NotSearchable beyond the bound."""
        if not self._go_on():
            raise OutOfTime
        block: bytes = self._stream.read(size)
        self._left -= len(block)
        if self._left < 0:
            raise NotSearchable(TOO_LARGE)
        return block
