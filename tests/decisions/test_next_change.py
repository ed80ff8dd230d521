from collections.abc import Iterator

import numpy as np
import pytest

from bench.shop import AS_OF_MS, shop_events
from shared.audiences.evaluating import Histories
from shared.clock import Moment
from shared.decisions.deciding import decide
from shared.decisions.decision import NextChange
from shared.decisions.intent import intents
from shared.decisions.memberships import Look
from shared.decisions.next_change import _Evaluations, _leaving, midnight_after, next_changes
from shared.durations import DAY_MS
from shared.features import Profiles, features, fold
from shared.features.time_zone import TimeZone
from shared.models.bundle import Bundle
from tests.support.bundles import make_bundle

HORIZON = 90
BUNDLE = Bundle.from_files(*make_bundle(feature="visits_30d", centroids=(0.0, 1.0, 3.0)))
PROFILES = fold(shop_events(400))
NOON = AS_OF_MS + DAY_MS // 2


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Australia/Lord_Howe"])
def test_is_the_day_that_a_brute_force_day_by_day_finds(zone: str) -> None:
    # The bundle looks at visits alone, which change on the days that are tried and on no other.
    bundle = in_zone(zone)
    assert changes(PROFILES, NOON, bundle=bundle) == brute_force(PROFILES, NOON, bundle)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
@pytest.mark.parametrize("as_of_ms", [AS_OF_MS, NOON, AS_OF_MS - 40 * DAY_MS + 12_345_678])
def test_features_of_days_to_come_are_those_computed_anew(as_of_ms: int, zone: str) -> None:
    bundle = in_zone(zone)
    random = np.random.default_rng(1)
    who = np.sort(random.integers(0, len(PROFILES), 2_000))
    days = random.integers(1, HORIZON + 1, 2_000)
    leaving = _leaving(PROFILES, as_of_ms, HORIZON, bundle.zone)
    evaluations = _Evaluations(PROFILES, now(PROFILES, as_of_ms, bundle), bundle, leaving)
    midnights = bundle.zone.midnight(bundle.zone.day(np.array(as_of_ms)) + days)
    anew = features(PROFILES.take(who), midnights, bundle.zone)
    np.testing.assert_allclose(evaluations.features(who, days), anew, rtol=1e-6, atol=0)


def test_nothing_changes_when_nothing_is_looked_ahead() -> None:
    assert changes(PROFILES, NOON, horizon_days=0) == [None] * len(PROFILES)


def test_lies_after_the_decision_within_the_horizon() -> None:
    days = [change.at_ms / DAY_MS - AS_OF_MS / DAY_MS for change in changes(PROFILES, NOON) if change]
    assert 0 < len(days) < len(PROFILES)
    assert all(day in range(1, HORIZON + 1) for day in days)


def test_what_is_announced_comes_true() -> None:
    decisions = decide(PROFILES, {}, BUNDLE, Moment(NOON, NOON))
    for i, (key, decision) in enumerate(decisions.items()):
        if decision.next_change and i % 10 == 0:
            at = decision.next_change.at_ms
            [then] = decide(PROFILES.take([PROFILES.keys.index(key)]), {}, BUNDLE, Moment(at, at)).values()
            assert (then.segment, then.intent) == (decision.next_change.segment, decision.next_change.intent)
            assert (then.segment, then.intent) != (decision.segment, decision.intent)


def test_who_does_not_change_is_looked_at_again_at_the_end_of_the_horizon() -> None:
    for decision in decide(PROFILES, {}, BUNDLE, Moment(NOON, NOON)).values():
        due = decision.next_change.at_ms if decision.next_change else AS_OF_MS + HORIZON * DAY_MS
        assert decision.due_ms == due


def in_zone(name: str) -> Bundle:
    bundle = Bundle.from_files(*make_bundle(feature="visits_30d", centroids=(0.0, 1.0, 3.0)))
    bundle.zone = TimeZone.of(name)
    return bundle


def changes(
    profiles: Profiles, as_of_ms: int, horizon_days: int = HORIZON, bundle: Bundle = BUNDLE
) -> list[NextChange | None]:
    return next_changes(profiles, now(profiles, as_of_ms, bundle), bundle, horizon_days)


def now(profiles: Profiles, as_of_ms: int, bundle: Bundle) -> Look:
    known = features(profiles, as_of_ms, bundle.zone)
    return Look.at(bundle, known, Histories(profiles), np.arange(len(profiles)), as_of_ms)


def brute_force(profiles: Profiles, as_of_ms: int, bundle: Bundle) -> list[NextChange | None]:
    def each_day() -> Iterator[tuple[int, list[tuple[int, str]]]]:
        for day in range(1, HORIZON + 1):
            midnight = midnight_after(as_of_ms, day, bundle.zone)
            known = features(profiles, midnight, bundle.zone)
            decided = bundle.decide(known)
            yield midnight, list(zip(decided.segment.tolist(), intents(decided, known, bundle.manifest), strict=True))

    known = features(profiles, as_of_ms, bundle.zone)
    decided = bundle.decide(known)
    now = list(zip(np.asarray(decided.segment).tolist(), intents(decided, known, bundle.manifest), strict=True))
    first: list[NextChange | None] = [None] * len(profiles)
    for midnight, then in each_day():
        for i, (segment, intent) in enumerate(then):
            if first[i] is None and (segment, intent) != now[i]:
                first[i] = NextChange(midnight, segment, intent)
    return first
