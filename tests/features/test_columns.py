"""The columns of events: of one length, taken and joined together."""

import numpy as np

from shared.durations import DAY_MS, HOUR_MS
from shared.features import columns as module
from shared.features.columns import CHANNELS, COLUMN_TYPES, DEVICES, EVENT_TYPES, Rows


def rows(*times: int) -> Rows:
    return Rows(**{name: np.array(times, dtype) for name, dtype in COLUMN_TYPES.items()})


def test_names_stand_at_the_codes_that_stand_for_them() -> None:
    assert EVENT_TYPES[module.PURCHASE] == "purchase"
    assert EVENT_TYPES[module.IDENTIFY] == "identify"
    assert (DEVICES[module.UNKNOWN_DEVICE], DEVICES[module.OTHER_DEVICE]) == ("unknown", "other")
    assert (CHANNELS[module.UNKNOWN_CHANNEL], CHANNELS[module.OTHER_CHANNEL]) == ("unknown", "other")
    assert DAY_MS == 24 * HOUR_MS


def test_columns_come_in_the_order_of_their_types() -> None:
    empty = Rows.empty()
    assert [column.dtype for column in empty.columns()] == [np.dtype(dtype) for dtype in COLUMN_TYPES.values()]
    assert len(empty) == 0


def test_rows_are_taken_by_position_mask_or_slice() -> None:
    three = rows(5, 6, 7)
    for at in (np.array([0, 2]), np.array([True, False, True]), slice(0, 3, 2)):
        assert all(column.tolist() == [5, 7] for column in three.take(at).columns())


def test_rows_are_joined_in_their_order() -> None:
    assert Rows.concatenate([rows(5), rows(), rows(7, 6)]).time_ms.tolist() == [5, 7, 6]
    assert len(Rows.concatenate([])) == 0
