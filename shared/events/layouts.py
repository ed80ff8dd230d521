"""Lines of JSON that differ in their values alone: one is parsed, and shows where all others have theirs.

A layout is the bytes of a line without its values. A line that has these bytes, and as many quotes, is JSON as the
first one is and names the same fields, if what stands for its texts and numbers is that, which is looked at elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.events.blocks import LONGEST_LOOK, Block
from shared.events.event import FIELDS
from shared.events.plain import AMOUNTS
from shared.events.texts import Positions

_NEEDED = ("event_id", "event_type", "timestamp")
_CARE = ("consent", "attributes")
_ANYTHING = ("campaign", "arm")
"""Fields that are looked at in exposures alone, and of those as texts."""
_PEOPLE = ("customer_id", "anonymous_id")
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[][{}:,]|[ \t\r]+')
_STRUCTURE = b"{}[],: \t\r"
_WORD = 8

type SlotValues = tuple[Slot, Positions, Positions]
"""Where the values of some lines in a slot begin and end [m each]."""


@dataclass(slots=True)
class Slot:
    """Where a value stands: after `before`, up to `back` bytes before a quote of the line or its end."""

    before: bytes
    name: str | None
    """The field of the contract that has this value; None for all others."""
    is_text: bool
    quote: int | None = None
    """Which of the line's quotes, from 0; None for the line's end."""
    back: int = 0


@dataclass(slots=True)
class Layout:
    """Where a line has its values."""

    quotes: int
    """Of a line."""
    slots: Sequence[Slot]
    after: bytes
    """What follows the last value."""
    is_plain: bool
    """Whether it names the contract's fields, each once, and has values in them of types that may be right."""


def layout_of(line: bytes) -> Layout | None:
    """The layout of a line; None where it is no object of JSON, or too long."""
    if len(line) > LONGEST_LOOK:
        return None
    try:
        raw = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(raw, dict):
        return None
    parser = _Parser(line)
    parser.run()
    return parser.layout(is_plain=_is_plain(raw) and len(parser.names) == len(raw))


def _is_plain(raw: dict[str, Any]) -> bool:
    if any(raw.get(name) is None for name in _NEEDED) or any(raw.get(name) is not None for name in _CARE):
        return False
    if sum(raw.get(name) is not None for name in _PEOPLE) != 1:
        return False
    return all(_suits(name, raw[name]) for name in FIELDS if raw.get(name) is not None)


def _suits(name: str, value: Any) -> bool:
    if name in _ANYTHING:
        return True
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if name == "timestamp":
        return is_number or isinstance(value, str)
    return is_number if name in AMOUNTS else isinstance(value, str)


class _Parser:
    """Takes a line of JSON apart that is known to be valid."""

    def __init__(self, line: bytes) -> None:
        self._line = line
        self._fixed = bytearray()
        self._slots: list[Slot] = []
        self._quotes = 0
        self._number: Slot | None = None
        """One of which it is not known yet which quote comes next."""
        self._number_end = 0
        self._containers = bytearray()
        self._is_name_next = False
        self._name: str | None = None
        """Of the last field of the record itself."""
        self.names: list[str] = []
        """Of the record's own fields, each as often as it stands there."""

    def run(self) -> None:
        """Go through the line."""
        for token in _TOKEN.finditer(self._line):
            mark = token[0]
            if mark[0] in _STRUCTURE:
                self._structure(mark)
            elif mark.startswith(b'"'):
                self._text(token)
            elif self._number or (mark == b"null" and self._name not in AMOUNTS):
                self._fixed += mark
            else:
                self._slot(b"", is_text=False)
                self._number, self._number_end = self._slots[-1], token.end()
        self._close_number(len(self._line), None)

    def _structure(self, mark: bytes) -> None:
        self._fixed += mark
        if mark in b"{[":
            self._containers += mark
        elif mark in b"]}":
            self._containers.pop()
        if mark in b"{[,":
            self._is_name_next = self._containers.endswith(b"{")

    def _text(self, token: re.Match[bytes]) -> None:
        self._close_number(token.start(), self._quotes)
        if self._is_name_next:
            self._fixed += token[0]
            if len(self._containers) == 1:
                self._name = str(msgspec.json.decode(token[0]))
                self.names.append(self._name)
        else:
            self._slot(b'"', is_text=True, quote=self._quotes + 1)
            self._fixed += b'"'
        self._is_name_next = False
        self._quotes += 2

    def _slot(self, mark: bytes, *, is_text: bool, quote: int | None = None) -> None:
        name = self._name if self._name in FIELDS and len(self._containers) == 1 else None
        if not is_text and name in _ANYTHING:
            name = None
        self._slots.append(Slot(bytes(self._fixed) + mark, name, is_text, quote))
        self._fixed.clear()

    def _close_number(self, at: int, quote: int | None) -> None:
        if self._number:
            self._number.quote, self._number.back = quote, at - self._number_end
            self._number = None

    def layout(self, *, is_plain: bool) -> Layout:
        """What was found."""
        return Layout(self._quotes, self._slots, bytes(self._fixed), is_plain)


def matching(
    layout: Layout, block: Block, lines: Positions, quotes: Positions, first: Positions
) -> tuple[Positions, list[SlotValues]]:
    """Which of some lines [n], which have as many quotes, have the layout [m], and where their values begin and end.

    `quotes` are the places of all quotes of the block, `first` says which of them is the first of each line [n].
    """
    left = np.arange(len(lines))
    at, ends = block.begins[lines], block.ends[lines]
    slots: list[SlotValues] = []
    for slot in layout.slots:
        has = _has(block.text, at, slot.before)
        begins = at + len(slot.before)
        at = (ends if slot.quote is None else quotes[first + slot.quote]) - slot.back
        if not slot.is_text:
            has &= at > begins
        slots.append((slot, begins, at))
        if not has.all():
            slots = _where(has, slots)
            left, at, ends, first = left[has], at[has], ends[has], first[has]
    has = _has(block.text, at, layout.after) & (at + len(layout.after) == ends)
    return left[has], slots if has.all() else _where(has, slots)


def _where(kept: NDArray[np.bool_], slots: Sequence[SlotValues]) -> list[SlotValues]:
    return [(slot, begins[kept], ends[kept]) for slot, begins, ends in slots]


def _has(text: NDArray[np.uint8], at: Positions, fixed: bytes) -> NDArray[np.bool_]:
    """Whether the text has these bytes at each place [m]."""
    size = len(fixed)
    if size < _WORD:
        mask = np.uint64((1 << 8 * size) - 1)
        short: NDArray[np.bool_] = (_words(text, 0)[at] & mask) == np.uint64(int.from_bytes(fixed, "little"))
        return short
    has = np.ones(len(at), np.bool_)
    for begin in (*range(0, size - _WORD, _WORD), size - _WORD):
        has &= _words(text, begin)[at] == np.uint64(int.from_bytes(fixed[begin : begin + _WORD], "little"))
    return has


def _words(text: NDArray[np.uint8], offset: int) -> NDArray[np.uint64]:
    """The 8 bytes that stand so far behind each place, of which the last have too few after them."""
    return np.ndarray(len(text) - _WORD + 1 - offset, "<u8", text, offset, strides=(1,))
