"""Calibrations: they keep the order, hit the level, and are chosen by what they did not see."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.examples import at_most
from training.base.config import Config
from training.prediction.calibration import (
    STEEPEST,
    Isotonic,
    Scaled,
    Vector,
    calibrated,
    isotonic,
    levelled,
    link,
    platt,
    scale,
)


def sample(n: int, seed: int, curve: str = "sigmoid") -> tuple[Vector, Vector, Vector]:
    """Margins, outcomes and weights; the true probability is the margin's sigmoid, or a step."""
    random = np.random.default_rng(seed)
    margin = random.normal(-1, 2, n)
    probability = link("probability", margin) if curve == "sigmoid" else np.where(margin > 0, 0.7, 0.1)
    return margin, (random.random(n) < probability).astype(float), np.ones(n)


@given(seed=st.integers(0, 10_000), n=st.integers(40, 800), decimals=st.integers(0, 6))
@settings(max_examples=at_most(60), deadline=None)
def test_the_isotonic_curve_rises_gently_between_0_and_1(seed: int, n: int, decimals: int) -> None:
    margin, y, weight = sample(n, seed)
    margin = margin.round(decimals)
    y[:2] = 0, 1
    curve = isotonic(margin, y, weight)
    assert (np.diff(curve.x) > 0).all() and (np.diff(curve.y) >= 0).all()
    assert 0 < curve.y[0] <= curve.y[-1] < 1
    steepest = (np.diff(curve.y) / np.diff(curve.x)).max()
    assert steepest <= STEEPEST / np.abs(margin).max() * 1.001
    np.testing.assert_array_equal(curve.x, curve.x.astype(np.float32))


def test_the_isotonic_curve_keeps_the_order_of_nearly_all() -> None:
    margin, y, weight = sample(5_000, 1)
    predicted = isotonic(margin, y, weight)(np.sort(margin))
    assert (np.diff(predicted) >= 0).all()
    assert len(np.unique(predicted)) > 0.98 * len(margin)


@pytest.mark.parametrize("fit", [platt, isotonic])
def test_a_calibration_finds_the_probabilities_behind_the_outcomes(fit: type) -> None:
    margin, y, weight = sample(40_000, 2)
    asked = np.linspace(-5, 3, 50)
    np.testing.assert_allclose(fit(3 * margin + 1, y, weight)(3 * asked + 1), link("probability", asked), atol=0.03)


@pytest.mark.parametrize(("curve", "expected"), [("sigmoid", "platt"), ("step", "isotonic")])
def test_the_one_with_the_lower_brier_score_on_unseen_parts_is_chosen(curve: str, expected: str) -> None:
    margin, y, weight = sample(6_000, 3, curve)
    part = np.arange(len(y)) % 3
    assert calibrated("probability", margin, y, weight, part, Config()).name == expected


def test_few_of_the_rarer_outcome_are_left_to_platt() -> None:
    margin, y, weight = sample(6_000, 3, "step")
    part = np.arange(len(y)) % 3
    config = Config(isotonic_minimum=int(min(y.sum(), len(y) - y.sum())) + 1)
    assert calibrated("probability", margin, y, weight, part, config).name == "platt"


def test_a_margin_that_runs_the_wrong_way_gives_everyone_the_base_rate() -> None:
    margin, y, weight = sample(2_000, 4)
    assert platt(-margin, y, weight)(margin) == pytest.approx(np.full(len(y), y.mean()))


def test_weights_count_as_repetitions() -> None:
    margin, y, _ = sample(300, 5)
    times = np.random.default_rng(5).integers(1, 4, len(y))
    repeated = np.repeat(margin, times), np.repeat(y, times), np.ones(times.sum())
    for fit in (platt, isotonic):
        once = fit(margin, y, times.astype(float))(margin)
        assert once == pytest.approx(fit(*repeated)(margin), abs=1e-4)


@given(seed=st.integers(0, 1_000))
@settings(max_examples=at_most(20), deadline=None)
def test_amounts_are_scaled_so_that_the_totals_agree(seed: int) -> None:
    random = np.random.default_rng(seed)
    margin = random.normal(2, 1, 500)
    weight = random.uniform(1, 5, 500)
    y = random.poisson(0.4, 500) * np.exp(1.3 * margin) * random.gamma(2, 0.5, 500)
    predicted = scale(margin, y, weight)(margin)
    assert weight @ predicted == pytest.approx(weight @ y)
    assert (predicted > 0).all()


def test_calibrations_have_the_names_that_the_manifest_tells() -> None:
    assert [Scaled("probability").name, Scaled("amount").name] == ["platt", "scale"]
    assert Isotonic(np.zeros(2), np.ones(2)).name == "isotonic"


def test_the_level_of_amounts_is_that_of_the_rows_that_count_and_all_else_stays() -> None:
    random = np.random.default_rng(3)
    margin = random.normal(size=9_000)
    latest = np.repeat([True, False, False], 3_000)
    y = np.where(latest, 4.0, 1.0) * np.exp(1.5 * margin) * random.lognormal(0, 0.1, 9_000)
    fitted = scale(margin, y, np.ones(9_000))
    weight = np.where(latest, 1.0, 0.5)
    moved = levelled(fitted, margin, y, weight)
    assert moved.slope == fitted.slope == pytest.approx(1.5, rel=0.1)
    assert fitted(margin).sum() == pytest.approx(y.sum())
    assert weight @ moved(margin) == pytest.approx(weight @ y)
    assert moved(margin).sum() > 1.15 * y.sum()
