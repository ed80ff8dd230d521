from dataclasses import replace
from typing import Any

import pytest

from shared.decisions.decision import Decision, NextChange
from shared.features import encode
from shared.identity.consents import Mark
from shared.identity.keys import customer_key, visitor_key
from shared.identity.links import NOBODY, Copy, Link, LinkState
from shared.profiles.stored_profile import StoredProfile
from tessera.words import mark_facts, profile_facts
from tests.support.bundles import make_bundle
from tests.support.event_files import profiles, purchase

MANIFEST = make_bundle()[1]
DECISION = Decision(
    segment=2,
    since_ms=1_509_753_600_000,
    margin=0.42,
    runner_up=1,
    predictions={"churn_probability": 0.12},
    intent="loyal",
    action="loyalty_reward",
    as_of_ms=1_514_658_130_000,
    scored_at_ms=1_514_658_132_250,
    model_version=MANIFEST["bundle_id"],
    next_change=NextChange(1_516_406_400_000, segment=1, intent="likely_to_churn"),
    due_ms=1_516_406_400_000,
)
(STATE,) = encode(profiles(*(purchase("889", number, day=1 + 2 * number) for number in range(3))))
PROFILE = StoredProfile(customer_key("889"), 1, STATE, 3, None)


def facts(profile: StoredProfile, manifest: Any = MANIFEST) -> list[tuple[str, str]]:
    return list(profile_facts(profile, manifest, "EUR"))


def test_what_was_done_is_counted_as_features_count_it() -> None:
    assert facts(PROFILE)[:6] == [
        ("Events", "3 kept"),
        ("From", "2017-10-01 12:00 UTC"),
        ("To", "2017-10-05 12:00 UTC"),
        ("Visits", "3, the last at 2017-10-05 12:00 UTC"),
        ("Orders", "3, the last at 2017-10-05 12:00 UTC"),
        ("Net spend", "29.97 EUR"),
    ]


def test_attributes_and_campaigns_are_told() -> None:
    exposure = {"event_type": "campaign_exposure", "campaign": "autumn"}
    events = [
        purchase("889", 1, region="DE", attributes={"tier": "gold", "born": 1987}),
        purchase("889", 2, day=2, **exposure, arm="treatment"),
        purchase("889", 3, day=3, **exposure, arm="control"),
        purchase("889", 4, day=4, **exposure | {"campaign": "winter"}, arm="treatment"),
    ]
    (state,) = encode(profiles(*events))
    assert facts(replace(PROFILE, state=state))[:9] == [
        ("Events", "4 kept"),
        ("From", "2017-10-01 12:00 UTC"),
        ("To", "2017-10-04 12:00 UTC"),
        ("Attribute", "born = 1987, since 2017-10-01 12:00 UTC"),
        ("Attribute", 'region = "DE", since 2017-10-01 12:00 UTC'),
        ("Attribute", 'tier = "gold", since 2017-10-01 12:00 UTC'),
        ("Campaign", "autumn: control, last at 2017-10-03 12:00 UTC"),
        ("Campaign", "winter: treatment, last at 2017-10-04 12:00 UTC"),
        ("Visits", "1, the last at 2017-10-01 12:00 UTC"),
    ]


def test_a_refund_is_taken_off_and_is_no_order() -> None:
    (state,) = encode(profiles(purchase("889"), purchase("889", 1, event_type="refund", price=4)))
    texts = dict(facts(replace(PROFILE, state=state)))
    assert texts["Net spend"] == "5.99 EUR"
    assert texts["Orders"] == "1, the last at 2017-10-01 12:00 UTC"


def test_who_only_looked_around_has_no_order() -> None:
    (state,) = encode(profiles(purchase("889", event_type="page_view")))
    assert dict(facts(replace(PROFILE, state=state)))["Orders"] == "none"


def test_a_decision_is_told_by_the_names_of_its_model() -> None:
    assert facts(replace(PROFILE, decision=DECISION))[6:] == [
        ("Segment", "About 10 (2), since 2017-11-04 00:00 UTC"),
        ("Runner-up", "About 2 (1); the segment is 42% nearer"),
        ("Churn", "12%"),
        ("Conversion", "not predicted: fewer than 100 positives"),
        ("Expected value", "not predicted: the data spans fewer than 90 days"),
        ("Intent", "loyal"),
        ("Action", "loyalty_reward"),
        ("Decided", "as of 2017-12-30 18:22 UTC, by model 20171001-aaaaaaaa"),
        ("Next change", "2018-01-20 00:00 UTC: About 2 (1), likely_to_churn"),
        ("Due", "decided on anew from 2018-01-20 00:00 UTC on"),
        ("Stored", f"{len(STATE)} bytes, version 1"),
    ]


