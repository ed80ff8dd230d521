import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from shared.experiments import sequences
from shared.experiments.sequences import (
    LEVEL,
    MOST_CUSTOMERS,
    POWER,
    RHO_SQUARED,
    TIGHTEST_AT,
    customers_needed,
    discoveries,
    log_e_value,
    p_value,
    width,
)


@pytest.mark.parametrize("n", [10, 1_000, 5_000, 200_000])
@pytest.mark.parametrize("z", [0.0, 1.0, 3.0, 5.0])
def test_evidence_is_the_likelihood_mixed_over_effects(z: float, n: int) -> None:
    """The closed form beside the integral that it is of: Robbins' mixture over normal effects of variance rho²."""
    rho = math.sqrt(RHO_SQUARED)

    def mixed(effect: float) -> float:
        prior = math.exp(-effect * effect / (2 * RHO_SQUARED)) / (rho * math.sqrt(2 * math.pi))
        return prior * math.exp(effect * z * math.sqrt(n) - effect * effect * n / 2)

    peak = z / math.sqrt(n)
    near = 12 / math.sqrt(n + 1 / RHO_SQUARED)
    evidence, _ = quad(mixed, peak * n / (n + 1 / RHO_SQUARED) - near, peak * n / (n + 1 / RHO_SQUARED) + near)
    assert log_e_value(z, n) == pytest.approx(math.log(evidence), abs=1e-6)


@pytest.mark.parametrize("n", [100, 5_000, 10**6])
@pytest.mark.parametrize("level", [0.05, 0.001])
def test_an_interval_leaves_out_what_its_evidence_speaks_against(n: int, level: float) -> None:
    assert math.exp(log_e_value(width(n, level), n)) == pytest.approx(1 / level)
    assert p_value(log_e_value(width(n, level), n)) == pytest.approx(level)


def test_the_tuning_is_the_narrowest_for_the_stated_number() -> None:
    def half(log_rho: float) -> float:
        information = TIGHTEST_AT * math.exp(log_rho)
        return math.sqrt(2 * (information + 1) / information * math.log(math.sqrt(information + 1) / LEVEL))

    best = minimize_scalar(half, bounds=(-20, 5), method="bounded").fun
    assert width(TIGHTEST_AT) == pytest.approx(best, rel=1e-3)
    assert max(width(n) for n in (1_000, 100_000)) < width(TIGHTEST_AT) * 10 / 9


def test_the_mean_of_noise_looked_at_ten_thousand_times_is_seldom_ever_outside() -> None:
    """Twenty times as many looks as the intervals of one look would bear: those are left by most."""
    chance = np.random.default_rng(5)
    looks = np.unique(np.geomspace(100, 10_000, 500).astype(int))
    widths = np.array([width(int(n)) for n in looks])
    outside = fixed = 0
    for _ in range(1_000):
        z = chance.standard_normal(10_000).cumsum()[looks - 1] / np.sqrt(looks)
        outside += bool((np.abs(z) > widths).any())
        fixed += bool((np.abs(z) > 1.96).any())
    assert outside <= LEVEL * 1_000
    assert fixed > 5 * LEVEL * 1_000


@given(st.lists(st.floats(-3, 12), min_size=1, max_size=30))
def test_discoveries_are_the_most_that_their_evidence_bears(log_es: list[float]) -> None:
    most = max((k for k in range(1, len(log_es) + 1) if _bears(log_es, k)), default=0)
    least = math.log(len(log_es) / (LEVEL * most)) if most else math.inf
    assert discoveries(log_es) == [each >= least for each in log_es]


def _bears(log_es: list[float], k: int) -> bool:
    return sorted(log_es, reverse=True)[k - 1] >= math.log(len(log_es) / (LEVEL * k))


def test_one_result_is_found_where_its_interval_leaves_out_nought() -> None:
    assert discoveries([math.log(19.9)]) == [False]
    assert discoveries([math.log(20.1)]) == [True]
    assert discoveries([math.log(20.1), 0.0]) == [False, False]
    assert discoveries([math.log(41), math.log(21)]) == [True, True]
    assert discoveries([]) == []


def test_as_many_customers_as_are_needed_find_the_effect_as_often_as_is_said() -> None:
    n = customers_needed(0.1, 2.0)
    error = 2.0 / math.sqrt(n)
    chance = np.random.default_rng(3)
    detected = np.abs(chance.normal(0.1, error, 20_000)) > width(n) * error
    assert detected.mean() == pytest.approx(POWER, abs=0.01)
    assert customers_needed(0.1, 2.0) > customers_needed(0.2, 2.0)
    assert customers_needed(0.0, 2.0) == MOST_CUSTOMERS


def test_power_is_of_the_normal_distribution() -> None:
    assert pytest.approx(norm.ppf(POWER), abs=1e-12) == sequences._POWER_ERRORS
