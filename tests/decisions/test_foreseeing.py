"""The look ahead with audiences, held against deciding on every day, rule by rule, by trees."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.audiences.evaluating import Customers, Histories
from shared.clock import Moment
from shared.decisions.deciding import decide
from shared.decisions.memberships import Look
from shared.decisions.next_change import midnight_after
from shared.durations import DAY_MS
from shared.features import Profiles, features
from shared.models.bundle import Bundle
from tests.audiences.random_rules import rules
from tests.decisions.test_memberships import audiences, bundle_with
from tests.features.histories import folded, histories

HORIZON = 30
OPEN = (
    "churn_probability > 0.3 and days_since_order > 5",
    "segment = 0 and views(7) = 0",
    "days_since_visit between 2 and 9 and not intent = 'likely_to_churn'",
    "not (churn_probability < 0.4 or orders('Shoes', 13) = 0)",
    "days_since_visit > expected_ltv or tier is null",
    "days_since_order > margin",
)
"""Rules that hang on the model only where the rest of them leaves something open."""


@settings(max_examples=settings().max_examples // 4)
@pytest.mark.parametrize("zone", ["UTC", "America/Sao_Paulo"])
@given(
    history=histories(),
    some=st.lists(st.one_of(rules, st.sampled_from(OPEN)), min_size=1, max_size=5),
    days=st.integers(0, 400),
)
def test_any_rules_turn_on_the_day_and_to_what_deciding_on_every_day_says(
    zone: str, history: Any, some: list[str], days: int
) -> None:
    # The bundle looks at visits alone, which change on the days that are tried and on no other.
    profiles = folded(history)
    bundle = bundle_with(audiences(*some), zone)
    as_of_ms = int(profiles.rows.time_ms.min()) + days * DAY_MS + 12_345_678

    decisions = decide(profiles, {}, bundle, Moment(as_of_ms, as_of_ms, HORIZON))

    changes = {key: one.next_change for key, one in decisions.items() if one.next_change}
    foreseen = {key: (next_.at_ms, (next_.segment, next_.intent, next_.audiences)) for key, next_ in changes.items()}
    assert foreseen == _every_day(profiles, bundle, as_of_ms)


def _every_day(profiles: Profiles, bundle: Bundle, as_of_ms: int) -> dict[str, Any]:
    now = _decided(profiles, bundle, as_of_ms)
    first: dict[str, Any] = {}
    for day in range(1, HORIZON + 1):
        midnight = midnight_after(as_of_ms, day, bundle.zone)
        for key, before, then in zip(profiles.keys, now, _decided(profiles, bundle, midnight), strict=True):
            if then != before:
                first.setdefault(key, (midnight, then))
    return first


def _decided(profiles: Profiles, bundle: Bundle, at_ms: int) -> list[tuple[int, str, tuple[str, ...]]]:
    known = features(profiles, at_ms, bundle.zone)
    everyone = np.arange(len(profiles))
    look = Look.at(bundle, known, Histories(profiles), everyone, at_ms)
    customers = Customers(known, look.customers.decided, Histories(profiles), everyone, at_ms)
    inside: list[list[str]] = [[] for _ in everyone]
    for audience in bundle.audiences.all:
        for i in np.flatnonzero(customers.holds(audience.rule)).tolist():
            inside[i].append(audience.key)
    states = zip(look.decided.segment.tolist(), look.intent, inside, strict=True)
    return [(segment, intent, tuple(keys)) for segment, intent, keys in states]
