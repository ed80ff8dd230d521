"""Bodies as varints: they come back, and one that is not as long as it says is refused."""

import zlib
from dataclasses import replace

import numpy as np
import pytest

from shared.features.bodies import Body, BrokenState
from shared.features.stored_columns import COLUMNS, Numbers
from shared.features.varint import encode_varints
from shared.features.varint_bodies import read_varints, write_varints
from tests.features.stored_bodies import ROWS, bodies, plain, short

VERSIONS = np.full(2, COLUMNS[-1].since)


def inflated(body: Body) -> bytes:
    return zlib.decompress(body.content, wbits=-15) if body.deflated else body.content


def test_bodies_come_back() -> None:
    kept = write_varints(bodies())
    read = read_varints([*map(inflated, kept)], np.array([body.text_bytes for body in kept]), VERSIONS, ROWS)
    assert plain(read) == plain(bodies())


def test_a_body_is_deflated_where_that_makes_it_shorter() -> None:
    written = (*write_varints(short()), *write_varints(bodies()))
    assert [(body.packed, body.deflated) for body in written] == [(False, False), (False, True), (False, True)]


def test_a_column_that_an_older_version_lacks_is_nought() -> None:
    since_first = [at for at, column in enumerate(COLUMNS) if column.since == 1]
    older = replace(bodies(), numbers=Numbers(bodies().numbers.units, bodies().numbers.columns[: len(since_first)]))
    values = [1, 1, 1, 1, *(column[i] for column in older.numbers.columns for i in range(2)), 4]
    body = encode_varints(np.array(values, np.uint64))[0] + b"Hats"
    read = read_varints([body], np.array([4]), np.array([1]), np.array([2]))
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
            read_varints([encode_varints(values)[0]], np.array([0]), VERSIONS[:1], np.array([rows]))
