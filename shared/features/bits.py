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
from typing import NamedTuple

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
_WORD = 64
"""Bits of one. What goes into one together is put together there, row by row, before it is shifted to its place."""
_LENGTHS = np.repeat(np.arange(17, dtype=np.uint8), [1, *(1 << np.arange(16))])
"""In how many bits each number below 2**16 fits."""


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

    def of_rows(self, rows: Ints) -> _RowWidths:
        """Those of each row, of profiles with so many rows [n_profiles]."""
        further = self.wide - self.narrow
        return _RowWidths(*([np.repeat(column, rows) for column in part.T] for part in (self.narrow, further)))


@dataclass(frozen=True, slots=True)
class _RowWidths:
    """How wide the numbers of each row are, in bits: of each column [n_rows]."""

    narrow: list[Bytes]
    further: list[Bytes]
    """How many bits more a flagged one takes; 0 where a column has but one width."""

    def of_flags(self) -> list[Bytes]:
        """How many bits the flags take."""
        return [(further > 0).view(np.uint8) for further in self.further]

    def of_numbers(self, flags: Sequence[Bytes]) -> list[Bytes]:
        """How many bits the numbers take, of which are flagged those with a 1."""
        parts = zip(self.narrow, self.further, flags, strict=True)
        return [narrow + further * flag if further.any() else narrow for narrow, further, flag in parts]


def pack(columns: Sequence[Ints], rows: Ints) -> tuple[bytes, Ints]:
    """The columns of all profiles, of which profile i has the next rows[i] numbers of each, from 0 and below 2**63.

    Each has at least one. Returns the bytes of all, one profile after the other, and how many each has [n_profiles].
    """
    lengths = [_bit_lengths(column) for column in columns]
    widths = _widths(lengths, rows)
    own = widths.of_rows(rows)
    flags = [(length > narrow).view(np.uint8) for length, narrow in zip(lengths, own.narrow, strict=True)]
    parts = [
        _heads(widths),
        _packed(flags, own.of_flags(), rows),
        _packed(columns, own.of_numbers(flags), rows),
    ]
    return _interleaved(parts)


def unpack(stream: Bytes, begins: Ints, rows: Ints, n_columns: int) -> tuple[list[Ints], Ints]:
    """What was packed, of profiles whose bytes begin at `begins` in `stream`, with so many rows [n_profiles each].

    Returns the columns [n_rows each], and where the bytes of each profile end [n_profiles]. Raises IndexError where
    they end beyond the stream, or say what `pack` never does.
    """
    widths, at = _read_heads(stream, begins, n_columns)
    own = widths.of_rows(rows)
    flags, at = _read(stream, at, own.of_flags(), rows)
    return _read(stream, at, own.of_numbers([column.astype(np.uint8) for column in flags]), rows)


def _bit_lengths(column: Ints) -> Bytes:
    """In how many bits each number fits [n]."""
    if int(column.max(initial=0)) < len(_LENGTHS):
        return _LENGTHS[column]
    high = _bit_lengths(column >> 16)
    return np.where(high > 0, high + np.uint8(16), _LENGTHS[column & 0xFFFF])


def _widths(lengths: Sequence[Bytes], rows: Ints) -> _Widths:
    """Those by which each column of each profile takes the fewest bits; `lengths` are of the numbers of columns."""
    owner = np.repeat(np.arange(len(rows)), rows)
    shape = (len(rows), len(lengths))
    widths = _Widths(np.zeros(shape, np.uint8), np.zeros(shape, np.uint8))
    starts = np.cumsum(rows) - rows
    for j, own in enumerate(lengths):
        most = int(own.max(initial=0))
        if not most:
            continue
        wide = np.maximum.reduceat(own, starts)
        cells = np.bincount(owner * (most + 1) + own, minlength=len(rows) * (most + 1))
        fitting = cells.reshape(-1, most + 1).cumsum(axis=1)
        bits = fitting * (np.arange(most + 1) - wide[:, None])  # but for what all have alike: rows * (1 + wide)
        narrow = bits.argmin(axis=1)
        one_width = bits[np.arange(len(rows)), narrow] >= -rows
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


