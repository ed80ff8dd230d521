"""Conditions hold as stated, and rest on facts that exist."""

from hypothesis import given
from hypothesis import strategies as st

from tests.training.segmentation.conftest import facts
from training.segmentation.facts import DESCRIPTIONS
from training.segmentation.patterns import NAMES, WORDS, Condition


def test_what_nobody_does_sets_nobody_apart() -> None:
    assert Condition("net_revenue_365d", times=2).strength(facts(net_revenue_365d=48.0), facts()) is None
    discounted = Condition("discount_share_365d", least=0.15, times=2)
    assert discounted.strength(facts(discount_share_365d=0.3), facts()) is not None


@given(st.floats(0, 100), st.floats(0.01, 100), st.floats(0.5, 4))
def test_a_bound_beside_everybody_holds_as_stated(own: float, usual: float, times: float) -> None:
    above = Condition("visits_90d", times=times).strength(facts(visits_90d=own), facts(visits_90d=usual))
    below = Condition("visits_90d", times_at_most=times).strength(facts(visits_90d=own), facts(visits_90d=usual))
    assert (above is not None) == (own >= times * usual)
    assert (below is not None) == (own <= times * usual)
    assert all(0 <= strength <= 1 for strength in (above, below) if strength is not None)


def test_names_rest_on_facts_that_exist() -> None:
    assert {condition.fact for pattern in (*NAMES, *WORDS) for condition in pattern.conditions} <= DESCRIPTIONS.keys()
