"""Many texts as one run of bytes, so that they are hashed and compared by the column and not one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_WORD = 8
_AT_ONCE = 8_192
"""Texts hashed at once: few enough for what is in between to stay in the processor's cache."""
_SLOT_BITS = 16
"""Of the table in which equal texts find each other, at most, for the same reason."""
_MASKS = np.array([(1 << 8 * size) - 1 for size in range(_WORD + 1)], np.uint64)
_LENGTH_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_LAST_SHIFT = np.uint64(31)

type Hashes = NDArray[np.uint64]
type Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Texts:
    """A column of texts in UTF-8 [n]."""

    begins: Positions
    """Where each begins in `buffer`."""
    sizes: Positions
    """Bytes of each."""
    buffer: NDArray[np.uint8]
    """All bytes, and a word of zeros after them."""

    def __len__(self) -> int:
        return len(self.begins)

    @classmethod
    def of(cls, texts: Sequence[str]) -> Texts:
        """Python's texts as a column."""
        data, sizes = "".join(texts).encode(), np.fromiter(map(len, texts), np.int64, len(texts))
        if len(data) != sizes.sum():
            sizes = np.fromiter((len(text.encode()) for text in texts), np.int64, len(texts))
        return cls.joined(np.frombuffer(data, np.uint8), np.concatenate(([0], np.cumsum(sizes))))

    @classmethod
    def joined(cls, data: NDArray[np.uint8], bounds: Positions) -> Texts:
        """Texts that follow each other in `data`, which is copied; text i is data[bounds[i]:bounds[i + 1]]."""
        return cls(bounds[:-1].copy(), np.diff(bounds), np.concatenate((data, np.zeros(_WORD, np.uint8))))

    @classmethod
    def none(cls, count: int) -> Texts:
        """So many empty texts."""
        return cls(np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(_WORD, np.uint8))

    def take(self, at: Positions) -> Texts:
        """The texts at the positions `at` [m]."""
        return Texts(self.begins[at], self.sizes[at], self.buffer)

    def where(self, kept: NDArray[np.bool_]) -> Texts:
        """The texts where `kept` is set, and empty ones elsewhere [n]."""
        return Texts(self.begins, np.where(kept, self.sizes, 0), self.buffer)

    def filled(self, others: Texts) -> Texts:
        """The same where they are not empty, and the `others` [n], of the same buffer, where they are."""
        filled = self.sizes > 0
        begins, sizes = np.where(filled, self.begins, others.begins), np.where(filled, self.sizes, others.sizes)
        return Texts(begins, sizes, max(self.buffer, others.buffer, key=len))

    def bytes_at(self, at: int) -> bytes:
        """The bytes of one text."""
        return self.buffer[self.begins[at] : self.begins[at] + self.sizes[at]].tobytes()

    def tolist(self) -> list[str]:
        """As Python's texts."""
        data, begins, ends = self.buffer.data, self.begins.tolist(), (self.begins + self.sizes).tolist()
        return [str(data[begin:end], "utf-8") for begin, end in zip(begins, ends, strict=True)]

    def hashes(self) -> Hashes:
        """64 bits of each text, the same everywhere and for ever, as stored states hold some of them [n].

        Starting from the number of bytes times 2**64 / golden ratio, each 8 bytes of the text, little-endian and filled
        up with zeros, are xored in and mixed by the finaliser of SplitMix64 (G. Steele, D. Lea and C. Flood, Fast
        Splittable Pseudorandom Number Generators, OOPSLA 2014), which no two numbers share the outcome of: texts of one
        length up to 8 bytes never collide.
        """
        out = self.sizes.astype(np.uint64) * _LENGTH_FACTOR
        for begin in range(0, len(self), _AT_ONCE):
            part = slice(begin, begin + _AT_ONCE)
            sizes, hashed = self.sizes[part], out[part]
            at: slice | Positions = slice(None)
            for offset in range(0, int(sizes.max(initial=0)), _WORD):
                if (sizes <= offset).any():
                    at = np.flatnonzero(sizes > offset)
                hashed[at] = _mixed(hashed[at] ^ self._words(self.begins[part][at], sizes[at], offset))
        return out

    def distinct(self) -> tuple[Positions, Positions]:
        """Positions of one of each different text [n_distinct], and which of these each text equals [n]."""
        short = self._words(self.begins, self.sizes, 0) if self.sizes.max(initial=0) <= _WORD else None
        hashes = self.hashes() if short is None else _mixed(short ^ self.sizes.astype(np.uint64) * _LENGTH_FACTOR)
        left = np.arange(len(self))
        # Twice as many slots as texts, but so few that they stay in the processor's cache.
        like, stands = left.copy(), np.empty(1 << min(_SLOT_BITS, len(self).bit_length() + 1), np.int64)
        while len(left):
            # Whichever of those that share a slot was put there last stands for all that equal it.
            slots = (hashes & np.uint64(len(stands) - 1)).astype(np.int64)
            stands[slots] = left
            standing = stands[slots]
            if short is None:
                equal = self._equal(left, standing)
            else:
                equal = (short[left] == short[standing]) & (self.sizes[left] == self.sizes[standing])
            if equal.all():
                like[left] = standing
                break
            like[left[equal]] = standing[equal]
            left, hashes = left[~equal], hashes[~equal] >> np.uint64(_SLOT_BITS // 2)
        positions = np.flatnonzero(like == np.arange(len(self)))
        rank = np.empty(len(self), np.int64)
        rank[positions] = np.arange(len(positions))
        return positions, rank[like]

    def each[T: (int, float)](self, value: Callable[[str], T]) -> NDArray[Any]:
        """What `value` gives for each text, asked once for each different one [n]."""
        if not self.sizes.any():  # as where the file has no such column
            return np.full(len(self), value(""))
        positions, which = self.distinct()
        values: NDArray[Any] = np.array([value(text) for text in self.take(positions).tolist()])[which]
        return values

    def _equal(self, a: Positions, b: Positions) -> NDArray[np.bool_]:
        sizes = self.sizes[a]
        equal: NDArray[np.bool_] = sizes == self.sizes[b]
        a, b = self.begins[a], self.begins[b]
        for offset in range(0, int(sizes.max(initial=0)), _WORD):
            at = np.flatnonzero(equal & (sizes > offset))
            equal[at] = self._words(a[at], sizes[at], offset) == self._words(b[at], sizes[at], offset)
        return equal

    def _words(self, begins: Positions, sizes: Positions, offset: int) -> Hashes:
        """The 8 bytes from `offset` on of texts that are longer, with zeros for what is beyond their ends."""
        everywhere = np.ndarray(len(self.buffer) - _WORD + 1 - offset, "<u8", self.buffer, offset, strides=(1,))
        words: Hashes = everywhere[begins]
        left = sizes - offset
        if left.min(initial=_WORD) < _WORD:
            words &= _MASKS[np.minimum(left, _WORD)]
        return words


def _mixed(numbers: Hashes) -> Hashes:
    for shift, factor in _MIX:
        numbers ^= numbers >> np.uint64(shift)
        numbers *= np.uint64(factor)
    numbers ^= numbers >> _LAST_SHIFT
    return numbers
