from dataclasses import replace

import pytest

from shared.decisions.decision import NextChange
from shared.decisions.grounds import Ground, Grounds
from shared.decisions.transitions import Cause
from shared.identity.keys import anonymous
from shared.identity.links import Copy, Link, LinkState
from shared.profiles.due import due_shard
from shared.profiles.item import (
    OF_A_DECISION,
    WHEN_DUE,
    ItemsUnreadable,
    decode_profile,
    decode_profiles,
    encode_profile,
    removed_attributes,
)
from shared.profiles.members import members_of
from shared.profiles.stored_profile import StoredProfile
from tests.support.stored_profiles import decision, profile

LINKED = Link("customer#1", LinkState.LINKED, ("a1b2c3", "d4e5f6"))
DUE_MS = 1_510_000_000_000
CHANGING = decision(next_change=NextChange(DUE_MS, 2, "dormant"), due_ms=DUE_MS)


@pytest.mark.parametrize(
    "stored",
    [
        profile(),
        profile(decision=None),
        profile(decision=decision(micro_segment=0)),
        profile(decision=decision(automated=True)),
        profile(decision=decision(outside_training={"days_since_order": 670.25, "tenure": None})),
        profile(decision=CHANGING),
        profile(decision=decision(predictions={"churn_probability": 0.25, "segment_spend": 9.5, "own": 0.5})),
        profile(decision=decision(predictions={})),
        profile(moved=Cause.TIME),
        profile(counts_from_ms=1_500_000_000_000),
        profile(waits_since_ms=1_500_000_000_003),
        profile("visitor#v", decision=None, link=LINKED),
        profile(
            state=b"", visitors={"visitor#v": Copy(3, b"visits"), "visitor#w": Copy(1, b""), "visitor#": Copy(9, None)}
        ),
    ],
)
def test_decoding_gives_back_what_was_encoded(stored: StoredProfile) -> None:
    assert decode_profile(encode_profile(stored)) == stored


def test_a_change_to_come_is_stored_with_the_decision_and_indexed() -> None:
    item = encode_profile(profile(decision=CHANGING))
    assert (item["due_ms"], item["due_shard"]) == ({"N": str(DUE_MS)}, {"S": due_shard("customer#1")})


def test_who_has_no_date_is_not_in_the_index_of_who_is_due() -> None:
    for without in (None, replace(CHANGING, due_ms=None, next_change=None)):
        assert "due_shard" not in encode_profile(profile(decision=without))


def test_a_customer_is_listed_in_their_segment_and_a_visitor_in_none() -> None:
    assert encode_profile(profile())["member_of"] == {"S": members_of(3, "customer#1")}
    assert "member_of" not in encode_profile(profile("visitor#v"))


def test_who_did_not_move_says_so_for_the_filter_of_the_stream() -> None:
    assert encode_profile(profile())["moved"] == {"S": "no"}
    assert encode_profile(profile(moved=Cause.EVENTS))["moved"] == {"S": "events"}


def test_a_write_takes_out_what_belongs_to_nobody_and_dates_that_are_over() -> None:
    assert removed_attributes(profile("visitor#v", link=LINKED)) == OF_A_DECISION
    assert removed_attributes(profile(state=b"")) == OF_A_DECISION
    assert removed_attributes(profile()) == WHEN_DUE
    assert removed_attributes(profile(decision=CHANGING)) == ()
    assert removed_attributes(profile(decision=None)) == ()


def test_items_that_are_no_profiles_are_told_from_those_that_are() -> None:
    broken = {**encode_profile(profile("customer#2")), "version": {"N": "many"}}
    with pytest.raises(ItemsUnreadable, match=anonymous("customer#2")) as error:
        decode_profiles([encode_profile(profile()), broken])
    assert error.value.profiles == {"customer#1": profile()}
    assert error.value.unreadable == {"customer#2"}


@pytest.mark.parametrize("conditions", [[], [Ground("tier = 'Größe'", "Größe"), Ground("views(7) > 0", 1.0)]])
def test_reasons_of_moves_are_those_that_were_stored(conditions: list[Ground]) -> None:
    stored = profile(decision=decision(grounds={"a": Grounds(conditions, "offer"), "b": Grounds([])}))
    assert decode_profile(encode_profile(stored)) == stored


def test_reasons_that_cannot_be_read_are_none_and_harm_nothing_else() -> None:
    item = encode_profile(profile(decision=decision(grounds={"a": Grounds([])})))
    item["decision"]["M"]["grounds"] = {"S": "{"}
    known = decode_profile(item).decision
    assert known is not None
    assert not known.grounds
