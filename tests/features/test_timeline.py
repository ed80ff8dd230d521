"""Counts and sums in trailing windows, customer by customer."""

import numpy as np
import pytest

from shared.durations import DAY_MS
from shared.features.columns import PURCHASE, VIEW_ITEM
from shared.features.timeline import WINDOWS, Lines, Timeline, Visits, running_sum

AS_OF_MS = 1_000 * DAY_MS
DAYS_AGO = [400, 7, 6, 90, 31, 30]
OWNER = np.array([0, 0, 0, 2, 2, 2])
TIME_MS = AS_OF_MS - np.array(DAYS_AGO) * DAY_MS
TIMELINE = Timeline(OWNER, TIME_MS, 3, AS_OF_MS)


def test_each_entry_is_in_the_shortest_window_that_holds_it() -> None:
    assert [WINDOWS[i] for i in TIMELINE.window] == [None, 7, 7, 90, 90, 30]


@pytest.mark.parametrize(("days", "counts"), [(7, [2, 0, 0]), (30, [2, 0, 1]), (90, [2, 0, 3]), (None, [3, 0, 3])])
def test_entries_are_counted_by_window(days: int | None, counts: list[int]) -> None:
    assert TIMELINE.count(days).tolist() == counts
    assert TIMELINE.within(days).count().tolist() == counts
    assert TIMELINE.total(np.full(6, 10), days).tolist() == [10 * count for count in counts]


def test_an_instant_for_each_customer_moves_their_windows() -> None:
    later = Timeline(OWNER, TIME_MS, 3, np.array([AS_OF_MS + DAY_MS, AS_OF_MS, AS_OF_MS]))
    assert later.count(7).tolist() == [1, 0, 0]


def test_first_and_last_are_unknown_of_who_has_none() -> None:
    np.testing.assert_array_equal(TIMELINE.first(), [TIME_MS[0], np.nan, TIME_MS[3]])
    np.testing.assert_array_equal(TIMELINE.last(), [TIME_MS[2], np.nan, TIME_MS[5]])


def test_gaps_are_between_entries_of_one_customer() -> None:
    owner, gaps = TIMELINE.gaps
    assert owner.tolist() == [0, 0, 2, 2]
    assert (gaps // DAY_MS).tolist() == [393, 1, 59, 1]


def test_a_running_sum_begins_at_nought() -> None:
    assert running_sum(np.array([3, 4])).tolist() == [0, 3, 7]


def test_a_visit_knows_what_was_done_in_it_and_how_long_it_took() -> None:
    one = np.ones(1, np.int64)
    kinds = np.array([1 << VIEW_ITEM | 1 << PURCHASE], np.uint16)
    code = np.ones(1, np.uint8)
    visit = Visits(one * 0, one, 1, AS_OF_MS, one * 900, one * 5_000, one, kinds, code, code)
    done = {name: bool(getattr(visit, name)[0]) for name in ("viewed", "carted", "ordered", "promoted")}
    assert done == {"viewed": True, "carted": False, "ordered": True, "promoted": False}
    assert visit.duration_ms.tolist() == [5_000]


def test_amounts_of_lines_are_summed_by_window() -> None:
    net = np.array([1, 2, 3, 4, 5, 6])
    lines = Lines(OWNER, TIME_MS, 3, AS_OF_MS, net, net, net.astype(np.uint32))
    assert lines.amount(7).tolist() == [5, 0, 0]
    assert lines.amount(None).tolist() == [6, 0, 15]
