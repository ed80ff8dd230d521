"""The bodies of stored profiles: all their numbers as varints, and their texts, deflated.

    numbers  UNITS, number of categories, number of attributes, COLUMNS of `rows` values each, lengths of the names of
             categories, and of attributes the lengths of names, the lengths of values, and when each was said
    texts    names of categories, names of attributes, values of attributes

Before version 3 there were no attributes, nor a number of them.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.features.stored_columns import COLUMNS, UNITS, Ints, Numbers, columns_of
from shared.features.varint import decode_varints, encode_varints

_ATTRIBUTES_SINCE = 3
_LEAD = len(UNITS) + 2
"""Values of a body before its columns."""
_VERSIONS = range(COLUMNS[-1].since + 1)
_COLUMNS_OF = np.array([columns_of(version) for version in _VERSIONS])
_LEAD_OF = np.array([_LEAD - (version < _ATTRIBUTES_SINCE) for version in _VERSIONS])
_LONG = 1_000
"""Rows from which on each column is worth a table of codes of its own: up to 4 % fewer bytes."""


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
    def none(cls, profiles: int) -> "StoredAttributes":
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


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the values of all profiles are in one array, profile by profile."""

    starts: Ints
    """Of each profile's first value [n_profiles]."""
    versions: Ints
    rows: Ints
    categories: Ints
    attributes: Ints
    """How many of these each profile has [n_profiles each]."""

    @property
    def sizes(self) -> Ints:
        """How many values each profile has [n_profiles]."""
        columns = _COLUMNS_OF[self.versions] * self.rows
        return _LEAD_OF[self.versions] + columns + self.categories + 3 * self.attributes

    def column_positions(self) -> Iterator[Ints]:
        """Of each of COLUMNS in turn, where its values are [n_rows each]; of one that a profile lacks, where not."""
        first, step = _ranges(self.starts + _LEAD_OF[self.versions], self.rows), np.repeat(self.rows, self.rows)
        for i in range(len(COLUMNS)):
            yield first + i * step

    def text_positions(self) -> Iterator[Ints]:
        """Where the lengths of category names are [n_categories], then of attributes' names, of their values, and the
        numbers of when they were said [n_attributes each]."""
        begins = self.starts + _LEAD_OF[self.versions] + _COLUMNS_OF[self.versions] * self.rows
        yield _ranges(begins, self.categories)
        for i in range(3):
            yield _ranges(begins + self.categories + i * self.attributes, self.attributes)


class Body(NamedTuple):
    """One profile's."""

    content: bytes
    deflated: bool
    """Whether it is, which it is where that makes it shorter."""
    text_bytes: int
    """Bytes of the texts, which stand at the end of what was deflated."""


def write_bodies(bodies: Bodies) -> list[Body]:
    """The body of each profile [n_profiles]."""
    attributes = bodies.attributes
    texts = zip(
        _joined(bodies.names, bodies.categories),
        _joined(attributes.names, attributes.counts),
        _joined(attributes.values, attributes.counts),
        strict=True,
    )
    return [_body(values, b"".join(own)) for values, own in zip(_varints(bodies), texts, strict=True)]


def read_bodies(inflated: list[bytes], text_bytes: Ints, versions: Ints, rows: Ints) -> Bodies:
    """What `write_bodies` was given, of profiles of these versions, with so many rows and bytes of texts [n_profiles
    each]; `inflated` is what was deflated.

    Raises BrokenState, and IndexError where a body ends too early.
    """
    value_ends = [len(body) - size for body, size in zip(inflated, text_bytes.tolist(), strict=True)]
    demand(np.array(value_ends) > 0)
    values, starts = decode_varints([body[:end] for body, end in zip(inflated, value_ends, strict=True)])
    layout = _layout(values, starts, versions, rows)
    *lengths, said = (values[at].astype(np.int64) for at in layout.text_positions())
    counts = (layout.categories, layout.attributes, layout.attributes)
    sizes = [_sums(each, own) for each, own in zip(lengths, counts, strict=True)]
    demand(np.sum(sizes, axis=0) == text_bytes)
    ends = np.cumsum([value_ends, *sizes], axis=0).astype(np.int64).tolist()
    names, of_names, of_values = (
        cut(b"".join(body[begin:end] for body, begin, end in zip(inflated, begins, own_ends, strict=True)), each)
        for (begins, own_ends), each in zip(pairwise(ends), lengths, strict=True)
    )
    units = [values[starts + i].astype(np.int64) for i in range(len(UNITS))]
    numbers = Numbers(units, _columns(values, layout))
    attributes = StoredAttributes(layout.attributes, said, of_names, of_values)
    return Bodies(numbers, rows, names, layout.categories, attributes)


def demand(whole: NDArray[np.bool_]) -> None:
    """Raises BrokenState unless all is as it should be."""
    if not whole.all():
        raise BrokenState("a profile's state is broken: its parts are not as long as it says")


