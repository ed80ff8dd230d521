"""Bodies of stored profiles as varints, deflated: the form of long histories, and before version 3 of all.

    numbers  UNITS, number of categories, number of attributes, COLUMNS of `rows` values each, then those of the texts
    texts

Before version 3 there were no attributes, nor a number of them.
"""

import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shared.features.bodies import Bodies, Body, Layout, demand, ranges, read_texts
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


def write_varints(bodies: Bodies) -> list[Body]:
    """The body of each profile [n_profiles], deflated where that makes it shorter."""
    return [_body(values, texts) for values, texts in zip(_varints(bodies), bodies.texts(), strict=True)]


def read_varints(inflated: list[bytes], text_bytes: Ints, versions: Ints, rows: Ints) -> Bodies:
    """What `write_varints` was given, of profiles of these versions, with so many rows and bytes of texts [n_profiles
    each]; `inflated` is what was deflated.

    Raises BrokenState, and IndexError where a body ends too early.
    """
    value_ends = [len(body) - size for body, size in zip(inflated, text_bytes.tolist(), strict=True)]
    demand(np.array(value_ends) > 0)
    values, starts = decode_varints([body[:end] for body, end in zip(inflated, value_ends, strict=True)])
    lead = _LEAD_OF[versions]
    demand(np.diff(starts, append=len(values)) >= lead)
    categories = values[starts + len(UNITS)].astype(np.int64)
    attributes = np.where(versions < _ATTRIBUTES_SINCE, 0, values[starts + lead - 1].astype(np.int64))
    layout = Layout(starts, lead + _COLUMNS_OF[versions] * rows, categories, attributes)
    layout.check(len(values))
    texts = [body[end:] for body, end in zip(inflated, value_ends, strict=True)]
    names, stored = read_texts(values, layout, texts)
    units = [values[starts + i].astype(np.int64) for i in range(len(UNITS))]
    return Bodies(Numbers(units, _columns(values, starts, versions, rows)), rows, names, categories, stored)


def _varints(bodies: Bodies) -> list[list[bytes]]:
    """Of each profile all values: in one part, or of a long one in a part for each column."""
    # Every value of every profile in one array, so that one call encodes them all.
    versions = np.full(len(bodies.rows), COLUMNS[-1].since)
    before = _LEAD_OF[versions] + _COLUMNS_OF[versions] * bodies.rows
    layout = Layout.following(before, bodies.categories, bodies.attributes.counts)
    bounds = np.append(layout.starts, layout.sizes.sum())
    values = np.empty(bounds[-1], np.uint64)
    for i, lead in enumerate([*bodies.numbers.units, bodies.categories, bodies.attributes.counts]):
        values[layout.starts + i] = lead
    positions = _column_positions(layout.starts, versions, bodies.rows)
    for at, column in zip(positions, bodies.numbers.columns, strict=True):
        values[at] = column
    for at, numbers in zip(layout.text_positions(), bodies.text_numbers(), strict=True):
        values[at] = numbers
    stream, byte_ends = encode_varints(values)

    byte_starts = np.concatenate(([0], byte_ends))
    cuts = np.column_stack([byte_starts[bounds[:-1]], byte_starts[bounds[1:]]]).tolist()
    for long in np.flatnonzero(bodies.rows >= _LONG):
        column_ends = bounds[long] + _LEAD + bodies.rows[long] * np.arange(1, len(COLUMNS))
        cuts[long][1:1] = byte_starts[column_ends].tolist()
    return [[stream[begin:end] for begin, end in pairwise(own)] for own in cuts]


def _body(values: Sequence[bytes], texts: bytes) -> Body:
    parts = [*values[:-1], values[-1] + texts]
    plain, deflated = b"".join(parts), _deflated(parts)
    smaller = len(deflated) < len(plain)
    return Body(deflated if smaller else plain, False, smaller, len(texts))


def _deflated(parts: list[bytes]) -> bytes:
    """The parts as one stream, in which each has its own table of codes."""
    deflate = zlib.compressobj(level=6, wbits=-15)
    out = [deflate.compress(parts[0])]
    for part in parts[1:]:
        out += [deflate.flush(zlib.Z_SYNC_FLUSH), deflate.compress(part)]
    return b"".join([*out, deflate.flush()])


def _columns(values: NDArray[np.uint64], starts: Ints, versions: Ints, rows: Ints) -> list[Ints]:
    """What is stored of each of COLUMNS [n_rows each]; 0 where a profile is of a version without it."""
    columns: list[Ints] = []
    oldest = versions.min()
    for column, at in zip(COLUMNS, _column_positions(starts, versions, rows), strict=True):
        if column.since <= oldest:
            columns.append(values[at].astype(np.int64))
        else:
            known = np.flatnonzero(np.repeat(versions, rows) >= column.since)
            columns.append(np.zeros(len(at), np.int64))
            columns[-1][known] = values[at[known]]
    return columns


def _column_positions(starts: Ints, versions: Ints, rows: Ints) -> Iterator[Ints]:
    """Of each of COLUMNS in turn, where its values are [n_rows each]; of one that a profile lacks, where not."""
    first, step = ranges(starts + _LEAD_OF[versions], rows), np.repeat(rows, rows)
    for i in range(len(COLUMNS)):
        yield first + i * step
