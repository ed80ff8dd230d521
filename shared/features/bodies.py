"""What the bodies of stored profiles hold, in whichever of two forms they are written.

`packed_bodies` has the form of short histories, and of long ones where it takes fewer bytes; `varint_bodies` the other,
which was the only one before version 3. Both end with the same numbers and with all texts: names of categories, names
of attributes, values of attributes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.features.stored_columns import Ints, Numbers


class BrokenState(ValueError):
    """The bytes are none that this encoding wrote."""


@dataclass(frozen=True, slots=True)
class StoredAttributes:
    """The attributes of many profiles, one profile after the other."""

    counts: Ints
    """How many each profile has [n_profiles]."""
    said: Ints
    """A number for when each was said [n_attributes]."""
    names: list[bytes]
    values: list[bytes]

    @classmethod
    def none(cls, profiles: int) -> StoredAttributes:
        """No attributes."""
        return cls(np.zeros(profiles, np.int64), np.zeros(0, np.int64), [], [])


@dataclass(frozen=True, slots=True)
class Bodies:
    """What the bodies of many profiles hold."""

    numbers: Numbers
    rows: Ints
    """How many rows each profile has [n_profiles]."""
    names: list[bytes]
    """Of the categories, profile by profile."""
    categories: Ints
    """How many names each profile has [n_profiles]."""
    attributes: StoredAttributes

    def take(self, at: Ints) -> Bodies:
        """Those of the profiles at the positions `at`."""
        known = self.attributes
        rows, names, said = (ranges(_begins(each)[at], each[at]) for each in (self.rows, self.categories, known.counts))
        numbers = Numbers([unit[at] for unit in self.numbers.units], [column[rows] for column in self.numbers.columns])
        attributes = StoredAttributes(
            known.counts[at],
            known.said[said],
            [known.names[i] for i in said.tolist()],
            [known.values[i] for i in said.tolist()],
        )
        named = [self.names[i] for i in names.tolist()]
        return Bodies(numbers, self.rows[at], named, self.categories[at], attributes)

    def followed_by(self, other: Bodies) -> Bodies:
        """Those of these profiles, and then those of others."""
        mine, theirs = self.attributes, other.attributes
        pairs = zip(self.numbers.columns, other.numbers.columns, strict=True)
        units = zip(self.numbers.units, other.numbers.units, strict=True)
        return Bodies(
            Numbers([np.concatenate(each) for each in units], [np.concatenate(each) for each in pairs]),
            np.concatenate((self.rows, other.rows)),
            self.names + other.names,
            np.concatenate((self.categories, other.categories)),
            StoredAttributes(
                np.concatenate((mine.counts, theirs.counts)),
                np.concatenate((mine.said, theirs.said)),
                mine.names + theirs.names,
                mine.values + theirs.values,
            ),
        )

    def texts(self) -> list[bytes]:
        """All texts of each profile in a row [n_profiles]."""
        attributes = self.attributes
        parts = [
            _joined(self.names, self.categories),
            _joined(attributes.names, attributes.counts),
            _joined(attributes.values, attributes.counts),
        ]
        return list(map(b"".join, zip(*parts, strict=True)))

    def text_numbers(self) -> list[Sequence[int] | Ints]:
        """The numbers that come with the texts: lengths of category names [n_categories], then of attributes' names, of
        their values, and when they were said [n_attributes each]."""
        attributes = self.attributes
        return [*(list(map(len, t)) for t in (self.names, attributes.names, attributes.values)), attributes.said]


class Body(NamedTuple):
    """One profile's."""

    content: bytes
    packed: bool
    """Which of the two forms it has."""
    deflated: bool
    text_bytes: int
    """Bytes of the texts, which stand at the end, or at the end of what was deflated."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the numbers of all profiles are in one array, profile by profile."""

    starts: Ints
    """Of each profile's first [n_profiles]."""
    before: Ints
    """How many each profile has before those of its texts."""
    categories: Ints
    attributes: Ints
    """How many of these each profile has [n_profiles each]."""

    @classmethod
    def following(cls, before: Ints, categories: Ints, attributes: Ints) -> Layout:
        """Of profiles that follow each other."""
        sizes = before + categories + 3 * attributes
        return cls(_begins(sizes), before, categories, attributes)

    @property
    def sizes(self) -> Ints:
        """How many numbers each profile has [n_profiles]."""
        return self.before + self.categories + 3 * self.attributes

    def text_positions(self) -> Iterator[Ints]:
        """Where the numbers are that come with the texts, in the order of `Bodies.text_numbers`."""
        begins = self.starts + self.before
        yield ranges(begins, self.categories)
        for i in range(3):
            yield ranges(begins + self.categories + i * self.attributes, self.attributes)

    def check(self, n_values: int) -> None:
        """Raises BrokenState unless there are as many numbers, of each profile and of all."""
        sizes = np.diff(self.starts, append=n_values)
        demand(
            (self.categories >= 0) & (self.attributes >= 0) & (self.categories <= sizes) & (self.attributes <= sizes)
        )
        demand(sizes == self.sizes)


def read_texts(
    values: NDArray[np.uint64], layout: Layout, texts: Sequence[bytes]
) -> tuple[list[bytes], StoredAttributes]:
    """The names of all categories, and the attributes; `texts` are of each profile all in a row. Raises BrokenState."""
    *lengths, said = (values[at].astype(np.int64) for at in layout.text_positions())
    counts = (layout.categories, layout.attributes, layout.attributes)
    sizes = np.array([_sums(each, own) for each, own in zip(lengths, counts, strict=True)], np.int64)
    demand((sizes.sum(axis=0) == list(map(len, texts))) & (sizes >= 0).all(axis=0))
    if not layout.attributes.any():
        return cut(b"".join(texts), lengths[0]), StoredAttributes.none(len(texts))
    ends = np.cumsum(sizes, axis=0)
    begins = ends - sizes
    parts = [
        cut(
            b"".join(own[begin:end] for own, begin, end in zip(texts, first.tolist(), last.tolist(), strict=True)), each
        )
        for first, last, each in zip(begins, ends, lengths, strict=True)
    ]
    return parts[0], StoredAttributes(layout.attributes, said, parts[1], parts[2])


def demand(whole: NDArray[np.bool_]) -> None:
    """Raises BrokenState unless all is as it should be."""
    if not whole.all():
        raise BrokenState("a profile's state is broken: its parts are not as long as it says")


def cut(joined: bytes, sizes: Ints) -> list[bytes]:
    """`joined` in parts of these sizes."""
    ends = np.cumsum(sizes)
    return [joined[begin:end] for begin, end in zip((ends - sizes).tolist(), ends.tolist(), strict=True)]


def ranges(begins: Ints, counts: Ints) -> Ints:
    """begins[i], begins[i] + 1, … counts[i] of them, for every i in turn."""
    offsets = np.cumsum(counts) - counts
    return np.repeat(begins - offsets, counts) + np.arange(counts.sum())


def _begins(counts: Ints) -> Ints:
    return np.cumsum(counts) - counts


def _joined(texts: list[bytes], counts: Ints) -> list[bytes]:
    """The first counts[0] of `texts` in one, then the next counts[1], and so on [n_profiles]."""
    if not len(texts):
        return [b""] * len(counts)
    ends = np.cumsum(counts)
    return [b"".join(texts[begin:end]) for begin, end in zip((ends - counts).tolist(), ends.tolist(), strict=True)]


def _sums(values: Ints, counts: Ints) -> NDArray[np.float64]:
    """The sum of the first counts[0] of `values`, of the next counts[1], and so on [n_profiles]."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return np.bincount(owner, values, minlength=len(counts))
