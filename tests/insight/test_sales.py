from pathlib import Path

import numpy as np

from shared.durations import DAY_MS
from shared.insight.sales import NEEDED, prepare, sizes, sold
from tests.insight.exported import write
from tests.insight.test_reports import AS_OF_MS, NAMES, _line, _move


def test_whole_weeks_are_told_by_segment_and_category(tmp_path: Path) -> None:
    orders = [
        _line("a", 22),
        _line("a", 20, 3.0),
        _line("a", 6.5, 2.0, category="hats"),
        _line("a", 0.1, 5.0),
        _line("a", 1, type="refund"),
        _line("b", 3, category=None),
    ]
    moves = [_move("a", 30, 0), _move("a", 7, 1, 0), _move("b", 30, 1), _move("b", 4, None, 1)]
    tables = write(tmp_path, orders=orders, moves=moves, segments=NAMES[:1])
    with tables.opened(*NEEDED) as database:
        prepare(database, AS_OF_MS)
        weekly = sold(database, AS_OF_MS)
    assert (weekly.lines.segments, weekly.lines.categories) == (["new", "segment 1"], ["shoes", "hats"])
    np.testing.assert_array_equal(weekly.amount.bought[0], [[3.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    np.testing.assert_array_equal(weekly.amount.bought[1], [[0.0, 0.0, 5.0], [0.0, 0.0, 2.0]])
    np.testing.assert_array_equal(weekly.lines.bought[0], [[1, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(weekly.lines.customers, [[1, 1, 1, 0], [1, 1, 1, 1]])


def test_sizes_are_of_who_was_in_a_segment_before_an_instant(tmp_path: Path) -> None:
    tables = write(tmp_path, moves=[_move("a", 2, 0), _move("a", 1, 1, 0)], segments=NAMES)
    with tables.opened(*NEEDED) as database:
        prepare(database, AS_OF_MS)
        instants = [AS_OF_MS - 2 * DAY_MS, AS_OF_MS - DAY_MS, AS_OF_MS]
        np.testing.assert_array_equal(sizes(database, [0, 1], instants), [[0, 1, 0], [0, 0, 1]])
