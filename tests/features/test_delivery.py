"""Whatever way events are delivered, the state is the same to the byte and the features are the oracle's."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shared.features import FEATURE_NAMES, Profiles, changed, decode, encode, features, fold, merge
from shared.features.columns import EventColumns, Rows
from tests.features.histories import LEAP_DAY, folded, histories
from tests.features.naive import naive_features

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


@given(histories(), st.timedeltas(timedelta(days=-1), timedelta(days=420)))
def test_features_equal_the_oracle_at_any_instant(history: History, since: timedelta) -> None:
    as_of = LEAP_DAY + timedelta(milliseconds=since // timedelta(milliseconds=1))
    state = reread(folded(history))
    matrix = features(state, round(as_of.timestamp() * 1_000))
    for key, row in zip(state.keys, matrix, strict=True):
        mine = [e for e in history if f"customer#{e['customer_id']}" == key]
        expected = naive_features(mine, as_of)
        assert expected.keys() == set(FEATURE_NAMES)
        np.testing.assert_allclose(row, [expected[name] for name in FEATURE_NAMES], rtol=1e-6, atol=1e-9)


@given(histories())
def test_a_customers_features_do_not_depend_on_who_else_is_in_the_batch(history: History) -> None:
    state = folded(history)
    as_of = round((LEAP_DAY + timedelta(days=200)).timestamp() * 1_000)
    together = features(state, as_of)
    alone = np.vstack([features(state.take([i]), as_of) for i in range(len(state))])
    np.testing.assert_array_equal(together, alone)


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
