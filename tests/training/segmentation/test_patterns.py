"""Conditions hold as stated, and rest on facts that exist."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.segmentation.facts import DESCRIPTIONS
from training.segmentation.patterns import NAMES, WORDS, Condition


def test_what_nobody_does_sets_nobody_apart() -> None:
    assert not Condition("net_revenue_365d", times=2).holds(np.array([48.0]), 0.0).any()
    assert Condition("discount_share_365d", least=0.15, times=2).holds(np.array([0.3]), 0.0).all()


def test_what_is_undefined_holds_only_where_that_is_said() -> None:
    known = np.array([np.nan, 0.0, 9.0])
    assert Condition("visit_duration_90d", most=5).holds(known, 3.0).tolist() == [False, True, False]
    assert Condition("visit_duration_90d", most=5, or_undefined=True).holds(known, 3.0).tolist() == [True, True, False]
    assert not Condition("visit_duration_90d", most=5).holds(known, np.nan).any()


@given(st.floats(0, 100), st.floats(0.01, 100), st.floats(0.5, 4))
def test_a_bound_beside_everybody_holds_as_stated(own: float, usual: float, times: float) -> None:
    [above] = Condition("visits_90d", times=times).holds(np.array([own]), usual)
    [below] = Condition("visits_90d", times_at_most=times).holds(np.array([own]), usual)
    assert above == (own >= times * usual)
    assert below == (own <= times * usual)


def test_names_rest_on_facts_that_exist() -> None:
    assert {condition.fact for pattern in (*NAMES, *WORDS) for condition in pattern.conditions} <= DESCRIPTIONS.keys()