def _packed(columns: Sequence[Ints | Bytes], sizes: Sequence[Bytes], rows: Ints) -> tuple[Bytes, Ints]:
    """The numbers in so many bits each, row after row, and how many bytes each profile has."""
    shared = _shared_words(sizes)
    position, own_bytes = _positions(shared, rows)
    value = np.column_stack([_joined([(columns[j], sizes[j]) for j in word.columns]) for word in shared]).ravel()
    words = np.zeros(own_bytes.sum() // 8 + 2, np.uint64)
    word = position >> 6
    shift = (position & 63).view(np.uint64)
    opens = np.flatnonzero(word[1:] != word[:-1]) + 1
    opens = np.concatenate(([0], opens)) if len(word) else opens
    words[word[opens]] = np.bitwise_or.reduceat(value << shift, opens) if len(opens) else 0
    beyond = value >> np.uint64(1) >> (np.uint64(63) - shift)
    over = np.flatnonzero(beyond)
    words[word[over] + 1] |= beyond[over]  # of each word one number at most goes on in the next
    return words.astype("<u8").view(np.uint8)[: own_bytes.sum()], own_bytes


def _joined(parts: Sequence[tuple[Ints | Bytes, Bytes]]) -> NDArray[np.uint64]:
    """The numbers of each row, in so many bits each, as one, the first one's bits the lowest [n_rows]."""
    joined = np.zeros(len(parts[0][0]), np.uint64)
    filled = np.zeros(len(joined), np.uint8)
    for column, size in parts:
        joined |= column.astype(np.uint64) << filled
        filled += size
    return joined


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


def _read(stream: Bytes, begins: Ints, sizes: Sequence[Bytes], rows: Ints) -> tuple[list[Ints], Ints]:
    """The columns of numbers in so many bits each, and where their bytes end [n_profiles]."""
    shared = _shared_words(sizes)
    position, own_bytes = _positions(shared, rows, begins)
    if (begins + own_bytes > len(stream)).any():
        raise IndexError("numbers beyond the end")
    words = np.zeros(len(stream) // 8 + 2, "<u8")
    words.view(np.uint8)[: len(stream)] = stream
    at = position >> 6
    shift = (position & 63).view(np.uint64)
    values = words[at] >> shift | words[at + 1] << np.uint64(1) << (np.uint64(63) - shift)
    columns: list[Ints] = []
    for word, left in zip(shared, values.reshape(-1, len(shared)).T, strict=True):
        for j in word.columns:
            columns.append((left & _LOW_BITS[sizes[j]]).view(np.int64))
            left = left >> sizes[j]
    return columns, begins + own_bytes


# ---- Both ways -------------------------------------------------------------------------------------------------------


class _SharedWord(NamedTuple):
    """Columns whose numbers go into 64 bits together, in every row."""

    columns: list[int]
    sizes: Bytes
    """How many bits they take [n_rows]."""


def _shared_words(sizes: Sequence[Bytes]) -> list[_SharedWord]:
    """The columns, one after the other, in as few words as hold them; `sizes` are in bits."""
    words: list[_SharedWord] = []
    for j, size in enumerate(sizes):
        together = words[-1].sizes + size if words else size
        if words and int(together.max(initial=0)) <= _WORD:
            words[-1] = _SharedWord([*words[-1].columns, j], together)
        else:
            words.append(_SharedWord([j], size))
    return words


def _positions(shared: Sequence[_SharedWord], rows: Ints, begins: Ints | None = None) -> tuple[Ints, Ints]:
    """Where in bits the words of each row are, row after row, and the bytes of each profile, which begin at `begins` or
    follow each other."""
    each = np.column_stack([word.sizes for word in shared]).ravel()
    ends = np.cumsum(each, dtype=np.int64)
    bounds = np.concatenate(([0], np.cumsum(rows))) * len(shared)
    bits = np.concatenate(([0], ends))[bounds]
    own_bytes = (np.diff(bits) + 7) // 8
    starts = np.cumsum(own_bytes) - own_bytes if begins is None else begins
    return ends - each + np.repeat(8 * starts - bits[:-1], np.diff(bounds)), own_bytes
