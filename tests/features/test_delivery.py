"""Whatever way events are delivered, the state is the same to the byte and the features are the oracle's."""

from datetime import datetime, timedelta
from itertools import batched, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import shared.features.codec as codec_module
import shared.features.state as state_module
from shared.durations import DAY_MS
from shared.features import (
    COMPUTED,
    FEATURE_NAMES,
    Profiles,
    changed,
    decode,
    encode,
    features,
    fold,
    merge,
    top_categories,
)
from shared.features.columns import COLUMN_TYPES, EventColumns, Rows
from shared.features.state import MOST_EVENTS
from shared.features.time_zone import TimeZone
from tests.features.histories import LEAP_DAY, corrected_histories, folded, histories
from training.data.naive_features import naive_features, naive_top_categories

ZONES = ("UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe")

History = list[dict[str, Any]]


def stored(state: Profiles) -> dict[str, bytes]:
    return dict(zip(state.keys, encode(state), strict=True))


def reread(state: Profiles) -> Profiles:
    return decode(state.keys, encode(state))


@given(histories(), st.randoms(use_true_random=False), st.data())
def test_any_order_any_batches_and_any_repetition_give_the_same_bytes(
    history: History, random: Any, data: st.DataObject
) -> None:
    repeats = data.draw(st.lists(st.sampled_from(history), max_size=20))
    delivered = [*history, *repeats]
    random.shuffle(delivered)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(delivered)), max_size=5)))
    state = Profiles.empty()
    for begin, end in zip([0, *cuts], [*cuts, len(delivered)], strict=True):
        state = reread(merge(state, folded(delivered[begin:end])))
    assert stored(state) == stored(folded(history))


@given(histories(20), histories(20), histories(20))
def test_merge_is_commutative_associative_and_idempotent(x: History, y: History, z: History) -> None:
    # The three overlap: equal ids with different contents are settled the same way in any order.
    a, b, c = folded(x), folded(y), folded(z)
    assert stored(merge(a, b)) == stored(merge(b, a))
    assert stored(merge(merge(a, b), c)) == stored(merge(a, merge(b, c)))
    assert stored(merge(merge(a, b), b)) == stored(merge(a, b))
    assert stored(merge(a, Profiles.empty())) == stored(a)


