from dataclasses import replace

from shared.decisions.transitions import Cause, answer, into_segment, out_of_segments
from tests.support.stored_profiles import decision

REASONS = [{"feature": "tenure"}]


def test_a_move_into_a_segment_is_dated_and_given_by_the_decision_after() -> None:
    moved = into_segment("customer#1", 7, decision(segment=1), decision(segment=2), Cause.EVENTS, REASONS)
    assert (moved.left, moved.entered, moved.at_ms) == (1, 2, decision().since_ms)
    assert (moved.intent, moved.predictions, moved.reasons) == ("steady", {"churn_probability": 0.25}, REASONS)


def test_the_first_decision_leaves_no_segment() -> None:
    assert into_segment("customer#1", 7, None, decision(), Cause.EVENTS).left is None


def test_a_move_out_of_all_segments_keeps_the_model_of_the_last_decision_alone() -> None:
    moved = out_of_segments("customer#1", 8, decision(), Cause.ERASURE, 99)
    assert (moved.left, moved.entered, moved.at_ms, moved.model_version) == (3, None, 99, decision().model_version)
    assert (moved.intent, moved.action, moved.predictions, moved.reasons) == (None, None, {}, ())


def test_an_id_is_that_of_the_customer_and_the_version() -> None:
    moved = into_segment("customer#1", 7, None, decision(), Cause.EVENTS)
    assert moved.id == replace(moved, cause=Cause.MODEL).id
    assert moved.id != replace(moved, version=8).id
    assert moved.id != replace(moved, key="customer#2").id


def test_the_answer_says_every_prediction_and_not_whose_it_is() -> None:
    given = answer(into_segment("customer#1", 7, None, decision(), Cause.IDENTITY))
    assert given["cause"] == "identity" and given["from"] is None and given["to"] == 3
    assert given["predictions"] == {"churn_probability": 0.25, "conversion_probability": None, "expected_ltv": None}
    assert "customer#1" not in repr(given)
