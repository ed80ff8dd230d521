"""Lines of CSV as columns of texts, where each is a record of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.events.blocks import Block
from shared.events.event import FIELDS
from shared.events.plain import Lines
from shared.events.texts import Positions, Texts

_COMMA, _QUOTE = b',"'


def csv_columns(block: Block, header: Sequence[str]) -> Lines:
    """The values of the lines that could be taken apart: those whose quotes, if any, hold whole values without quotes.

    Lines count for records, as if none began inside of a value in quotes.
    """
    odd, _ = block.odd()
    text = block.text[: block.stops[-1]]
    commas, quotes = np.flatnonzero(text == _COMMA), np.flatnonzero(text == _QUOTE)
    if len(quotes):
        inside, wrong = _quoted(block, commas, quotes)
        commas = commas[~inside]
        odd[wrong] = True
    first = np.searchsorted(commas, block.begins)
    plain = ~odd & (np.diff(first, append=len(commas)) == len(header) - 1)
    at = np.flatnonzero(plain)
    texts: dict[str, Texts] = {}
    for name in FIELDS:
        if name in header:
            column = header.index(name)
            begins = block.begins[at] if column == 0 else commas[first[at] + column - 1] + 1
            ends = block.ends[at] if column == len(header) - 1 else commas[first[at] + column]
            if len(quotes):
                quoted = block.text[begins] == _QUOTE
                begins, ends = begins + quoted, ends - quoted
            texts[name] = _spread(begins, ends - begins, at, block)
    return Lines(texts, plain, np.zeros(len(block), np.bool_))


def _spread(begins: Positions, sizes: Positions, at: Positions, block: Block) -> Texts:
    """Texts of the lines `at`, and empty ones of all others."""
    if len(at) == len(block):
        return Texts(begins, sizes, block.text)
    all_begins, all_sizes = np.zeros(len(block), np.int64), np.zeros(len(block), np.int64)
    all_begins[at], all_sizes[at] = begins, sizes
    return Texts(all_begins, all_sizes, block.text)


def _quoted(block: Block, commas: Positions, quotes: Positions) -> tuple[NDArray[np.bool_], Positions]:
    """Which commas stand in quotes, and the lines with a quote that is not around a whole value."""
    first = np.searchsorted(quotes, block.begins)
    lines = block.line_of(quotes)
    opens = (np.arange(len(quotes)) - first[lines]) % 2 == 0
    before, after = block.text[quotes - 1], block.text[quotes + 1]
    begins, ends = quotes == block.begins[lines], quotes + 1 == block.ends[lines]
    right = np.where(opens, begins | (before == _COMMA), ends | (after == _COMMA))
    last = np.append(lines[1:] != lines[:-1], [True])
    wrong = lines[~right | (opens & last)]
    inside = (np.searchsorted(quotes, commas) - first[block.line_of(commas)]) % 2 == 1
    return inside, wrong
