import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from shared.drift.stability import Natural, by_chance, f_tail, p_value, stability_index, which_fall


@example(value=3.3e-18, freedom=0.5, known=2.0)
@given(st.floats(0, 500), st.floats(0.5, 60), st.floats(2, 1e5))
def test_the_tail_is_that_of_scipy(value: float, freedom: float, known: float) -> None:
    assert f_tail(value, freedom, known) == pytest.approx(stats.f.sf(value, freedom, known), rel=1e-6, abs=1e-12)


def test_the_index_of_equal_histograms_is_nought_and_it_does_not_matter_which_was_first() -> None:
    one, other = np.array([10, 20, 30]), np.array([30, 20, 10])
    assert stability_index(one, one) == 0
    assert stability_index(one, other) == pytest.approx(stability_index(other, one))
    assert stability_index(np.array([600, 400]), np.array([400, 600])) == pytest.approx(0.2 * 2 * np.log(1.5), rel=0.01)


@pytest.mark.parametrize("size", [1_000, 1_000_000])
def test_the_size_of_a_shop_does_not_decide(size: int) -> None:
    random = np.random.default_rng(size)
    shares = np.array([0.5, 0.2, 0.1, 0.1, 0.05, 0.05])
    p = np.array(
        [
            p_value(
                stability_index(random.multinomial(size, shares), random.multinomial(2_000, shares)),
                len(shares),
                by_chance(len(shares), size, 2_000),
                Natural(),
            )
            for _ in range(2_000)
        ]
    )
    assert (p < 0.05).mean() == pytest.approx(0.05, abs=0.02)
    assert (p < 0.5).mean() == pytest.approx(0.5, abs=0.05)


def test_what_goes_up_and_down_by_itself_is_no_finding() -> None:
    chance = by_chance(10, 100_000, 100_000)
    assert p_value(0.02, 10, chance, Natural()) < 1e-9
    assert p_value(0.02, 10, chance, Natural(0.01, 20)) > 0.1
    assert p_value(0.5, 10, chance, Natural(0.01, 20)) < 1e-5


def test_the_fewer_looks_the_longer_the_tail() -> None:
    tails = [p_value(0.5, 10, 1e-4, Natural(0.01, looks)) for looks in (4, 8, 30, 1e5)]
    assert tails == sorted(tails, reverse=True)


def test_where_nothing_changed_at_most_the_rate_finds_anything_however_measures_hang_together() -> None:
    random = np.random.default_rng(5)
    common = random.normal(size=(4_000, 1))
    for correlation in (0.0, 0.9):
        noise = random.normal(size=(4_000, 50))
        p = stats.norm.sf(correlation**0.5 * common + (1 - correlation) ** 0.5 * noise)
        any_found = np.mean([any(which_fall(row.tolist(), 0.05)) for row in p])
        assert any_found <= 0.05


def test_all_below_the_largest_that_falls_fall() -> None:
    assert which_fall([1e-9, 0.9, 2e-9, 0.02], 0.05) == [True, False, True, False]
    assert which_fall([], 0.05) == []
