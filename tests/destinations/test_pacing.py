from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.destinations.contract import Rate
from shared.destinations.pacing import Pace
from tests.simulation.table import Table
from tests.support.memory_client import Client


class Clock:
    now_ms = 1_000_000


def paces(clock: Clock, functions: int = 3) -> list[Pace]:
    client: Any = Client(Table(lambda: clock.now_ms, lambda: False))
    return [Pace(client, "table", lambda: clock.now_ms, lambda seconds: None) for _ in range(functions)]


@given(
    st.lists(st.tuples(st.integers(1, 100), st.sampled_from([0.5, 1.0, 10.0, 60.0])), min_size=1, max_size=2),
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 30), st.integers(0, 3_000)), max_size=60),
)
def test_in_no_period_are_there_more_calls_than_each_rate_allows(
    rates: list[tuple[int, float]], asks: list[tuple[int, int, int]]
) -> None:
    clock = Clock()
    clock.now_ms = 1_000_000
    functions = paces(clock)
    made: list[int] = []
    for who, wanted, later_ms in asks:
        permits = functions[who].take("crm", [Rate(*rate) for rate in rates], wanted)
        assert permits.calls <= wanted
        assert (permits.calls == 0) == (permits.wait_ms > 0)
        made += [clock.now_ms] * permits.calls
        clock.now_ms += later_ms
    for calls, seconds in rates:
        for at in made:
            assert sum(at <= one < at + seconds * 1_000 for one in made) <= max(calls, 1)


def test_whoever_waits_as_long_as_is_said_may_call() -> None:
    clock = Clock()
    (pace,) = paces(clock, 1)
    total = 0
    begun = clock.now_ms
    while clock.now_ms < begun + 60_000:
        permits = pace.take("crm", [Rate(190, 10)], 20)
        total += permits.calls
        clock.now_ms += permits.wait_ms
    assert 900 <= total <= 190 * 6


def test_a_vendor_that_asks_to_be_left_alone_is_by_everybody() -> None:
    clock = Clock()
    first, second, _ = paces(clock)
    assert first.take("crm", [Rate(10, 1)], 1).calls == 1
    first.leave_alone("crm", 5_000)
    assert second.take("crm", [Rate(10, 1)], 1).wait_ms == 5_000
    assert second.take("other", [Rate(10, 1)], 1).calls == 1
    clock.now_ms += 5_000
    assert second.take("crm", [Rate(10, 1)], 1).calls == 1


def test_of_two_who_take_at_once_one_looks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    first, second, _ = paces(clock)
    read = Pace._item
    raced: list[int] = []

    def late(self: Pace, destination: str) -> Any:
        item = read(self, destination)
        if not raced:
            raced.append(1)
            second.take("crm", [Rate(10, 1)], 2)
        return item

    monkeypatch.setattr(Pace, "_item", late)
    assert first.take("crm", [Rate(10, 1)], 2).calls == 0
