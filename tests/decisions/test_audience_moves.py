"""Moves between audiences, from decisions."""

from dataclasses import replace

from shared.decisions.audience_moves import answer, audience_moves, out_of_audiences
from shared.decisions.decision import Membership
from shared.decisions.grounds import Ground, Grounds
from shared.decisions.transitions import Cause
from tests.support.stored_profiles import decision

A, B = Membership(1_000, "treatment"), Membership(2_000, "control")
GROUNDS = {"b": Grounds([Ground("tenure > 3", 4.0)], "offer")}


def test_who_comes_into_one_and_leaves_another_makes_two_moves() -> None:
    before = decision(audiences={"a": A}, audiences_version=1)
    after = decision(audiences={"b": B}, audiences_version=1, grounds=GROUNDS)

    left, entered = audience_moves("customer#1", 7, before, after, Cause.TIME)

    assert (left.audience, left.entered, left.arm, left.cause) == ("a", False, "treatment", Cause.TIME)
    assert (entered.audience, entered.entered, entered.arm, entered.action) == ("b", True, "control", "offer")
    assert left.id != entered.id != replace(entered, version=8).id
    move = answer(entered)
    assert move["reasons"] == [{"condition": "tenure > 3", "value": 4.0}]
    assert {"transition_id", "audience", "audience_version", "arm", "cause", "at", "predictions", "action"} < {*move}


def test_who_stays_makes_none() -> None:
    same = decision(audiences={"a": A})
    assert audience_moves("customer#1", 7, same, same, Cause.EVENTS) == []
    assert audience_moves("customer#1", 7, None, decision(), Cause.EVENTS) == []


def test_what_an_edited_rule_moves_is_caused_by_it() -> None:
    before, after = decision(audiences_version=1), decision(audiences={"b": B}, audiences_version=2, grounds=GROUNDS)

    [moved] = audience_moves("customer#1", 7, before, after, Cause.MODEL)

    assert moved.cause is Cause.RULE
    [first] = audience_moves("customer#1", 7, None, after, Cause.EVENTS)
    assert first.cause is Cause.EVENTS


def test_who_is_erased_leaves_all() -> None:
    moves = out_of_audiences("customer#1", 9, decision(audiences={"b": B, "a": A}), Cause.ERASURE, 5_000)
    assert [(m.audience, m.entered, m.at_ms) for m in moves] == [("a", False, 5_000), ("b", False, 5_000)]
