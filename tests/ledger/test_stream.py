import base64
from typing import Any

import pytest

from shared.decisions.transitions import Cause, Transition
from shared.ledger.stream import Moves, ended, moves_of
from shared.profiles.item import ItemsUnreadable, encode_profile
from shared.profiles.stored_profile import StoredProfile
from tests.support.stored_profiles import decision, profile

REASONS = [{"feature": "tenure"}]


def image(stored: StoredProfile) -> dict[str, Any]:
    item = encode_profile(stored)
    return {**item, "state": {"B": base64.b64encode(stored.state).decode()}}


def record(old: StoredProfile | None, new: StoredProfile | None) -> dict[str, Any]:
    change: dict[str, Any] = {"ApproximateCreationDateTime": 1_500_000_000.5}
    if old:
        change["OldImage"] = image(old)
    if new:
        change["NewImage"] = image(new)
    return {"eventName": "MODIFY" if new else "REMOVE", "dynamodb": change}


def transition(old: StoredProfile | None, new: StoredProfile | None) -> Transition | None:
    return moves(old, new).transition


def moves(old: StoredProfile | None, new: StoredProfile | None) -> Moves:
    return moves_of(record(old, new), lambda _profile: REASONS)


def test_a_first_decision_and_another_segment_are_moves_with_their_reasons() -> None:
    first = transition(None, profile(version=1, moved=Cause.EVENTS))
    assert first and (first.left, first.entered, first.version, first.reasons) == (None, 3, 1, REASONS)
    moved = transition(profile(version=1), profile(version=2, decision=decision(segment=0), moved=Cause.TIME))
    assert moved and (moved.left, moved.entered, moved.version, moved.cause) == (3, 0, 2, Cause.TIME)


def test_who_stays_in_a_segment_makes_no_move() -> None:
    assert transition(profile(version=1), profile(version=2, decision=decision(margin=0.1))) is None
    assert transition(None, profile(decision=None)) is None
    assert transition(profile(decision=None), None) is None


def test_an_erasure_is_a_move_out_at_the_time_of_the_record() -> None:
    gone = transition(profile(version=4), None)
    assert gone and (gone.left, gone.entered, gone.version, gone.cause) == (3, None, 5, Cause.ERASURE)
    assert (gone.at_ms, gone.reasons) == (1_500_000_000_500, ())


def test_a_visitor_who_became_a_customer_leaves_their_segment() -> None:
    left = transition(profile("visitor#v"), profile("visitor#v", version=2, decision=None, moved=Cause.IDENTITY))
    assert left and (left.entered, left.version, left.cause) == (None, 2, Cause.IDENTITY)


def test_only_a_removal_says_with_which_version_a_profile_ended() -> None:
    assert ended(record(profile(version=4), None)) == ("customer#1", 5)
    assert ended(record(profile(version=4), profile(version=5))) is None


def test_an_item_that_this_code_does_not_know_is_an_error() -> None:
    broken = record(profile(), None)
    del broken["dynamodb"]["OldImage"]["events"]
    with pytest.raises(ItemsUnreadable):
        moves_of(broken, lambda _profile: REASONS)
