"""Audiences decided along with segments: who is in which, why, and when that changes by itself."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.shop import AS_OF_MS, shop_events
from shared.audiences.audience import UNKNOWN, Audience, Audiences
from shared.audiences.evaluating import Histories
from shared.audiences.reading import read_rule
from shared.clock import Moment
from shared.decisions.deciding import decide
from shared.decisions.decision import Decision
from shared.decisions.memberships import Look, SetNumbers
from shared.decisions.next_change import midnight_after
from shared.durations import DAY_MS
from shared.features import Profiles, features, fold
from shared.features.time_zone import TimeZone
from shared.models.bundle import Bundle
from tests.audiences.random_rules import NAMES
from tests.features.histories import folded, histories
from tests.support.bundles import make_bundle

PROFILES = fold(shop_events(customers=60, seed=3))
HORIZON = 30
NOON = AS_OF_MS - 12 * 3_600_000

_timeless = st.sampled_from(
    [
        "views(7) = 0",
        "orders('Shoes', 5) > 0",
        "events('campaign_exposure', 3) > 0",
        "tier = 'gold'",
        "tier is null",
        "days_since_order > 10 and days_since_order < 12",
        "days_since_visit between 3 and 4.5",
        "order_overdue >= 2",
        "days_since_order > days_since_visit",
        "not carts(2) > 0",
        "orders_30d > 1 or views('Hats', 13) >= 2",
    ]
)


def audiences(*rules: str, version: int = 1, **more: Any) -> Audiences:
    named = [
        Audience(f"a{i}", f"Audience {i}", rule, read_rule(rule, NAMES), version, **more)
        for i, rule in enumerate(rules)
    ]
    return Audiences(version, tuple(named))


def bundle_with(some: Audiences, zone: str = "UTC") -> Bundle:
    bundle = Bundle.from_files(*make_bundle(feature="visits_30d", centroids=(0.0, 1.0, 3.0)))
    bundle.zone = TimeZone.of(zone)
    bundle.audiences = some
    return bundle


@settings(max_examples=settings().max_examples // 4)
@pytest.mark.parametrize("zone", ["UTC", "America/Sao_Paulo"])
@given(history=histories(), rules=st.lists(_timeless, min_size=1, max_size=3, unique=True), days=st.integers(0, 400))
def test_who_enters_and_leaves_by_time_does_so_on_the_day_that_brute_force_says(
    zone: str, history: Any, rules: list[str], days: int
) -> None:
    profiles = folded(history)
    bundle = bundle_with(audiences(*rules), zone)
    as_of_ms = int(profiles.rows.time_ms.min()) + days * DAY_MS + 12_345_678
    moment = Moment(as_of_ms, as_of_ms, HORIZON)
    sets = SetNumbers(bundle.audiences)
    now = _codes(profiles, bundle, as_of_ms, sets)
    first: dict[str, int] = {}
    for day in range(1, HORIZON + 1):
        midnight = midnight_after(as_of_ms, day, bundle.zone)
        then = _codes(profiles, bundle, midnight, sets)
        for i in np.flatnonzero(then != now):
            first.setdefault(profiles.keys[i], midnight)

    decisions = decide(profiles, {}, bundle, moment)

    assert {key: one.next_change.at_ms for key, one in decisions.items() if one.next_change} == first


def test_two_times_that_are_a_moment_apart_are_compared_as_each_day_has_them() -> None:
    """A second is less than what is kept of so many days: on a midnight after a day of 23 hours they are equal."""
    viewed = {**_view("2016-03-01T00:00:01Z"), "customer_id": "a"}
    bought = {**viewed, "event_id": "f", "event_type": "purchase", "timestamp": "2016-02-29T23:59:59.999Z", "price": 1}
    profiles = folded([viewed, bought])
    bundle = bundle_with(audiences("days_since_order > days_since_visit"), "America/Sao_Paulo")
    as_of_ms = 1_474_082_746_677
    [decision] = decide(profiles, {}, bundle, Moment(as_of_ms, as_of_ms, HORIZON)).values()
    assert [*decision.audiences] == ["a0"]
    assert decision.next_change and decision.next_change.at_ms == 1_476_669_600_000


def test_what_changes_next_is_what_is_decided_then() -> None:
    bundle = bundle_with(audiences("views(7) = 0", "days_since_order > 20", "orders_30d > 1"))
    checked = 0
    for key, decision in decide(PROFILES, {}, bundle, Moment(NOON, NOON, HORIZON)).items():
        if decision.next_change:
            at = decision.next_change.at_ms
            one = PROFILES.take([PROFILES.keys.index(key)])
            [then] = decide(one, {key: decision}, bundle, Moment(at, at, 0)).values()
            assert tuple(sorted(then.audiences)) == decision.next_change.audiences
            checked += set(then.audiences) != set(decision.audiences)
    assert checked >= 3


def test_who_stays_keeps_since_when_and_in_which_arm_whatever_becomes_of_the_control_group() -> None:
    everyone = bundle_with(audiences("events(3650) >= 0"))
    before = decide(PROFILES, {}, everyone, Moment(NOON, NOON, 0))
    larger = bundle_with(audiences("events(3650) >= 0", version=2, holdout=0.9))

    after = decide(PROFILES, before, larger, Moment(AS_OF_MS, AS_OF_MS, 0))

    assert {key: one.audiences for key, one in after.items()} == {key: one.audiences for key, one in before.items()}
    assert all(one.audiences["a0"].since_ms == NOON for one in after.values())
    assert {one.audiences_version for one in after.values()} == {2}


def test_who_enters_is_told_what_is_true_of_them_and_who_leaves_what_is_not() -> None:
    key = "customer#a"
    viewed = folded([_view("2024-05-01T00:00:00Z")])
    bundle = bundle_with(audiences("views(7) > 0 and days_since_visit < 30 or tenure > 400", action="offer"))
    at = int(viewed.rows.time_ms[0])

    [entered] = decide(viewed, {}, bundle, Moment(at + DAY_MS, at, 0)).values()
    [stayed] = decide(viewed, {key: entered}, bundle, Moment(at + 2 * DAY_MS, at, 0)).values()
    [left] = decide(viewed, {key: stayed}, bundle, Moment(at + 8 * DAY_MS, at, 0)).values()

    assert _told(entered) == [("views(7) > 0", 1.0), ("days_since_visit < 30", 1.0)]
    assert entered.grounds["a0"].action == "offer"
    assert not stayed.grounds
    assert not left.audiences
    assert _told(left) == [("views(7) > 0", 0.0), ("tenure > 400", 8.0)]


def test_of_an_audience_that_is_gone_nothing_is_told() -> None:
    before = decide(PROFILES, {}, bundle_with(audiences("events(3650) >= 0")), Moment(NOON, NOON, 0))

    after = decide(PROFILES, before, bundle_with(Audiences(version=2)), Moment(NOON, NOON, 0))

    assert all(not one.audiences and not one.grounds for one in after.values())


def test_whoever_does_not_know_the_audiences_leaves_everybody_where_they_are() -> None:
    before = decide(PROFILES, {}, bundle_with(audiences("events(3650) >= 0", version=7)), Moment(NOON, NOON, 0))

    after = decide(PROFILES, before, bundle_with(UNKNOWN), Moment(AS_OF_MS, AS_OF_MS, 0))

    assert {key: one.audiences for key, one in after.items()} == {key: one.audiences for key, one in before.items()}
    assert {(one.audiences_version, *one.grounds) for one in after.values()} == {(7,)}
    assert not any(one.audiences for one in decide(PROFILES, {}, bundle_with(UNKNOWN), Moment(NOON, NOON, 0)).values())


def test_a_rule_that_asks_what_no_bundle_says_holds_of_nobody() -> None:
    rules = ("conversion_probability > 0", "not conversion_probability > 0", "micro_segment = 0")
    decisions = decide(PROFILES, {}, bundle_with(audiences(*rules)), Moment(NOON, NOON, 0))
    assert not any(one.audiences for one in decisions.values())


def _told(decision: Decision) -> list[tuple[str, Any]]:
    return [(ground.condition, ground.value) for ground in decision.grounds["a0"].conditions]


def _codes(profiles: Profiles, bundle: Bundle, at_ms: int, sets: SetNumbers) -> Any:
    known = features(profiles, at_ms, bundle.zone)
    return Look.at(bundle, known, Histories(profiles), np.arange(len(profiles)), at_ms).code(sets)


def _view(at: str) -> dict[str, Any]:
    return {"event_id": "e", "customer_id": "a", "event_type": "view_item", "timestamp": at}
