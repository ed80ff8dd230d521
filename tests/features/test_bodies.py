"""The bodies of stored profiles: they come back, and one that is not as long as it says is refused."""

import zlib
from dataclasses import replace

import numpy as np
import pytest

from shared.features.bodies import Bodies, Body, BrokenState, StoredAttributes, read_bodies, write_bodies
from shared.features.stored_columns import COLUMNS, UNITS, Numbers
from shared.features.varint import encode_varints

ROWS = np.array([2, 1_000])
VERSIONS = np.full(2, COLUMNS[-1].since)


def bodies(rows: np.ndarray = ROWS) -> Bodies:
    columns = [np.arange(rows.sum()) % (i + 2) for i in range(len(COLUMNS))]
    units = [*np.arange(1, 1 + len(rows) * len(UNITS)).reshape(-1, len(rows))]
    known = StoredAttributes(np.array([0, 2]), np.array([6, 2**41 + 1]), [b"born", b"tier"], [b"1987", b'"gold"'])
    return Bodies(Numbers(units, columns), rows, [b"Hats", "Überzug".encode(), b"Tea"], np.array([1, 2]), known)


def inflated(body: Body) -> bytes:
    return zlib.decompress(body.content, wbits=-15) if body.deflated else body.content


def test_bodies_come_back() -> None:
    expected = bodies()
    kept = write_bodies(expected)
    read = read_bodies([*map(inflated, kept)], np.array([body.text_bytes for body in kept]), VERSIONS, ROWS)
    np.testing.assert_array_equal(read.numbers.units, expected.numbers.units)
    np.testing.assert_array_equal(read.numbers.columns, expected.numbers.columns)
    assert (read.names, read.categories.tolist()) == (expected.names, [1, 2])
    mine, theirs = expected.attributes, read.attributes
    assert (theirs.names, theirs.values) == (mine.names, mine.values)
    assert (theirs.counts.tolist(), theirs.said.tolist()) == (mine.counts.tolist(), mine.said.tolist())


def test_a_body_is_deflated_where_that_makes_it_shorter() -> None:
    numbers = Numbers([*np.ones((3, 1), np.int64)], [*np.arange(len(COLUMNS))[:, None]])
    short = Bodies(numbers, np.array([1]), [b"Hats"], np.array([1]), StoredAttributes.none(1))
    assert [body.deflated for body in (*write_bodies(short), *write_bodies(bodies()))] == [False, True, True]


def test_a_column_that_an_older_version_lacks_is_nought() -> None:
    since_first = [at for at, column in enumerate(COLUMNS) if column.since == 1]
    older = replace(bodies(), numbers=Numbers(bodies().numbers.units, bodies().numbers.columns[: len(since_first)]))
    values = [1, 1, 1, 1, *(column[i] for column in older.numbers.columns for i in range(2)), 4]
    body = encode_varints(np.array(values, np.uint64))[0] + b"Hats"
    read = read_bodies([body], np.array([4]), np.array([1]), np.array([2]))
    known, unknown = read.numbers.columns[: len(since_first)], read.numbers.columns[len(since_first) :]
    assert [column.tolist() for column in known] == [c[:2].tolist() for c in older.numbers.columns]
    assert [column.tolist() for column in unknown] == [[0, 0]] * (len(COLUMNS) - len(since_first))
    assert read.attributes.counts.tolist() == [0]


@pytest.mark.parametrize("many", [2, 2**62, 2**63, 2**64 - 10])
@pytest.mark.parametrize("attributes", [False, True])
def test_a_body_that_is_not_as_long_as_it_says_is_refused(many: int, attributes: bool) -> None:
    listed = [0, many] if attributes else [many, 0]
    values = np.array([1, 1, 1, *listed, *[0] * (len(COLUMNS) + 1)], np.uint64)
    for rows in (1, 2):
        with pytest.raises(BrokenState):
            read_bodies([encode_varints(values)[0]], np.array([0]), VERSIONS[:1], np.array([rows]))
