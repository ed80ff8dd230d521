import math

import numpy as np
import pytest
from scipy.stats import beta, binom

from shared.experiments.assignment import CONCENTRATION, MISMATCH_LEVEL, USUAL, Planned, log_mismatch


@pytest.mark.parametrize(("treatment", "control", "planned"), [(90, 10, 0.1), (5_000, 4_600, 0.5), (880, 120, 0.1)])
def test_evidence_is_that_of_any_share_near_the_planned_one(treatment: int, control: int, planned: float) -> None:
    shares = np.linspace(1e-6, 1 - 1e-6, 400_001)
    prior = beta.pdf(shares, CONCENTRATION * planned, CONCENTRATION * (1 - planned))
    likelihood = binom.logpmf(control, treatment + control, shares)
    instead = np.trapezoid(prior * np.exp(likelihood), shares)
    expected = math.log(instead) - binom.logpmf(control, treatment + control, planned)
    assert log_mismatch(treatment, control, planned) == pytest.approx(expected, abs=1e-4)


def test_arms_dealt_as_planned_are_seldom_ever_blocked_and_others_soon_are() -> None:
    chance = np.random.default_rng(2)
    bound = -math.log(MISMATCH_LEVEL)
    looks = range(100, 20_001, 100)

    def is_ever_blocked(real: float) -> bool:
        held_back = (chance.random(20_000) < real).cumsum()
        return any(log_mismatch(n - int(held_back[n - 1]), int(held_back[n - 1]), 0.1) > bound for n in looks)

    assert sum(is_ever_blocked(0.1) for _ in range(500)) <= 500 * MISMATCH_LEVEL
    assert sum(is_ever_blocked(0.085) for _ in range(50)) == 50


def test_the_usual_share_nearest_is_assumed() -> None:
    assert Planned.assumed(9_041, 959) == Planned(0.1, "assumed")
    assert Planned.assumed(5_000, 4_600).control == 0.5
    assert Planned.assumed(2, 1).control == 1 / 3
    assert all(0 < share < 1 for share in USUAL)
