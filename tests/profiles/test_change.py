from dataclasses import replace

from shared.decisions.transitions import Cause
from shared.identity.links import Copy, Link, LinkState
from shared.profiles.change import Change, Ingested
from tests.support.stored_profiles import decision, profile

STORED = profile(version=4)
COPY = {"visitor#v": Copy(1, b"visits")}


def test_what_stays_as_it_is_changes_nothing_and_keeps_the_cause_it_was_stored_with() -> None:
    change = Change(replace(STORED, moved=Cause.MODEL), replace(STORED, moved=Cause.MODEL))
    assert not change.is_written
    assert change.cause is Cause.MODEL


def test_a_move_by_events_is_told_from_one_by_a_visitor() -> None:
    moved = replace(STORED, version=5, decision=decision(segment=1))
    assert Change(STORED, moved).cause is Cause.EVENTS
    assert Change(STORED, replace(moved, visitors=COPY)).cause is Cause.IDENTITY
    assert Change(STORED, replace(STORED, version=5)).cause is None


def test_who_begins_by_events_of_their_own_moved_by_events() -> None:
    begins = profile(version=5, visitors=COPY)
    assert Change(profile(version=4, state=b"", decision=None), begins).cause is Cause.EVENTS


def test_who_waits_for_a_model_has_not_moved_yet() -> None:
    assert Change(STORED, replace(STORED, version=5, decision=None)).cause is None


def test_counts_events_people_moves_and_links() -> None:
    moved = replace(STORED, version=5, events=8, decision=decision(segment=1))
    assert Change(STORED, moved).outcome == Ingested(events=5, customers=1, segments=1)
    visitor = profile("visitor#v", version=4)
    linked = replace(visitor, version=5, link=Link("customer#1"))
    assert Change(visitor, linked).outcome == Ingested(links=1)
    assert Change(linked, replace(linked, version=6, link=Link("customer#1", LinkState.SHARED))).outcome == Ingested(
        shared=1
    )


def test_outcomes_add_up() -> None:
    assert Ingested(1, 2, 3, 4, 5, 6) + Ingested(10, 20, 30, 40, 50, 60) == Ingested(11, 22, 33, 44, 55, 66)
