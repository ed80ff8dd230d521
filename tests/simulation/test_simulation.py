"""Everything at once and everything going wrong: in the end it is as if nothing had."""

import pytest

from tests.simulation.play import play

SEEDS = 50
AT_ONCE = 2


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_whatever_goes_wrong_the_end_is_what_was_sent(first: int) -> None:
    played = [play(seed) for seed in range(first, first + AT_ONCE)]
    failures = {one.seed: one.findings for one in played if one.findings}
    assert not failures, f"replay with: python -m tests.simulation --seed {next(iter(failures))} --trace"