@given(histories(), st.timedeltas(timedelta(days=-1), timedelta(days=420)), st.sampled_from(ZONES))
def test_features_equal_the_oracle_at_any_instant(history: History, since: timedelta, zone: str) -> None:
    as_of = LEAP_DAY + timedelta(milliseconds=since // timedelta(milliseconds=1))
    state = reread(folded(history))
    matrix = features(state, round(as_of.timestamp() * 1_000), TimeZone.of(zone), COMPUTED)
    favourites = top_categories(state, round(as_of.timestamp() * 1_000))
    for key, row, categories in zip(state.keys, matrix, favourites, strict=True):
        mine = [e for e in history if f"customer#{e['customer_id']}" == key]
        assert categories == naive_top_categories(mine, as_of)
        expected = naive_features(mine, as_of, ZoneInfo(zone))
        before = naive_features(mine, as_of, ZoneInfo(zone), superseded=True)
        now = [expected[name] for name in FEATURE_NAMES]
        then = [before[feature.name] for feature in COMPUTED[len(FEATURE_NAMES) :]]
        np.testing.assert_allclose(row, [*now, *then], rtol=1e-6, atol=1e-9)


@given(histories())
def test_a_customers_features_do_not_depend_on_who_else_is_in_the_batch(history: History) -> None:
    state = folded(history)
    as_of = round((LEAP_DAY + timedelta(days=200)).timestamp() * 1_000)
    together = features(state, as_of)
    alone = np.vstack([features(state.take([i]), as_of) for i in range(len(state))])
    np.testing.assert_array_equal(together, alone)


@given(histories(), st.randoms(use_true_random=False), st.integers(1, 12))
def test_a_full_profile_keeps_the_latest_events_in_any_delivery(history: History, random: Any, most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state_module, "MOST_EVENTS", most)
        patch.setattr(state_module, "SKETCHED", 1)
        patch.setattr(codec_module, "SKETCHED", 1)
        state = Profiles.empty()
        for events in batched(random.sample(history, len(history)), 7, strict=False):
            state = reread(merge(state, folded([*events])))
        assert stored(state) == stored(folded(history))
        assert not len(changed(state, merge(state, folded(history[:3]))))
    assert state.event_counts.max() <= most
    whole = folded(history)
    kept = np.concatenate([whole.rows.time_ms[max(b, e - most) : e] for b, e in pairwise(whole.starts.tolist())])
    np.testing.assert_array_equal(state.rows.time_ms, kept)


@given(corrected_histories(), st.randoms(use_true_random=False), st.integers(1, 4), st.integers(1, 9))
def test_ids_that_come_with_several_contents_end_the_same_in_any_delivery_even_in_full_profiles(
    history: History, random: Any, most: int, at_once: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state_module, "MOST_EVENTS", most)
        patch.setattr(state_module, "SKETCHED", 1)
        patch.setattr(codec_module, "SKETCHED", 1)
        one_by_one = Profiles.empty()
        for events in batched(random.sample(history, len(history)), at_once, strict=False):
            one_by_one = reread(merge(one_by_one, folded([*events])))
        assert stored(one_by_one) == stored(folded(history))


@given(corrected_histories())
def test_of_an_id_with_several_contents_the_latest_counts(history: History) -> None:
    as_of = LEAP_DAY + timedelta(days=500)
    # One of each id and time: where amounts are equal too, hashes decide, which the oracle knows nothing of.
    history = list({(e["event_id"], e["timestamp"]): e for e in history}.values())
    [row], expected = features(folded(history), round(as_of.timestamp() * 1_000)), naive_features(history, as_of)
    np.testing.assert_allclose(row, [expected[name] for name in FEATURE_NAMES], rtol=1e-6, atol=1e-9)


def test_a_million_events_of_one_customer_stay_small_and_are_called_automated() -> None:
    n, rng = 1_000_000, np.random.default_rng(3)
    time_ms = rng.integers(0, 30 * DAY_MS, n)
    unique = {
        **dict.fromkeys(("product", "campaign", "arm"), np.zeros(n)),
        "fingerprint": rng.integers(0, 2**40, n),
        "session": np.arange(n),
        "time_ms": time_ms,
    }
    rows = Rows(**{name: unique.get(name, rng.integers(0, 9, n)).astype(dtype) for name, dtype in COLUMN_TYPES.items()})
    names = {code: f"category {code}" for code in range(1, 9)}
    state = fold(EventColumns(["customer#bot"], np.zeros(n, np.int64), rows, names))
    [blob] = encode(state)
    assert len(blob) < 100_000
    assert state.automated.tolist() == [True]
    assert state.rows.time_ms.min() >= np.sort(time_ms)[-MOST_EVENTS]
    assert reread(state).event_totals == pytest.approx(n, rel=0.2)


@given(histories(20), histories(6))
def test_only_profiles_that_differ_are_reported_as_changed(known: History, news: History) -> None:
    before = folded(known)
    after = merge(before, folded([{**event, "event_id": event["event_id"] + "n"} for event in news]))
    old, new = stored(before), stored(after)
    assert [after.keys[i] for i in changed(before, after)] == [key for key in new if new[key] != old.get(key)]
    assert not len(changed(after, merge(after, before)))


def test_a_late_event_that_bridges_two_visits_joins_them() -> None:
    def view(number: int, minute: int) -> dict[str, Any]:
        at = datetime(2017, 5, 1, 12, minute).isoformat()
        return {"event_id": f"{number}", "event_type": "page_view", "customer_id": "a", "timestamp": at}

    as_of = round(datetime.fromisoformat("2017-05-02T00:00Z").timestamp() * 1_000)
    visits = FEATURE_NAMES.index("visits_30d")
    apart = folded([view(1, 0), view(2, 50)])
    assert features(apart, as_of)[0, visits] == 2
    assert features(merge(apart, folded([view(3, 25)])), as_of)[0, visits] == 1


def test_nothing_folds_to_nothing() -> None:
    empty = fold(EventColumns([], np.empty(0, np.int64), Rows.empty(), {}))
    assert encode(empty) == []
    assert features(empty, 0).shape == (0, len(FEATURE_NAMES))
    assert len(merge(empty, Profiles.empty())) == 0
