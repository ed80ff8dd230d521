"""Outcomes of any target are the oracle's, whatever it asks and however customers behave."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.features import features
from tests.features.histories import LEAP_DAY, folded, histories
from training.base.config import Config
from training.base.target_entry import TargetEntry, own_types
from training.data.naive_targets import naive_outcome
from training.prediction.targets import PointsInTime, targets

EVENTS = ("purchase", "refund", "view_item", "survey", "email_open", "campaign_exposure", "other", "coupon")
EXPOSED_DAYS = 30


@st.composite
def entries(draw: st.DrawFn) -> TargetEntry:
    """A target that fits together."""
    table: dict[str, Any] = {
        "name": "own",
        "within_days": draw(st.integers(1, 200)),
        "event": draw(st.lists(st.sampled_from(EVENTS[:-2]), min_size=1, max_size=3)),
        "kind": draw(st.sampled_from(["probability", "amount"])),
        "happens": draw(st.booleans()),
        "least": draw(st.integers(1, 4)),
        "least_spent": draw(st.sampled_from([0.0, 0.01, 100.0])),
        "for": draw(st.sampled_from(["everyone", "buyers", "exposed"])),
        "campaign": draw(st.sampled_from([None, "spring", "Shoes"])),
        "category": draw(st.sampled_from([None, None, "Shoes", "Überzug"])),
        "brand": draw(st.sampled_from([None, None, None, "Acme"])),
        "product": draw(st.sampled_from([None, None, None, "p1"])),
    }
    entry = TargetEntry.of(table)
    for simpler in ({"least_spent": 0.0}, {"campaign": None}, {"happens": True, "least": 1, "least_spent": 0.0}):
        if entry.mistakes():
            entry = msgspec.structs.replace(entry, **simpler)
    return entry if not entry.mistakes() else msgspec.structs.replace(entry, event=("view_item",))


@given(histories(), entries(), st.timedeltas(timedelta(days=1), timedelta(days=420)))
def test_outcomes_equal_the_oracle_at_any_cutoff(
    history: list[dict[str, Any]], entry: TargetEntry, since: timedelta
) -> None:
    cutoff = LEAP_DAY + timedelta(milliseconds=since // timedelta(milliseconds=1))
    (target,) = [each for each in targets(Config(target=(entry,))) if each.name == "own"]
    state = folded(history, own_types([entry]))
    rows = PointsInTime(state, exposed_days=EXPOSED_DAYS).slice(target, round(cutoff.timestamp() * 1_000))
    counted = {state.keys[i].removeprefix("customer#"): y for i, y in zip(rows.customers, rows.y, strict=True)}
    assert counted == pytest.approx(_expected(history, entry, cutoff))


def _expected(history: list[dict[str, Any]], entry: TargetEntry, cutoff: datetime) -> dict[str, float]:
    each = {c: [e for e in history if e["customer_id"] == c] for c in {e["customer_id"] for e in history}}
    outcomes = {c: naive_outcome(events, entry, cutoff, EXPOSED_DAYS) for c, events in each.items()}
    return {c: outcome for c, outcome in outcomes.items() if outcome is not None}


@given(histories())
def test_no_feature_hangs_on_which_types_are_told_apart(history: list[dict[str, Any]]) -> None:
    as_of_ms = round((LEAP_DAY + timedelta(days=300)).timestamp() * 1_000)
    plain, apart = folded(history), folded(history, ("survey",))
    np.testing.assert_array_equal(PointsInTime(apart).features(as_of_ms), features(plain, as_of_ms))


@given(histories())
def test_other_activity_is_whatever_no_type_of_ours_is(history: list[dict[str, Any]]) -> None:
    entry = TargetEntry.of({"name": "own", "within_days": 500, "event": "other", "kind": "amount"})
    (target,) = [each for each in targets(Config(target=(entry,))) if each.name == "own"]
    state = folded(history, ("survey",))
    at_ms = int(LEAP_DAY.timestamp() * 1_000)
    counted = target.outcome(state, at_ms, at_ms + 500 * 86_400_000).sum()
    assert counted == sum(e["event_type"] == "survey" for e in history)
