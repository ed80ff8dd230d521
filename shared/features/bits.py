"""Columns of whole numbers as few bits, for many profiles at once and without a step for each.

Of a profile each column has a width in bits, that of its largest number. Where few numbers need it, a column has a
narrower width as well, and a flag for each number that says which it is of (M. Zukowski et al., Super-Scalar RAM-CPU
Cache Compression, ICDE 2006); a width of 0 leaves out what is nought.

    columns   u16: which of them have any number but 0; u16: which of these have two widths
    widths    of each column that has any, u8; then the narrower ones of those that have two, u8
    flags     row after row, a bit for each column with two widths, then bits of 0 up to a whole byte
    numbers   row after row, of each column with its width, low bits first, then bits of 0 up to a whole byte
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.features.bodies import ranges
from shared.features.stored_columns import Ints

type Bytes = NDArray[np.uint8]
type Flags = NDArray[np.bool_]

MOST_COLUMNS = 16
WIDEST = 63
_MASKS_BYTES = 4
_PLACES = np.uint64(1) << np.arange(MOST_COLUMNS, dtype=np.uint64)
_LOW_BITS = (np.uint64(1) << np.arange(WIDEST + 1, dtype=np.uint64)) - np.uint64(1)
_EXACT = 1 << 53
_EXPONENT_SHIFT, _EXPONENT_OF_HALF = 52, 1022


@dataclass(frozen=True, slots=True)
class _Widths:
    """How wide the numbers of columns are, in bits [n_profiles, n_columns each]."""

    wide: Bytes
    narrow: Bytes
    """The same as `wide` where a column has but one width."""

    @property
    def some(self) -> Flags:
        """Which columns have any number but 0."""
        return self.wide > 0

    @property
    def two(self) -> Flags:
        """Which have two widths."""
        return self.narrow < self.wide


def pack(columns: Sequence[Ints], rows: Ints) -> tuple[bytes, Ints]:
    """The columns of all profiles, of which profile i has the next rows[i] numbers of each, from 0 and below 2**63.

    Returns the bytes of all, one profile after the other, and how many each has [n_profiles].
    """
    table = np.empty((len(columns[0]), len(columns)), np.int64)
    for j, column in enumerate(columns):
        table[:, j] = column
    sizes = _bit_lengths(table)
    owner = np.repeat(np.arange(len(rows)), rows)
    widths = _widths(sizes, rows, owner)
    flagged = sizes > widths.narrow[owner]
    parts = [
        _heads(widths),
        _packed_flags(flagged, widths, rows, owner),
        _packed_numbers(table, np.where(flagged, widths.wide[owner], widths.narrow[owner]), rows),
    ]
    return _interleaved(parts)


def unpack(stream: Bytes, begins: Ints, rows: Ints, n_columns: int) -> tuple[list[Ints], Ints]:
    """What was packed, of profiles whose bytes begin at `begins` in `stream`, with so many rows [n_profiles each].

    Returns the columns [n_rows each], and where the bytes of each profile end [n_profiles]. Raises IndexError where
    they end beyond the stream, or say what `pack` never does.
    """
    widths, at = _read_heads(stream, begins, n_columns)
    owner = np.repeat(np.arange(len(rows)), rows)
    flagged, at = _read_flags(stream, at, widths, rows, owner)
    sizes = np.where(flagged, widths.wide[owner], widths.narrow[owner])
    table, at = _read_numbers(stream, at, sizes, rows)
    return [*table.T], at


def _bit_lengths(table: Ints) -> Bytes:
    """In how many bits each number fits [same shape]."""
    if int(table.max(initial=0)) >= _EXACT:
        high = _bit_lengths(table >> 32)
        return np.where(high > 0, high + np.uint8(32), _bit_lengths(table & 0xFFFFFFFF))
    exponents = table.astype(np.float64).view(np.int64) >> _EXPONENT_SHIFT
    sizes: Bytes = np.maximum(exponents - _EXPONENT_OF_HALF, 0).astype(np.uint8)
    return sizes


def _widths(sizes: Bytes, rows: Ints, owner: Ints) -> _Widths:
    """Those by which each column of each profile takes the fewest bits; `sizes` are of numbers [n_rows, n_columns]."""
    shape = (len(rows), sizes.shape[1])
    widths = _Widths(np.zeros(shape, np.uint8), np.zeros(shape, np.uint8))
    for j, most in enumerate(sizes.max(axis=0, initial=0).tolist()):
        if not most:
            continue
        cells = np.bincount(owner * (most + 1) + sizes[:, j], minlength=len(rows) * (most + 1))
        fitting = cells.reshape(-1, most + 1).cumsum(axis=1)
        wide = (fitting < rows[:, None]).sum(axis=1)
        bits = fitting * (np.arange(most + 1) - wide[:, None])  # but for what all have alike: rows * (1 + wide)
        narrow = bits.argmin(axis=1)
        one_width = bits.min(axis=1) >= -rows
        widths.wide[:, j] = wide
        widths.narrow[:, j] = np.where(one_width, wide, narrow)
    return widths


# ---- To bytes --------------------------------------------------------------------------------------------------------


def _heads(widths: _Widths) -> tuple[Bytes, Ints]:
    places = _PLACES[: widths.wide.shape[1]]
    masks = np.column_stack([widths.some @ places, widths.two @ places]).astype("<u2")
    parts = np.concatenate([masks.view(np.uint8), widths.wide, widths.narrow], axis=1)
    kept = np.concatenate([np.ones((len(parts), _MASKS_BYTES), bool), widths.some, widths.two], axis=1)
    return parts[kept], kept.sum(axis=1)


def _packed_flags(flagged: Flags, widths: _Widths, rows: Ints, owner: Ints) -> tuple[Bytes, Ints]:
    counts = widths.two.sum(axis=1) * rows
    sizes = (counts + 7) // 8
    bits = np.zeros(8 * sizes.sum(), np.uint8)
    bits[ranges(8 * (np.cumsum(sizes) - sizes), counts)] = flagged[widths.two[owner]]
    return np.packbits(bits, bitorder="little"), sizes


def _packed_numbers(table: Ints, sizes: Bytes, rows: Ints) -> tuple[Bytes, Ints]:
    filled, position, own_bytes = _positions(sizes, rows)
    value = table.ravel()[filled].view(np.uint64)
    words = np.zeros(own_bytes.sum() // 8 + 2, np.uint64)
    word, shift = position >> 6, (position & 63).view(np.uint64)
    opens = np.flatnonzero(word[1:] != word[:-1]) + 1
    opens = np.concatenate(([0], opens)) if len(word) else opens
    words[word[opens]] = np.bitwise_or.reduceat(value << shift, opens) if len(opens) else 0
    beyond = value >> np.uint64(1) >> (np.uint64(63) - shift)
    over = np.flatnonzero(beyond)
    words[word[over] + 1] |= beyond[over]  # of each word one number at most goes on in the next
    return words.astype("<u8").view(np.uint8)[: own_bytes.sum()], own_bytes


def _interleaved(parts: Sequence[tuple[Bytes, Ints]]) -> tuple[bytes, Ints]:
    """Of every profile its bytes of each of the parts, in their order, and how many it has."""
    table = np.column_stack([sizes for _, sizes in parts])
    begins = np.cumsum(table).reshape(table.shape) - table
    out = np.empty(table.sum(), np.uint8)
    for j, (content, sizes) in enumerate(parts):
        out[ranges(begins[:, j], sizes)] = content
    return out.tobytes(), table.sum(axis=1)


# ---- From bytes ------------------------------------------------------------------------------------------------------


def _read_heads(stream: Bytes, begins: Ints, n_columns: int) -> tuple[_Widths, Ints]:
    """The widths, and where what follows them begins [n_profiles]."""
    masks = [stream[begins + i] | stream[begins + i + 1].astype(np.uint64) << np.uint64(8) for i in (0, 2)]
    some, two = (mask[:, None] & _PLACES[:n_columns] != 0 for mask in masks)
    if (masks[0] >> np.uint64(n_columns)).any() or (masks[1] & ~masks[0]).any():
        raise IndexError("columns that there are not")
    wide = np.zeros(some.shape, np.uint8)
    at = begins + _MASKS_BYTES
    counts = some.sum(axis=1)
    wide[some] = stream[ranges(at, counts)]
    narrow = wide.copy()
    at = at + counts
    counts = two.sum(axis=1)
    narrow[two] = stream[ranges(at, counts)]
    if wide.max(initial=0) > WIDEST or (wide[some] == 0).any() or (narrow[two] >= wide[two]).any():
        raise IndexError("widths that there are not")
    return _Widths(wide, narrow), at + counts


def _read_flags(stream: Bytes, begins: Ints, widths: _Widths, rows: Ints, owner: Ints) -> tuple[Flags, Ints]:
    """Whether each number is of the wider width [n_rows, n_columns], and where what follows begins [n_profiles]."""
    two = widths.two
    counts = two.sum(axis=1) * rows
    at = ranges(8 * begins, counts)
    flagged = two[owner]
    flagged[flagged] = stream[at >> 3] >> (at & 7).astype(np.uint8) & np.uint8(1)
    return flagged, begins + (counts + 7) // 8


def _read_numbers(stream: Bytes, begins: Ints, sizes: Bytes, rows: Ints) -> tuple[Ints, Ints]:
    """The numbers [n_rows, n_columns], and where their bytes end [n_profiles]."""
    filled, position, own_bytes = _positions(sizes, rows, begins)
    if (begins + own_bytes > len(stream)).any():
        raise IndexError("numbers beyond the end")
    words = np.zeros(len(stream) // 8 + 2, "<u8")
    words.view(np.uint8)[: len(stream)] = stream
    word, shift = position >> 6, (position & 63).view(np.uint64)
    value = words[word] >> shift | words[word + 1] << np.uint64(1) << (np.uint64(63) - shift)
    table = np.zeros(sizes.shape, np.int64)
    table.ravel()[filled] = (value & _LOW_BITS[sizes.ravel()[filled]]).view(np.int64)
    return table, begins + own_bytes


# ---- Both ways -------------------------------------------------------------------------------------------------------


def _positions(sizes: Bytes, rows: Ints, begins: Ints | None = None) -> tuple[Ints, Ints, Ints]:
    """Which numbers of a table have any bits, where these are, and the bytes of each profile, which begin at `begins`
    or follow each other; `sizes` are of all numbers [n_rows, n_columns]."""
    each = sizes.ravel()
    filled = np.flatnonzero(each)
    ends = np.cumsum(each[filled], dtype=np.int64)
    bounds = np.searchsorted(filled, np.concatenate(([0], np.cumsum(rows))) * sizes.shape[1])
    bits = np.concatenate(([0], ends))[bounds]
    own_bytes = (np.diff(bits) + 7) // 8
    starts = np.cumsum(own_bytes) - own_bytes if begins is None else begins
    return filled, ends - each[filled] + np.repeat(8 * starts - bits[:-1], np.diff(bounds)), own_bytes
