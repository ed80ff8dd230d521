"""What the bus was told of moves between segments: each the same, however often it was told."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable
from typing import Any

from shared.decisions.transitions import Cause, Transition
from shared.features.codec import VERSION
from shared.ledger.announcements import DETAIL_TYPE
from shared.profiles.item import decode_profile
from shared.profiles.stored_profile import PROFILE, StoredProfile

type Detail = dict[str, Any]


def announced(published: Iterable[Any], not_read: Container[str]) -> tuple[list[Detail], list[str]]:
    """The moves in the order in which they were first told, and the ids of those that were told differently.

    Those in `not_read` may be told without their reasons as well.
    """
    first: dict[str, Detail] = {}
    differ: list[str] = []
    for entry in published:
        if entry["DetailType"] != DETAIL_TYPE:
            continue
        detail = json.loads(entry["Detail"])
        move = detail["transition_id"]
        known = first.setdefault(move, detail)
        if move in not_read and not (known["reasons"] and detail["reasons"]):
            reasons = known["reasons"] or detail["reasons"]
            known = first[move] = {**known, "reasons": reasons}
            detail = {**detail, "reasons": reasons}
        if known != detail:
            differ.append(move)
    return [*first.values()], differ


def unread_by_the_older(changes: Iterable[Any]) -> set[str]:
    """The ids of the moves whose reasons stand in a history that the release before cannot read."""
    heads = [decode_profile(c["new"]) for c in changes if c["key"][1] == PROFILE and c["new"] is not None]
    return {_id(head) for head in heads if head.known is None and _is_newer(head)}


def _is_newer(profile: StoredProfile) -> bool:
    copies = (copy.state or b"" for copy in profile.visitors.values())
    return any(state[:1] == bytes([VERSION]) for state in (profile.state, *copies))


def _id(profile: StoredProfile) -> str:
    return Transition(profile.key, profile.version, None, None, Cause.EVENTS, 0, "").id
