import pytest

from shared.decisions.decision import NextChange, answer, changes_segment, iso, segment_of
from tests.support.stored_profiles import decision

MANIFEST = {
    "segments": [{"id": 3, "name": "Regulars", "actions": {"steady": {"key": "card", "title": "A card"}}}],
    "targets": {"conversion": {"trained": False, "reason": "too few"}},
}


def test_the_segment_of_one_without_a_decision_is_none() -> None:
    assert segment_of(decision(segment=0)) == 0
    assert segment_of(None) is None


@pytest.mark.parametrize(
    ("before", "after", "moves"),
    [
        (decision(segment=1), decision(segment=2), True),
        (decision(segment=1), decision(segment=1, margin=0.9), False),
        (None, decision(segment=0), True),
        (decision(segment=0), None, True),
        (None, None, False),
    ],
)
def test_only_another_segment_is_a_move(before: object, after: object, moves: bool) -> None:
    assert changes_segment(before, after) is moves  # type: ignore[arg-type]


def test_the_answer_names_segment_and_action_and_says_what_is_left_out() -> None:
    given = answer("889", decision(), MANIFEST)
    assert (given["segment"]["id"], given["segment"]["name"]) == (3, "Regulars")
    assert (given["action"], given["action_details"]) == ("card", {"title": "A card"})
    assert given["predictions"] == {"churn_probability": 0.25, "conversion_probability": None, "expected_ltv": None}
    assert given["left_out"] == {"conversion_probability": "too few", "expected_ltv": None}


def test_without_its_manifest_a_decision_is_answered_without_names() -> None:
    bare = answer("889", decision(next_change=NextChange(0, 5, "dormant")), {})
    assert bare["segment"]["name"] is None
    assert bare["next_change"] == {
        "at": "1970-01-01T00:00:00Z",
        "to": 5,
        "name": None,
        "intent": "dormant",
        "audiences": [],
    }


def test_the_answer_says_how_far_the_decision_lies_outside_of_what_was_trained_on() -> None:
    trained_on = {"days_since_order": {"least": 0, "most": 200.0, "undefined": False}}
    values = {"tenure": 30.0, "days_since_order": 670.0, "days_since_cart": None}
    given = answer("889", decision(outside_training=values), {**MANIFEST, "trained_on": trained_on})
    assert given["outside_training"] == [
        {"feature": "days_since_cart", "value": None, "least": None, "most": None, "beyond": None},
        {"feature": "tenure", "value": 30.0, "least": None, "most": None, "beyond": None},
        {"feature": "days_since_order", "value": 670.0, "least": 0, "most": 200.0, "beyond": 2.35},
    ]
    assert answer("889", decision(), MANIFEST)["outside_training"] == []


def test_times_show_milliseconds_where_there_are_any() -> None:
    assert iso(1_500_000_000_000) == "2017-07-14T02:40:00Z"
    assert iso(1_500_000_000_020) == "2017-07-14T02:40:00.020Z"
