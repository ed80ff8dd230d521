"""Writing that stops in time."""

from collections.abc import Iterator
from typing import Any

import pytest

from shared.clock import Moment
from shared.intake.deadlines import OutOfTime, TimedUpdater
from shared.profiles.incoming import Incoming
from tests.support.event_files import profiles, purchase
from tests.support.memory_table import MemoryTable

NOVEMBER = Moment(as_of_ms=1_509_494_400_000, scored_at_ms=1_509_494_400_250)


def updater(*left: float) -> TimedUpdater:
    seconds: Iterator[float] = iter(left)
    table: Any = MemoryTable()
    return TimedUpdater(table, None, NOVEMBER, lambda _: None, seconds_left=lambda: next(seconds))


def orders(*customers: str) -> Incoming:
    return Incoming(profiles(*(purchase(customer) for customer in customers)))


def test_some_is_written_in_any_case_and_no_more_than_there_is_time_for() -> None:
    late = updater(1.0, 0.5, 0.5, 0.5)
    late.update(["customer#a"], orders("a"))
    with pytest.raises(OutOfTime):
        late.update(["customer#b"], orders("b"))
    assert late.total.events == 1


def test_what_is_written_already_is_passed_over_whatever_the_time() -> None:
    late = updater(*[1.0] * 9)
    late.update(["customer#a"], orders("a"))
    again = updater(*[1.0] * 9)
    again.table = late.table
    again.update(["customer#a"], orders("a"))
    again.update(["customer#b"], orders("b"))
    with pytest.raises(OutOfTime):
        again.update(["customer#c"], orders("c"))


def test_what_took_long_needs_as_much_time_again_and_half_as_much() -> None:
    slow = updater(60.0, 40.0, 36.0, 30.0, 34.9)
    slow.update(["customer#a"], orders("a"))  # takes 20 seconds
    slow.update(["customer#b"], orders("b"))
    with pytest.raises(OutOfTime):
        slow.update(["customer#c"], orders("c"))
