"""Qini's coefficient is scikit-uplift's, and its interval holds what it should."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklift.metrics import qini_auc_score

from training.prediction.qini import SURE, by_weights, coefficient, curve, qini


@given(st.integers(0, 10_000), st.integers(40, 300), st.integers(2, 400))
def test_the_coefficient_is_that_of_scikit_uplift(seed: int, n: int, kinds: int) -> None:
    random = np.random.default_rng(seed)
    y = (random.random(n) < 0.4).astype(float)
    treated = random.random(n) < 0.5
    uplift = random.integers(0, kinds, n) / kinds
    for arm in (treated, ~treated):
        if not 0 < y[arm].sum() < arm.sum():
            return
    assert coefficient(y, uplift, treated) == pytest.approx(qini_auc_score(y, uplift, treated.astype(int)), abs=1e-9)


def test_the_curve_ends_at_what_all_of_them_gained() -> None:
    y = np.array([1.0, 0, 1, 0])
    treated = np.array([True, True, False, False])
    n, gained = curve(y, np.array([4.0, 3, 2, 1]), treated)
    assert n.tolist() == [0, 1, 2, 3, 4]
    assert gained.tolist() == [0, 1, 1, -1, 0]


def test_a_ranking_by_chance_is_not_sure_and_a_good_one_is() -> None:
    random = np.random.default_rng(2)
    n = 4_000
    x = random.random(n)
    treated = random.random(n) < 0.5
    y = (random.random(n) < 0.1 + 0.3 * treated * (x > 0.5)).astype(float)
    good, chance = qini(y, x, treated, 1), qini(y, random.random(n), treated, 1)
    assert good.is_sure and not chance.is_sure
    low, high = good.interval()
    assert low < good.value < high and good.interval(SURE)[0] < low
    outcome = y * (treated - 0.5) / 0.25
    assert by_weights(outcome, x) > 0.03 > abs(by_weights(outcome, random.random(n)))
