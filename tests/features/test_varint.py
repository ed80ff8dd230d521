"""Whole numbers as runs of bytes, and back."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shared.features.varint import decode_varints, encode_varints, unzigzag, zigzag


@given(st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=30), min_size=1, max_size=5))
def test_varints_come_back(parts: list[list[int]]) -> None:
    values, starts = decode_varints([encode_varints(np.array(part, np.uint64))[0] for part in parts])
    assert values.tolist() == [value for part in parts for value in part]
    assert starts.tolist() == np.cumsum([0, *map(len, parts[:-1])]).tolist()


@given(st.lists(st.integers(-(2**61), 2**61)))
def test_zigzag_comes_back(values: list[int]) -> None:
    assert unzigzag(zigzag(np.array(values, np.int64)).astype(np.int64)).tolist() == values
