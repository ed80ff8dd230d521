import pytest

from shared.decisions import decision as decisions
from shared.destinations.fields import (
    SOURCES,
    Told,
    attributes_of,
    is_source,
    needs_attributes,
    needs_recommendations,
    recommended_to,
)
from shared.events.columns import product_code
from shared.features import encode, fold
from tests.support.event_files import profiles, purchase
from tests.support.recommenders import AS_OF_MS, event, events_of, recommender_of, small_shop
from tests.support.stored_profiles import decision, profile
from training.recommending.building import Entry

MANIFEST = {"segments": [{"id": 3, "name": "Loyal regulars"}], "targets": {}}


def test_every_source_has_a_value_and_what_is_not_there_has_none() -> None:
    customer = Told(profile("customer#889"), MANIFEST, {"email": "a@x.example"})
    assert {source: customer.value(source) for source in SOURCES} == {
        "customer_id": "889",
        "segment.id": 3,
        "segment.name": "Loyal regulars",
        "segment.since": "2017-07-14T02:40:00Z",
        "micro_segment": None,
        "intent": "steady",
        "action": "no_action",
        "automated_traffic": False,
        "next_change.at": None,
        "audiences": [],
        "campaign": None,
        "buy_again": None,
        "buy_again.names": None,
        "new_for_you": None,
        "new_for_you.names": None,
        "action.products": None,
        "action.products.names": None,
        "as_of": "2017-07-14T02:40:00.001Z",
        "scored_at": "2017-07-14T02:40:00.002Z",
        "model_version": "20170930-abcdef",
    }
    assert customer.value("predictions.churn_probability") == 0.25
    assert customer.value("predictions.other") is None
    assert customer.value("attributes.email") == "a@x.example"
    assert customer.value("attributes.phone") is None


def test_who_is_in_a_control_group_is_told_of_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    audiences = [{"key": "b", "arm": "treatment"}, {"key": "a", "arm": "control"}, {"key": "c", "arm": "treatment"}]
    monkeypatch.setattr("shared.destinations.fields.answer", lambda *_: {"audiences": audiences})
    customer = Told(profile(), {}, {})
    assert customer.value("audiences") == ["b", "c"]
    assert [customer.value(f"audience.{key}") for key in "abc"] == [False, True, True]


def test_a_source_is_one_of_the_list_or_begins_as_one_may() -> None:
    assert all(map(is_source, SOURCES))
    assert all(map(is_source, ("predictions.x", "attributes.a b.c", "audience.win_back")))
    assert not any(map(is_source, ("", "segment", "attributes.", "predictions", "state", "attributes.a\nb")))
    assert needs_recommendations({"a": "intent", "b": "new_for_you.names"})
    assert needs_recommendations({"a": "action.products.names"})
    assert not needs_recommendations({"a": "intent", "b": "attributes.buy_again"})
    assert needs_attributes({"a": "intent", "b": "attributes.x"})
    assert not needs_attributes({"a": "intent"})


def test_lists_and_objects_of_an_answer_are_no_values() -> None:
    assert decisions.answer("1", decision(), {})["left_out"] == {"conversion_probability": None, "expected_ltv": None}
    assert Told(profile(), {}, {}).value("segment.runner_up") == 5
    assert not is_source("left_out")
    assert not is_source("segment.runner_up")


def test_attributes_are_the_latest_that_were_said_of_a_customer_or_their_devices() -> None:
    said = [
        {**purchase("1", 1), "attributes": {"email": "old@x.example", "tier": 2}},
        {**purchase("1", 2, day=2), "attributes": {"email": "new@x.example", "club": True}},
    ]
    (state,) = encode(profiles(*said))
    assert attributes_of(profile("customer#1", state=state)) == {"email": "new@x.example", "tier": 2, "club": True}
    assert attributes_of(profile("customer#1", state=b"")) == {}


def test_what_is_recommended_is_told_by_id_and_by_name() -> None:
    known = recommender_of(
        small_shop(), {product_code(one): Entry(one, name) for one, name in (("a1", "Bread"), ("b1", ""))}
    )
    (state,) = encode(fold(events_of(event("1", "purchase", "a1", "2017-09-20"))))
    lists = recommended_to(profile("customer#1", state=state), known, AS_OF_MS)
    assert lists == {
        "buy_again": ["a1"],
        "buy_again.names": ["Bread"],
        "new_for_you": ["b1"],
        "new_for_you.names": ["b1"],
    }
    customer = Told(profile(), {}, {}, None, lists)
    assert {source: customer.value(source) for source in lists} == lists
    assert customer.value("action.products") is None
    shows = {"actions": {"steady": {"key": "no_action", "recommend": "new_for_you"}}}
    customer = Told(profile(), shows, {}, None, lists)
    assert (customer.value("action.products"), customer.value("action.products.names")) == (["b1"], ["b1"])
    assert recommended_to(profile("customer#1", state=b""), known, AS_OF_MS)["buy_again"] == []
