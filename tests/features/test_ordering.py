"""One order of rows, and each event once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.features.columns import Rows
from shared.features.ordering import FINGERPRINT_BITS, each_once, in_order, packed
from tests.features.histories import folded

KEYS = st.tuples(st.integers(0, 3), st.integers(0, 2**41), st.integers(0, 2**FINGERPRINT_BITS - 1))


@given(st.lists(KEYS, max_size=20))
def test_rows_stand_by_owner_time_and_fingerprint(rows: list[tuple[int, int, int]]) -> None:
    owner, time_ms, fingerprint = (np.array(column, np.int64) for column in zip(*[*rows, (0, 0, 0)], strict=True))
    order = in_order(owner, time_ms, fingerprint.astype(np.uint64))
    assert [(int(owner[i]), int(time_ms[i]), int(fingerprint[i])) for i in order] == sorted([*rows, (0, 0, 0)])


def test_of_rows_of_one_event_the_latest_stands() -> None:
    three = Rows.concatenate([row(seconds) for seconds in (5, 9, 7)])
    owner, once = each_once(np.zeros(3, np.int64), three)
    assert (owner.tolist(), once.time_ms.tolist()) == ([0], [9_000])


def test_what_does_not_fit_in_one_sort_key_says_so() -> None:
    with pytest.raises(OverflowError, match="use smaller batches"):
        packed(np.array([2**30]), np.array([2**40]))


def row(seconds: int) -> Rows:
    return folded([{"customer_id": "a", "event_type": "page_view", "timestamp": seconds, "event_id": "e"}]).rows
