import numpy as np
import pytest

from shared.experiments.moments import Moments


@pytest.mark.parametrize("cuts", [(0, 0), (1, 5), (3, 30), (49, 50)])
def test_parts_counted_apart_are_the_whole(cuts: tuple[int, int]) -> None:
    rows = np.random.default_rng(1).lognormal(3, 1, (50, 4)) + 1e6
    parts = np.split(rows, cuts)
    united = Moments.of(parts[0]) + Moments.of(parts[1]) + Moments.of(parts[2])
    whole = Moments.of(rows)
    assert united.n == 50
    np.testing.assert_allclose(united.mean, rows.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(united.covariance, np.cov(rows, rowvar=False), rtol=1e-9)
    np.testing.assert_allclose(united.scatter, whole.scatter, rtol=1e-9)


def test_nobody_has_no_moments_and_adds_nothing() -> None:
    rows = np.arange(6.0).reshape(3, 2)
    nobody = Moments.none(2)
    assert (nobody + nobody).n == 0
    np.testing.assert_allclose((nobody + Moments.of(rows)).covariance, Moments.of(rows).covariance)
    assert not nobody.covariance.any()
