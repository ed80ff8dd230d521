"""Segments as the nearest of prototypes, on a line and in a plane; trained ones are in tests/training/bundle."""

from dataclasses import replace

import numpy as np
import pytest

from shared.reasons.nearest import Nearest, Preparation

ZEROS = np.zeros(2, np.float32)
SAME = Preparation(ZEROS, np.zeros(2, bool), ZEROS - np.inf, ZEROS + np.inf, ZEROS, ZEROS + 1)
PLANE = Nearest(SAME, np.eye(2), np.zeros(2), np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]]), np.array([0, 1, 1]))


def at(*x: float) -> np.ndarray:
    return np.array(x, np.float32)


def test_a_customer_is_in_the_segment_of_the_nearest_prototype() -> None:
    assert [PLANE.segment(x) for x in (at(1, 1), at(3, 0), at(0, 3))] == [0, 1, 1]
    assert PLANE.distances(at(3, 4)).tolist() == pytest.approx([5.0, 17**0.5, 3.0])


def test_shares_sum_to_how_much_nearer_the_segment_is() -> None:
    shares, nearer = PLANE.contributions(at(1, 0), 0, 1)
    assert nearer == pytest.approx(2.0)
    assert shares.tolist() == pytest.approx([2.0, 0.0])


def test_shares_for_the_other_side_are_the_same_with_another_sign() -> None:
    shares, nearer = PLANE.contributions(at(1, 0), 1, 0)
    assert (nearer, *shares) == pytest.approx((-2.0, -2.0, 0.0))


def test_who_is_far_from_every_prototype_is_unusual_and_says_by_which_feature() -> None:
    bounded = replace(PLANE, eps=1.0, unusual=9)
    assert (bounded.segment(at(0, -3)), bounded.segment(at(0, -0.5))) == (9, 0)
    shares, beyond = bounded.contributions(at(0, -3), 9, 0)
    assert (beyond, *shares) == pytest.approx((2.0, 0.0, 2.0))


def test_preparing_fills_in_takes_logs_clips_and_scales() -> None:
    prepare = Preparation(at(7, 0), np.array([False, True]), at(0, -1), at(5, 1), at(1, 0), at(2, 1))
    assert prepare(at(np.nan, 0)).tolist() == [8.0, 0.0]
    assert prepare(at(-3, np.e - 1)).tolist() == pytest.approx([-2.0, 1.0])
    assert prepare(at(2, -100)).tolist() == [2.0, -1.0]
