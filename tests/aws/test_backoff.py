"""Waits between attempts grow, are bounded and random."""

from shared.aws.backoff import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, attempts


def test_the_first_attempt_waits_for_nothing() -> None:
    waits: list[float] = []
    assert [*attempts(3, waits.append)] == [0, 1, 2]
    assert len(waits) == 2


def test_waits_are_bounded_by_a_limit_that_doubles() -> None:
    waits: list[float] = []
    for _ in range(50):
        assert len([*attempts(9, waits.append)]) == 9
    bounds = [min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2**attempt) for attempt in range(1, 9)] * 50
    assert all(0 <= wait <= bound for wait, bound in zip(waits, bounds, strict=True))
    assert len({*waits}) == len(waits)


def test_a_caller_may_bound_waits_itself() -> None:
    waits: list[float] = []
    assert len([*attempts(30, waits.append, longest=0.1)]) == 30
    assert max(waits) <= 0.1


def test_who_succeeds_waits_no_more() -> None:
    waits: list[float] = []
    assert next(attempts(9, waits.append)) == 0
    assert waits == []
