"""Rows of customers, orders and exposures, against the events that they were made of."""

import json
from base64 import b64decode
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.decision import Membership, NextChange
from shared.events.columns import product_code
from shared.exports import rows
from shared.exports.schema import Table
from shared.exports.tables import CUSTOMERS, DECISIONS, EXPOSURES, ORDERS, STATES
from shared.features import FEATURE_NAMES, encode, features
from shared.features.time_zone import UTC_TIME
from shared.identity.keys import customer_key
from tests.experiments.test_histories import Happened, happenings
from tests.experiments.test_histories import _profiles as shop
from tests.insight.exported import exposures
from tests.support.event_files import profiles, purchase
from tests.support.recommenders import small_recommender
from tests.support.stored_profiles import decision

AS_OF_MS = 1_508_000_000_000  # 14 October 2017
EVENTS = (
    purchase("a", 1, day=2, product_id="p-1", brand="Acme", discount=1.5),
    purchase("a", 2, day=20),
    purchase("b", 3, day=3, event_type="refund", order_id=None, category=None),
    {**purchase("b", 4, day=4), "event_type": "campaign_exposure", "campaign": "spring", "arm": "control"},
    {**purchase("b", 5, day=5), "event_type": "identify", "attributes": {"tier": "gold", "born": 1987}},
)


def known() -> Any:
    return rows.before(profiles(*EVENTS), AS_OF_MS)


def table_of(table: Table, made: rows.Rows) -> list[dict[str, Any]]:
    assert {*made} == {*table.names}
    assert len({len(column) for column in made.values()}) == 1
    return [dict(zip(made, row, strict=True)) for row in zip(*made.values(), strict=True)]


def customers(decisions: list[Any]) -> list[dict[str, Any]]:
    keys = ["customer#a", "customer#b", "customer#silent"]
    made = rows.customers(keys, decisions, known(), lambda bundle, id_: f"{bundle}/{id_}", AS_OF_MS, UTC_TIME)
    return table_of(CUSTOMERS, {**made, **rows.recommended(keys, decisions, known(), AS_OF_MS, None)})


def test_features_are_those_of_the_instant_and_unknown_of_who_did_nothing() -> None:
    a, b, silent = customers([None, None, None])
    expected = features(known(), AS_OF_MS, UTC_TIME)
    for row, values in ((a, expected[0]), (b, expected[1])):
        np.testing.assert_array_equal([row[name] for name in FEATURE_NAMES], values)
    assert all(np.isnan(silent[name]) for name in FEATURE_NAMES)
    assert [row["events"] for row in (a, b, silent)] == [1, 3, 0]
    assert (silent["attributes"], silent["segment_id"] == silent["segment_id"]) == (None, False)
    assert json.loads(b["attributes"]) == {"tier": "gold", "born": 1987}
    assert a["first_event_at"] == a["last_event_at"] == 1_506_945_600_000


def test_a_decision_is_exported_as_it_stands() -> None:
    stands = decision(
        audiences={"z": Membership(1, "control"), "b": Membership(2, "treatment")},
        next_change=NextChange(1_509_000_000_000, 7, "dormant"),
        outside_training={"tenure": 9.0},
        automated=True,
        predictions={"churn_probability": 0.25, "coupon_probability": 0.125},
    )
    row, none, _ = customers([stands, None, None])
    assert (row["segment_id"], row["segment_name"]) == (3, "20170930-abcdef/3")
    assert (row["churn_probability"], row["audiences"], row["control_audiences"]) == (0.25, '["b", "z"]', '["z"]')
    assert (row["next_change_at"], row["next_segment_id"]) == (1_509_000_000_000, 7)
    assert (row["outside_training"], row["automated_traffic"]) == ('["tenure"]', 1)
    assert json.loads(row["own_predictions"]) == {"coupon_probability": 0.125}
    assert np.isnan(row["expected_ltv"])
    assert (none["audiences"], none["model_version"]) == (None, None)
    (same,) = table_of(DECISIONS, rows.decisions(["customer#a"], [replace(stands)], lambda *_: None))
    assert (same["customer_id"], same["as_of"]) == ("a", stands.as_of_ms)


def test_orders_are_lines_before_the_instant() -> None:
    bought, paid_back = table_of(ORDERS, rows.orders(known()))
    assert (bought["customer_id"], bought["type"], bought["amount"], bought["discount"]) == (
        "a", "purchase", 99_900, 15_000,
    )  # fmt: skip
    assert bought["product_code"] == product_code("p-1")
    assert bought["category"] == "Bakery"
    assert (paid_back["type"], paid_back["category"], paid_back["amount"]) == ("refund", None, 99_900)
    assert np.isnan([paid_back["order_code"], paid_back["product_code"], paid_back["brand_code"]]).all()


def test_a_state_is_what_is_known_before_the_instant() -> None:
    before = known()
    kept = {row["customer_id"]: b64decode(row["state"]) for row in table_of(STATES, rows.states(before))}
    assert {customer_key(one): state for one, state in kept.items()} == dict(
        zip(before.keys, encode(before), strict=True)
    )


def test_exposures_have_their_campaign_and_arm() -> None:
    (exposed,) = table_of(EXPOSURES, rows.exposures(known()))
    assert (exposed["customer_id"], exposed["campaign"], exposed["arm"]) == ("b", "spring", "control")


@given(st.lists(happenings, min_size=1, max_size=30))
def test_exposures_have_the_visits_around_them(events: list[Happened]) -> None:
    some = shop(events)
    made = rows.exposures(some)
    times = [(one["last_visit_at"], one["next_visit_at"]) for one in exposures(some)]
    expected = np.array(times, float).reshape(-1, 2)
    np.testing.assert_array_equal(np.column_stack([made["last_visit_at"], made["next_visit_at"]]), expected)


def test_nobody_is_no_row() -> None:
    nothing = rows.before(profiles(), AS_OF_MS)
    assert table_of(ORDERS, rows.orders(nothing)) == table_of(EXPOSURES, rows.exposures(nothing)) == []
    nobody = rows.customers([], [], nothing, lambda *_: None, AS_OF_MS, UTC_TIME)
    recommended = rows.recommended([], [], nothing, AS_OF_MS, small_recommender())
    assert table_of(CUSTOMERS, {**nobody, **recommended}) == []


def test_recommendations_are_those_of_each_customer_s_own_events() -> None:
    bought = [purchase(name, day, day=day, product_id=name) for name in ("a1", "b1") for day in (1, 8)]
    keys = ["customer#b1", "customer#silent", "customer#a1"]
    made = rows.recommended(keys, [None] * 3, profiles(*bought), AS_OF_MS, small_recommender())
    assert made["buy_again"].tolist() == ['["b1"]', "[]", '["a1"]']
    new = [json.loads(one) for one in made["new_for_you"]]
    assert [sorted(one) for one in new] == [["a1", "a2", "c1"], ["a1", "a2", "b1", "c1"], ["a2", "b1", "c1"]]