def test_without_the_model_segments_have_numbers_alone() -> None:
    texts = dict(facts(replace(PROFILE, decision=DECISION), manifest={}))
    assert texts["Segment"] == "segment 2, since 2017-11-04 00:00 UTC"
    assert texts["Conversion"] == "not predicted: this model does not"


def test_a_prediction_says_how_far_it_looks_and_what_it_was_not_trained_on() -> None:
    trained_on = {"days_since_order": {"least": 0, "most": 1200.5, "undefined": False}}
    targets = {**MANIFEST["targets"], "churn": {"trained": True, "horizon_days": 30}}
    outside = {"days_since_order": 1670.25, "tenure": None}
    decided = replace(PROFILE, decision=replace(DECISION, outside_training=outside))
    shown = profile_facts(decided, {**MANIFEST, "targets": targets, "trained_on": trained_on}, "EUR")
    assert ("Churn", "12% within 30 days") in shown
    assert [text for name, text in shown if name == "Outside of training"] == [
        "tenure undefined",
        "days_since_order 1,670.25, trained on 0 to 1,200.5",
    ]


def test_an_action_has_the_title_of_the_catalogue() -> None:
    manifest = {**MANIFEST, "actions": {"loyal": {"key": "dinner", "title": "A dinner"}}}
    texts = dict(profile_facts(replace(PROFILE, decision=DECISION), manifest, "EUR"))
    assert texts["Action"] == "dinner: A dinner"


def test_who_waits_for_a_model_has_no_decision_and_is_due() -> None:
    texts = dict(facts(replace(PROFILE, waits_since_ms=1_516_406_400_000)))
    assert texts["Decision"] == "none yet; it follows once a model is published"
    assert texts["Due"].endswith("for it waits for a model")


def test_nothing_in_sight_is_said() -> None:
    texts = dict(facts(replace(PROFILE, decision=replace(DECISION, next_change=None))))
    assert texts["Next change"] == "none in sight if nothing happens"


def test_visitors_of_a_customer_are_listed_and_count() -> None:
    copies = {visitor_key("phone"): Copy(1, STATE), visitor_key("work"): Copy(2, None)}
    lines = facts(replace(PROFILE, state=b"", visitors=copies))
    assert lines[0] == ("Events", "3 kept, 3 as a visitor")
    assert [text for name, text in lines if name == "Visitor"] == ["phone: 3 events", "work: link withdrawn"]


def test_a_profile_without_events_says_so() -> None:
    assert facts(replace(PROFILE, state=b"", visitors={visitor_key("work"): Copy(2, None)}))[0] == ("Events", "none")


@pytest.mark.parametrize(
    ("link", "says"),
    [
        (Link(customer_key("a")), "is customer a"),
        (Link(customer_key("a"), others=("b",)), "is customer a; 1 more claim it"),
        (Link(customer_key("a"), LinkState.UNLINKED), "was customer a, until that was undone by hand"),
        (Link(NOBODY), "is a customer who was erased"),
        (Link(customer_key("a"), LinkState.SHARED, ("b", "c")), "3 or more customers share it: it counts for none"),
    ],
)
def test_a_visitor_says_who_it_is(link: Link, says: str) -> None:
    visitor = replace(PROFILE, key=visitor_key("phone"), link=link)
    assert dict(facts(visitor))["Link"] == says


def test_a_mark_says_from_when_events_count() -> None:
    mark = Mark(refused_ms=1_509_753_600_000, given_ms=frozenset({1_509_840_000_000}), unlinked=True)
    assert list(mark_facts(mark)) == [
        ("Refused", "at 2017-11-04 00:00 UTC, by an erasure or an event"),
        ("Counts from", "2017-11-05 00:00 UTC, for earlier events were refused"),
        ("Consent", "given at 2017-11-05 00:00 UTC"),
        ("Link", "undone by hand, and not to be made again"),
    ]


def test_after_a_refusal_no_event_counts_until_consent_is_given() -> None:
    assert dict(mark_facts(Mark(refused_ms=1_509_753_600_000)))["Counts from"] == "never, unless consent is given"
