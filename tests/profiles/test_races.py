import pytest

from shared.profiles.races import LONGEST_RACE_WAIT_SECONDS, RACES_AT_MOST, races


def test_each_attempt_but_the_first_waits_and_none_for_long() -> None:
    waits: list[float] = []
    assert list(races(waits.append)) == list(range(RACES_AT_MOST))
    assert len(waits) == RACES_AT_MOST - 1
    assert max(waits) <= LONGEST_RACE_WAIT_SECONDS


def test_who_wins_waits_no_more() -> None:
    assert next(races(lambda _seconds: pytest.fail("nothing to wait for"))) == 0