def cut(joined: bytes, sizes: Ints) -> list[bytes]:
    """`joined` in parts of these sizes."""
    ends = np.cumsum(sizes)
    return [joined[begin:end] for begin, end in zip((ends - sizes).tolist(), ends.tolist(), strict=True)]


def _joined(texts: list[bytes], counts: Ints) -> list[bytes]:
    """The first counts[0] of `texts` in one, then the next counts[1], and so on [n_profiles]."""
    ends = np.cumsum(counts)
    return [b"".join(texts[begin:end]) for begin, end in zip((ends - counts).tolist(), ends.tolist(), strict=True)]


def _varints(bodies: Bodies) -> list[list[bytes]]:
    """Of each profile all values: in one part, or of a long one in a part for each column."""
    # Every value of every profile in one array, so that one call encodes them all.
    versions = np.full(len(bodies.rows), COLUMNS[-1].since)
    attributes = bodies.attributes
    layout = _Layout(np.zeros(0, np.int64), versions, bodies.rows, bodies.categories, attributes.counts)
    bounds = np.concatenate(([0], np.cumsum(layout.sizes)))
    layout = _Layout(bounds[:-1], versions, bodies.rows, bodies.categories, attributes.counts)
    values = np.empty(bounds[-1], np.uint64)
    for i, lead in enumerate([*bodies.numbers.units, bodies.categories, attributes.counts]):
        values[layout.starts + i] = lead
    for at, column in zip(layout.column_positions(), bodies.numbers.columns, strict=True):
        values[at] = column
    lengths = [list(map(len, texts)) for texts in (bodies.names, attributes.names, attributes.values)]
    for at, numbers in zip(layout.text_positions(), [*lengths, attributes.said], strict=True):
        values[at] = numbers
    stream, byte_ends = encode_varints(values)

    byte_starts = np.concatenate(([0], byte_ends))
    cuts = np.column_stack([byte_starts[bounds[:-1]], byte_starts[bounds[1:]]]).tolist()
    for long in np.flatnonzero(bodies.rows >= _LONG):
        column_ends = bounds[long] + _LEAD + bodies.rows[long] * np.arange(1, len(COLUMNS))
        cuts[long][1:1] = byte_starts[column_ends].tolist()
    return [[stream[begin:end] for begin, end in pairwise(own)] for own in cuts]


def _body(values: list[bytes], texts: bytes) -> Body:
    parts = [*values[:-1], values[-1] + texts]
    plain, deflated = b"".join(parts), _deflated(parts)
    smaller = len(deflated) < len(plain)
    return Body(deflated if smaller else plain, smaller, len(texts))


def _deflated(parts: list[bytes]) -> bytes:
    """The parts as one stream, in which each has its own table of codes."""
    deflate = zlib.compressobj(level=6, wbits=-15)
    out = [deflate.compress(parts[0])]
    for part in parts[1:]:
        out += [deflate.flush(zlib.Z_SYNC_FLUSH), deflate.compress(part)]
    return b"".join([*out, deflate.flush()])


def _layout(values: NDArray[np.uint64], starts: Ints, versions: Ints, rows: Ints) -> _Layout:
    """Where the values are, if there are as many of each profile as it says."""
    sizes = np.diff(starts, append=len(values))
    demand(sizes >= _LEAD_OF[versions])
    categories = values[starts + len(UNITS)].astype(np.int64)
    attributes = np.where(versions < _ATTRIBUTES_SINCE, 0, values[starts + _LEAD_OF[versions] - 1].astype(np.int64))
    layout = _Layout(starts, versions, rows, categories, attributes)
    demand((categories >= 0) & (attributes >= 0) & (np.maximum(categories, attributes) <= sizes))
    demand(sizes == layout.sizes)
    return layout


def _columns(values: NDArray[np.uint64], layout: _Layout) -> list[Ints]:
    """What is stored of each of COLUMNS [n_rows each]; 0 where a profile is of a version without it."""
    columns: list[Ints] = []
    oldest = layout.versions.min()
    for column, at in zip(COLUMNS, layout.column_positions(), strict=True):
        if column.since <= oldest:
            columns.append(values[at].astype(np.int64))
        else:
            known = np.flatnonzero(np.repeat(layout.versions, layout.rows) >= column.since)
            columns.append(np.zeros(len(at), np.int64))
            columns[-1][known] = values[at[known]]
    return columns


def _ranges(begins: Ints, counts: Ints) -> Ints:
    """begins[i], begins[i] + 1, … counts[i] of them, for every i in turn."""
    offsets = np.cumsum(counts) - counts
    return np.repeat(begins - offsets, counts) + np.arange(counts.sum())


def _sums(values: Ints, counts: Ints) -> NDArray[np.float64]:
    """The sum of the first counts[0] of `values`, of the next counts[1], and so on [n_profiles]."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return np.bincount(owner, values, minlength=len(counts))
