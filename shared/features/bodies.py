"""The bodies of stored profiles: all numbers of their rows as varints, with the names of their categories, deflated."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.features.stored_columns import COLUMNS, UNITS, Ints, Numbers, columns_of
from shared.features.varint import decode_varints, encode_varints

_LEAD = len(UNITS) + 1
"""Values of a body before its columns."""
_COLUMNS_OF = np.array([columns_of(version) for version in range(COLUMNS[-1].since + 1)])
_LONG = 1_000
"""Rows from which on each column is worth a table of codes of its own: up to 4 % fewer bytes."""


class BrokenState(ValueError):
    """The bytes are none that this encoding wrote."""


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


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the values of all profiles are in one array, profile by profile: _LEAD of each, columns, name lengths."""

    starts: Ints
    """Of each profile's first value [n_profiles]."""
    rows: Ints
    columns: Ints
    categories: Ints
    """How many of these each profile has [n_profiles each]."""

    @property
    def sizes(self) -> Ints:
        """How many values each profile has [n_profiles]."""
        return _LEAD + self.columns * self.rows + self.categories

    @property
    def lead(self) -> Ints:
        """Positions of what comes before the columns [n_profiles, _LEAD]."""
        return self.starts[:, None] + np.arange(_LEAD)

    def column_positions(self) -> Iterator[Ints]:
        """Of each of COLUMNS in turn, where its values are [n_rows each]; of one that a profile lacks, where not."""
        first, step = _ranges(self.starts + _LEAD, self.rows), np.repeat(self.rows, self.rows)
        for i in range(len(COLUMNS)):
            yield first + i * step

    @property
    def name_lengths(self) -> Ints:
        """Positions of the lengths of category names [n_categories]."""
        return _ranges(self.starts + _LEAD + self.columns * self.rows, self.categories)


class Body(NamedTuple):
    """One profile's."""

    content: bytes
    deflated: bool
    """Whether it is, which it is where that makes it shorter."""
    name_bytes: int
    """Bytes of the names of its categories, which stand at the end of what was deflated."""


def write_bodies(bodies: Bodies) -> list[Body]:
    """The body of each profile [n_profiles]."""
    ends = np.cumsum(bodies.categories)
    bounds = zip((ends - bodies.categories).tolist(), ends.tolist(), strict=True)
    return [
        _body(values, b"".join(bodies.names[begin:end]))
        for values, (begin, end) in zip(_varints(bodies), bounds, strict=True)
    ]


def read_bodies(inflated: list[bytes], name_bytes: Ints, versions: Ints, rows: Ints) -> Bodies:
    """What `write_bodies` was given, of profiles of these versions, with so many rows and bytes of names [n_profiles
    each]; `inflated` is what was deflated.

    Raises BrokenState, and IndexError where a body ends too early.
    """
    value_ends = [len(body) - size for body, size in zip(inflated, name_bytes.tolist(), strict=True)]
    demand(np.array(value_ends) > 0)
    values, starts = decode_varints([body[:end] for body, end in zip(inflated, value_ends, strict=True)])
    layout = _layout(values, starts, versions, rows)
    name_lengths = values[layout.name_lengths].astype(np.int64)
    demand(_sums(name_lengths, layout.categories) == name_bytes)
    names = cut(b"".join(body[end:] for body, end in zip(inflated, value_ends, strict=True)), name_lengths)
    units = [values[starts + i].astype(np.int64) for i in range(len(UNITS))]
    return Bodies(Numbers(units, _columns(values, layout, versions)), rows, names, layout.categories)


def demand(whole: NDArray[np.bool_]) -> None:
    """Raises BrokenState unless all is as it should be."""
    if not whole.all():
        raise BrokenState("a profile's state is broken: its parts are not as long as it says")


def cut(joined: bytes, sizes: Ints) -> list[bytes]:
    """`joined` in parts of these sizes."""
    ends = np.cumsum(sizes)
    return [joined[begin:end] for begin, end in zip((ends - sizes).tolist(), ends.tolist(), strict=True)]


def _varints(bodies: Bodies) -> list[list[bytes]]:
    """Of each profile all values: in one part, or of a long one in a part for each column."""
    # Every value of every profile in one array, so that one call encodes them all.
    sizes = _LEAD + len(COLUMNS) * bodies.rows + bodies.categories
    bounds = np.concatenate(([0], np.cumsum(sizes)))
    layout = _Layout(bounds[:-1], bodies.rows, np.full(len(bodies.rows), len(COLUMNS)), bodies.categories)
    values = np.empty(bounds[-1], np.uint64)
    values[layout.lead] = np.column_stack([*bodies.numbers.units, bodies.categories])
    for at, column in zip(layout.column_positions(), bodies.numbers.columns, strict=True):
        values[at] = column
    values[layout.name_lengths] = list(map(len, bodies.names))
    stream, byte_ends = encode_varints(values)

    byte_starts = np.concatenate(([0], byte_ends))
    cuts = np.column_stack([byte_starts[bounds[:-1]], byte_starts[bounds[1:]]]).tolist()
    for long in np.flatnonzero(bodies.rows >= _LONG):
        column_ends = bounds[long] + _LEAD + bodies.rows[long] * np.arange(1, len(COLUMNS))
        cuts[long][1:1] = byte_starts[column_ends].tolist()
    return [[stream[begin:end] for begin, end in pairwise(own)] for own in cuts]


def _body(values: list[bytes], names: bytes) -> Body:
    parts = [*values[:-1], values[-1] + names]
    plain, deflated = b"".join(parts), _deflated(parts)
    smaller = len(deflated) < len(plain)
    return Body(deflated if smaller else plain, smaller, len(names))


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
    demand(sizes >= _LEAD)
    categories = values[starts + len(UNITS)].astype(np.int64)
    layout = _Layout(starts, rows, _COLUMNS_OF[versions], categories)
    demand((categories >= 0) & (sizes == layout.sizes))
    return layout


def _columns(values: NDArray[np.uint64], layout: _Layout, versions: Ints) -> list[Ints]:
    """What is stored of each of COLUMNS [n_rows each]; 0 where a profile is of a version without it."""
    columns: list[Ints] = []
    oldest = versions.min()
    for column, at in zip(COLUMNS, layout.column_positions(), strict=True):
        if column.since <= oldest:
            columns.append(values[at].astype(np.int64))
        else:
            known = np.flatnonzero(np.repeat(versions, layout.rows) >= column.since)
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
