"""Where records of text end, so that a file can be cut between them without being parsed.

Of CSV, arrays say where quotes open and close, as long as each stands where Python's strict reader looks for one; from
the first that does not, that reader itself finds the ends.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from shared.events.streams import LONGEST_LINE

csv.field_size_limit(LONGEST_LINE)
_QUOTE = ord('"')
_RETURN = ord("\r")
_NEWLINE = ord("\n")


def record_end(text: bytes, least: int, delimiter: str | None) -> int | None:
    """Where the first record ends that ends at `least` bytes or later, of `text`, at whose beginning one begins.

    The `delimiter` is that of CSV with quotes, or None where each line is a record. None where the end is not in the
    text yet.
    """
    if delimiter is None or b'"' not in text:
        return text.find(b"\n", max(least - 1, 0)) + 1 or None
    ends, certain = _quoted_ends(np.frombuffer(text, np.uint8), delimiter)
    at = int(np.searchsorted(ends, least))
    if at < len(ends):
        return int(ends[at])
    if certain == len(text):
        return None
    return _read_end(text, int(ends[-1]) if len(ends) else 0, least, delimiter)


def _quoted_ends(data: NDArray[np.uint8], delimiter: str) -> tuple[NDArray[np.int64], int]:
    """The ends of records as far as quotes tell them, and how far that is."""
    quotes = np.flatnonzero(data == _QUOTE)
    newlines = np.flatnonzero(data == _NEWLINE)
    outside = np.searchsorted(quotes, newlines) % 2 == 0
    ends = newlines[outside] + 1
    certain = _first_doubt(data, quotes, delimiter)
    ends = ends[ends <= certain]
    if len(long := np.flatnonzero(np.diff(ends, prepend=0) > LONGEST_LINE)):
        ends = ends[: long[0]]
        certain = int(ends[-1]) if len(ends) else 0
    elif certain == len(data) and len(data) - (int(ends[-1]) if len(ends) else 0) > LONGEST_LINE:
        certain = int(ends[-1]) if len(ends) else 0
    return ends, certain


def _first_doubt(data: NDArray[np.uint8], quotes: NDArray[np.int64], delimiter: str) -> int:
    """The first position from which on quotes may not be what they seem; the size of the data where there is none."""
    size = len(data)
    if len(delimiter.encode()) > 1:
        return 0
    opening = quotes[::2]
    closing = quotes[1::2]
    before = np.where(opening > 0, data[opening - 1], _NEWLINE)
    after = np.where(closing + 1 < size, data[np.minimum(closing + 1, size - 1)], _NEWLINE)
    between = np.zeros(256, np.bool)
    between[[ord(delimiter), _NEWLINE, _QUOTE]] = True
    doubts = [opening[~between[before]], closing[~(between[after] | (after == _RETURN))]]
    returns = np.flatnonzero(data == _RETURN)
    follow = np.where(returns + 1 < size, data[np.minimum(returns + 1, size - 1)], _NEWLINE)
    doubts.append(returns[follow != _NEWLINE])
    return min((int(some[0]) for some in doubts if len(some)), default=size)


class _Lines:
    """Lines of some text for Python's reader, and how far it has read."""

    def __init__(self, text: bytes, begin: int) -> None:
        self._text = text
        self.at = begin
        self.is_at_end = False
        self._size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        end = self._text.find(b"\n", self.at) + 1
        if not end:
            self.is_at_end = True
            raise StopIteration
        line = self._text[self.at : end]
        self.at = end
        self._size += len(line)
        if self._size > LONGEST_LINE + 1:
            raise _TooLong
        return line.decode(errors="surrogateescape")

    def begin_record(self) -> None:
        """What comes next is another record's."""
        self._size = 0


class _TooLong(Exception):
    """A record has more than LONGEST_LINE bytes; it ends with the line that is one too many."""


def _read_end(text: bytes, begin: int, least: int, delimiter: str) -> int | None:
    lines = _Lines(text, begin)
    records = csv.reader(lines, delimiter=delimiter, strict=True)
    while not lines.is_at_end:
        lines.begin_record()
        try:
            next(records)
        except (csv.Error, _TooLong):
            if lines.is_at_end:
                return None
        except StopIteration:
            return None
        if lines.at >= least:
            return lines.at
    return None
