"""Of whom a pattern is true."""

import numpy as np
import pytest

from tests.training.segmentation.conftest import rows, truth
from training.segmentation.patterns import Condition, Pattern

TWICE = Pattern("Twice", frozenset(), (Condition("orders_lifetime", least=2), Condition("tenure", most=100)))


def test_shares_are_of_the_members_each_by_themselves() -> None:
    groups = truth(
        rows(orders_lifetime=[2.0, 3.0, 1.0, 2.0], tenure=[9.0, 200.0, 9.0, 9.0]),
        rows(orders_lifetime=[2.0, 1.0], tenure=[9.0, 9.0]),
    )
    true = groups.holds(TWICE)
    assert true.tolist() == [True, False, False, True, True, False]
    assert groups.shares(true).tolist() == [0.5, 0.5]
    assert groups.share_of_others(true, 0) == 0.5


def test_of_one_segment_there_are_no_others() -> None:
    alone = truth(rows(orders_lifetime=[2.0, 3.0]))
    assert alone.share_of_others(np.ones(2, bool), 0) == 0.0


def test_what_is_typical_is_of_each_segment_and_of_all() -> None:
    groups = truth(rows(orders_lifetime=[2.0, 4.0, 9.0]), rows(orders_lifetime=[1.0, 1.0]))
    assert [own["orders_lifetime"] for own in groups.typical] == [4.0, 1.0]
    assert groups.everyone["orders_lifetime"] == pytest.approx(2.0)
