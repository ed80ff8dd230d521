"""Point-in-time rows: outcomes against the raw events, and no way for the future into the features."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta

import numpy as np
import pytest

from shared.durations import DAY_MS
from shared.features import FEATURE_NAMES, features, until
from tests.support.event_files import profiles
from tests.support.shop import OPENED, Event
from tests.training.conftest import Shop
from training.base.config import Config
from training.prediction.targets import IN_SILENCE, PointsInTime, Target, cutoffs, targets

CHURN, CONVERSION, LTV = targets(Config())
CUTOFF = OPENED + timedelta(days=150, hours=7)
CUTOFF_MS = int(CUTOFF.timestamp() * 1000)


def outcomes(events: list[Event], target: Target, cutoff: datetime = CUTOFF) -> dict[str, float]:
    """The target's outcomes by customer, as the engine counts them."""
    state = profiles(*events)
    rows = PointsInTime(state).slice(target, int(cutoff.timestamp() * 1000))
    return {state.keys[i].removeprefix("customer#"): y for i, y in zip(rows.customers, rows.y, strict=True)}


def naive_outcomes(events: list[Event], target: Target, cutoff: datetime = CUTOFF) -> dict[str, float]:
    """The same straight from the contract's words."""
    end = cutoff + timedelta(days=target.horizon_days)
    known = set()
    bought_before = set()
    orders = Counter[str]()
    spend = defaultdict[str, float](float)
    for event in events:
        at = datetime.fromisoformat(event["timestamp"])
        customer = event["customer_id"]
        kind = event["event_type"]
        if at < cutoff:
            known.add(customer)
            if kind == "purchase":
                bought_before.add(customer)
        elif at < end and kind == "purchase":
            orders[customer] += 1
            spend[customer] += event["price"]
        elif at < end and kind == "refund":
            spend[customer] -= event["price"]
    if target is CHURN:
        return {customer: float(orders[customer] == 0) for customer in bought_before}
    if target is CONVERSION:
        return {customer: float(orders[customer] > 0) for customer in known}
    return {customer: spend[customer] for customer in known}


@pytest.mark.parametrize("target", [CHURN, CONVERSION, LTV], ids=lambda target: target.name)
def test_outcomes_are_what_the_raw_events_say(shop: Shop, target: Target) -> None:
    counted = outcomes(shop.events, target)
    expected = naive_outcomes(shop.events, target)
    assert counted == pytest.approx(expected)
    assert len({y > 0 for y in counted.values()}) == 2


@pytest.mark.parametrize(("days", "churned"), [(0, 0.0), (29.999, 0.0), (30, 1.0)])
def test_horizon_begins_at_the_cutoff_and_ends_before_its_last_instant(days: float, churned: float) -> None:
    before = {"customer_id": "a", "event_type": "purchase", "timestamp": (CUTOFF - timedelta(days=9)).isoformat()}
    after = {**before, "timestamp": (CUTOFF + timedelta(days=days)).isoformat()}
    assert outcomes([before, after], CHURN) == {"a": churned}


def test_an_event_at_or_after_the_cutoff_changes_no_feature(shop: Shop) -> None:
    before = [event for event in shop.events if datetime.fromisoformat(event["timestamp"]) < CUTOFF]
    at_once = [{**event, "event_id": f"x{i}", "timestamp": CUTOFF.isoformat()} for i, event in enumerate(before[:500])]
    without, with_all = PointsInTime(profiles(*before)), PointsInTime(profiles(*shop.events, *at_once))
    for target in (CHURN, CONVERSION, LTV):
        here, there = without.slice(target, CUTOFF_MS), with_all.slice(target, CUTOFF_MS)
        keys = [with_all.profiles.keys[i] for i in there.customers]
        assert [without.profiles.keys[i] for i in here.customers] == keys
        np.testing.assert_array_equal(here.X, there.X)


@pytest.mark.parametrize("target", [CHURN, CONVERSION, LTV], ids=lambda target: target.name)
def test_an_event_before_the_cutoff_changes_no_outcome(shop: Shop, target: Target) -> None:
    earlier = (CUTOFF - timedelta(milliseconds=1)).isoformat()
    extra = [
        {**event, "event_id": f"x{i}", "event_type": kind, "price": 50, "timestamp": earlier}
        for i, (event, kind) in enumerate(
            zip(shop.events[:900], ["purchase", "refund", "view_item"] * 300, strict=True)
        )
    ]
    plain, more = outcomes(shop.events, target), outcomes([*shop.events, *extra], target)
    assert {customer: more[customer] for customer in plain} == plain


def test_cutoffs_have_history_before_and_whole_horizons_after_them() -> None:
    config = Config(minimum_history_days=20, cutoff_every_days=30, maximum_cutoffs=9)
    instants = cutoffs(0, 100 * DAY_MS, 30, config)
    assert [cutoff / DAY_MS for cutoff in instants] == [70, 40]


def test_churn_may_only_rise_and_value_only_fall_in_silence() -> None:
    for target, direction in ((CHURN, 1), (CONVERSION, 0), (LTV, -1)):
        directions = dict(zip(FEATURE_NAMES, target.task.rises_with, strict=True))
        expected = {name: direction * by for name, by in IN_SILENCE.items()} if direction else {}
        assert {name: by for name, by in directions.items() if by} == expected


def test_what_grows_or_falls_in_silence_does_so_for_everybody(shop: Shop) -> None:
    known = until(shop.profiles, CUTOFF_MS)
    silent = [features(known, CUTOFF_MS + days * DAY_MS) for days in (0, 7, 30, 90, 365, 1_500)]
    grown = np.diff(np.stack(silent), axis=0)
    for name, direction in IN_SILENCE.items():
        change = grown[:, :, FEATURE_NAMES.index(name)]
        assert (direction * change[~np.isnan(change)] >= 0).all()
        assert (direction * change[~np.isnan(change)] > 0).any(), name
