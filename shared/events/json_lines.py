"""Lines of JSON as columns of texts, where they look alike."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.events.blocks import Block
from shared.events.layouts import Layout, Slot, layout_of, matching
from shared.events.plain import Lines
from shared.events.texts import Positions, Texts
from shared.events.values import numbers

FEWEST_ALIKE = 32
"""Lines with as many quotes, below which the search for a layout costs more than it saves."""
_MOST_LAYOUTS = 64
"""That are looked for in a block."""
_MOST_LOOKS = 8
"""At each line: with more, it would be as fast to parse it."""
_QUOTE, _BACKSLASH = b'"\\'
_FILLED = ("customer_id", "anonymous_id", "currency")
"""Fields that are wrong where they are empty; all others are then as good as absent, or looked at elsewhere."""
_decode_text = msgspec.json.Decoder(str).decode


def json_columns(block: Block, known: Sequence[Layout]) -> tuple[Lines, list[Layout]]:
    """The values of the lines that could be taken apart, by the layouts `known` and others; and all that were met."""
    taker = _Taker(block)
    met = taker.take(known)
    return taker.lines(), met


class _Taker:
    def __init__(self, block: Block) -> None:
        self._block = block
        self._odd, self._backslashes = block.odd()
        self._quotes = np.flatnonzero(block.text[: block.stops[-1]] == _QUOTE)
        if len(self._backslashes):
            self._odd[block.line_of(self._doubled())] = True
            # One with a backslash before it is part of a text.
            self._quotes = self._quotes[block.text[self._quotes - 1] != _BACKSLASH]
        self._first = np.searchsorted(self._quotes, block.begins)
        self._counts = np.diff(self._first, append=len(self._quotes))
        self._texts: dict[str, Texts] = {}
        self._usual = np.zeros(len(block), np.bool_)
        self._numeric = np.zeros(len(block), np.bool_)
        self._decoded = bytearray()
        self._looks = 0
        """How many lines were compared with layouts so far."""

    def take(self, known: Sequence[Layout]) -> list[Layout]:
        """Takes lines apart by the layouts `known` and, as long as many lines are left, others; gives those met."""
        met: list[tuple[int, Layout]] = []
        left = np.flatnonzero(~self._odd)
        for layout in known:
            if self._looks > _MOST_LOOKS * len(self._block):
                break
            left, before = self._without(layout, left), len(left)
            met.append((before - len(left), layout))
        counts = self._counts[left]
        left = left[np.bincount(counts, minlength=1)[counts] >= FEWEST_ALIKE]
        for _ in range(_MOST_LAYOUTS):
            if not len(left) or self._looks > _MOST_LOOKS * len(self._block):
                break
            new, before = layout_of(self._block.line(int(left[0]))), len(left)
            if new is not None:
                left = self._without(new, left)
                met.append((before - len(left), new))
            if len(left) == before:
                left = left[1:]
        met.sort(key=lambda lines_and_layout: -lines_and_layout[0])
        return [layout for lines, layout in met[:_MOST_LAYOUTS] if lines]

    def lines(self) -> Lines:
        """What was found, in one buffer."""
        buffer = self._block.text
        if self._decoded:
            buffer = np.concatenate((buffer, np.frombuffer(bytes(self._decoded) + bytes(8), np.uint8)))
        texts = {name: Texts(texts.begins, texts.sizes, buffer) for name, texts in self._texts.items()}
        return Lines(texts, self._usual, self._numeric)

    def _doubled(self) -> Positions:
        """Backslashes that another one follows."""
        doubled: Positions = self._backslashes[self._block.text[self._backslashes + 1] == _BACKSLASH]
        return doubled

    def _without(self, layout: Layout, lines: Positions) -> Positions:
        """Takes in the values of those lines that have the layout, and gives the others."""
        places = np.flatnonzero(self._counts[lines] == layout.quotes)
        alike = lines[places]
        self._looks += len(alike)
        at, slots = matching(layout, self._block, alike, self._quotes, self._first[alike])
        own = alike[at]
        if layout.is_plain and len(at):
            right = np.ones(len(at), np.bool_)
            for slot, begins, ends in slots:
                right &= self._take_slot(slot, Texts(begins, ends - begins, self._block.text), own)
            self._usual[own] = right
        return np.delete(lines, places[at])

    def _take_slot(self, slot: Slot, values: Texts, lines: Positions) -> NDArray[np.bool_] | bool:
        """Takes in the values of some lines [m]; gives which of them JSON and the contract allow there [m]."""
        right: NDArray[np.bool_] | bool = True
        if slot.is_text and len(self._backslashes):
            right = self._unescape(values)
        if slot.name is None:
            return right if slot.is_text else _are_scalars(values)
        if len(lines) == len(self._block):
            self._texts[slot.name] = values
        else:
            texts = self._texts.setdefault(slot.name, values.none(len(self._block)))
            texts.begins[lines], texts.sizes[lines] = values.begins, values.sizes
        if slot.name == "timestamp":
            self._numeric[lines] = not slot.is_text
        return right & (values.sizes > 0) if slot.name in _FILLED else right

    def _unescape(self, values: Texts) -> NDArray[np.bool_]:
        """Decodes the texts that hold backslashes, in place, and gives which are texts of JSON."""
        right = np.ones(len(values), np.bool_)
        ends = values.begins + values.sizes
        first, last = (np.searchsorted(self._backslashes, bounds) for bounds in (values.begins, ends))
        at = np.flatnonzero(first < last)
        if len(at):
            positions, which = values.take(at).distinct()
            decoded = [self._decode(values.bytes_at(int(position))) for position in at[positions].tolist()]
            bounds = np.array([bounds or (0, 0) for bounds in decoded])[which]
            right[at] = np.array([bounds is not None for bounds in decoded])[which]
            values.begins[at], values.sizes[at] = bounds.T
        return right

    def _decode(self, text: bytes) -> tuple[int, int] | None:
        """Keeps what JSON means by a text, and gives where; None where it means nothing."""
        try:
            plain = _decode_text(b'"' + text + b'"').encode()
        except ValueError:
            return None
        begin = len(self._block.text) + len(self._decoded)
        self._decoded += plain
        return begin, len(plain)


def _are_scalars(values: Texts) -> NDArray[np.bool_]:
    """Which are numbers, truth values or null, as JSON writes them [m]."""
    are_truths: NDArray[np.bool_] = values.each(lambda text: text in ("true", "false"))
    return are_truths | ~np.isnan(numbers(values, 0.0))
