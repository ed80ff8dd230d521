"""The bodies of stored profiles: they come back, and one that is not as long as it says is refused."""

import zlib
from dataclasses import replace

import numpy as np
import pytest

from shared.features.bodies import Bodies, Body, BrokenState, read_bodies, write_bodies
from shared.features.stored_columns import COLUMNS, UNITS, Numbers
from shared.features.varint import encode_varints

ROWS = np.array([2, 1_000])
VERSIONS = np.full(2, COLUMNS[-1].since)


def bodies(rows: np.ndarray = ROWS) -> Bodies:
    columns = [np.arange(rows.sum()) % (i + 2) for i in range(len(COLUMNS))]
    units = [*np.arange(1, 1 + len(rows) * len(UNITS)).reshape(-1, len(rows))]
    return Bodies(Numbers(units, columns), rows, [b"Hats", "Überzug".encode(), b"Tea"], np.array([1, 2]))


def inflated(body: Body) -> bytes:
    return zlib.decompress(body.content, wbits=-15) if body.deflated else body.content


def test_bodies_come_back() -> None:
    expected = bodies()
    kept = write_bodies(expected)
    read = read_bodies([*map(inflated, kept)], np.array([body.name_bytes for body in kept]), VERSIONS, ROWS)
    np.testing.assert_array_equal(read.numbers.units, expected.numbers.units)
    np.testing.assert_array_equal(read.numbers.columns, expected.numbers.columns)
    assert (read.names, read.categories.tolist()) == (expected.names, [1, 2])


def test_a_body_is_deflated_where_that_makes_it_shorter() -> None:
    short = Bodies(
        Numbers([*np.ones((3, 1), np.int64)], [*np.arange(11)[:, None]]), np.array([1]), [b"Hats"], np.array([1])
    )
    assert [body.deflated for body in (*write_bodies(short), *write_bodies(bodies()))] == [False, True, True]


def test_a_column_that_an_older_version_lacks_is_nought() -> None:
    older = replace(bodies(), numbers=Numbers(bodies().numbers.units, bodies().numbers.columns[:-1]))
    values = [1, 1, 1, 1, *(column[i] for column in older.numbers.columns for i in range(2)), 4]
    body = encode_varints(np.array(values, np.uint64))[0] + b"Hats"
    read = read_bodies([body], np.array([4]), np.array([1]), np.array([2]))
    assert [column.tolist() for column in read.numbers.columns[:-1]] == [c[:2].tolist() for c in older.numbers.columns]
    assert read.numbers.columns[-1].tolist() == [0, 0]


@pytest.mark.parametrize("categories", [2, 2**63, 2**64 - 10])
def test_a_body_that_is_not_as_long_as_it_says_is_refused(categories: int) -> None:
    values = np.array([1, 1, 1, categories, *[0] * (len(COLUMNS) + 1)], np.uint64)
    for rows in (1, 2):
        with pytest.raises(BrokenState):
            read_bodies([encode_varints(values)[0]], np.array([0]), VERSIONS[:1], np.array([rows]))
