"""Columns of numbers as few bits, and back."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.features.bits import MOST_COLUMNS, pack, unpack

_numbers = st.one_of(st.just(0), st.integers(0, 3), st.integers(0, 2**63 - 1))


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Any], Any]:
    rows = draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    n = sum(rows)
    column = st.one_of(st.just([0] * n), st.lists(_numbers, min_size=n, max_size=n))
    columns = draw(st.lists(column, min_size=1, max_size=MOST_COLUMNS))
    return [np.array(each, np.int64) for each in columns], np.array(rows)


@given(tables(), st.binary(max_size=3), st.binary(max_size=3))
def test_columns_come_back_from_wherever_they_stand(table: tuple[list[Any], Any], before: bytes, after: bytes) -> None:
    columns, rows = table
    packed, sizes = pack(columns, rows)
    begins = len(before) + np.cumsum(sizes) - sizes
    read, ends = unpack(np.frombuffer(before + packed + after, np.uint8), begins, rows, len(columns))
    assert [column.tolist() for column in read] == [column.tolist() for column in columns]
    assert ends.tolist() == (begins + sizes).tolist()


@given(tables())
def test_a_profile_has_the_bytes_that_it_has_alone(table: tuple[list[Any], Any]) -> None:
    columns, rows = table
    packed, sizes = pack(columns, rows)
    ends = np.cumsum(rows)
    alone = [
        pack([column[end - count : end] for column in columns], np.array([count]))[0]
        for count, end in zip(rows.tolist(), ends.tolist(), strict=True)
    ]
    assert (packed, sizes.tolist()) == (b"".join(alone), [*map(len, alone)])


@pytest.mark.parametrize(
    ("column", "size"),
    [
        ([0] * 80, 4),  # which columns there are
        ([1] * 80, 4 + 1 + 10),  # and one width
        ([7] * 80, 4 + 1 + 30),
        ([0] * 79 + [2**40], 4 + 2 + 10 + 6),  # two widths, a flag each, and 41 bits
        ([1] * 79 + [2**40], 4 + 2 + 10 + 15),
    ],
)
def test_few_wide_numbers_do_not_make_all_wide(column: list[int], size: int) -> None:
    packed, _ = pack([np.array(column)], np.array([80]))
    assert len(packed) == size


@pytest.mark.parametrize(
    "stream", [b"", b"\1", b"\4\0\0\0\1", b"\0\0\1\0", b"\1\0\0\0\x40", b"\1\0\0\0\0", b"\1\0\1\0\1\1", b"\1\0\0\0\3"]
)
def test_what_is_never_packed_is_refused(stream: bytes) -> None:
    with pytest.raises(IndexError):
        unpack(np.frombuffer(stream, np.uint8), np.array([0]), np.array([1]), 2)
