"""Records of the table's stream as the transitions that they tell of."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared.decisions.decision import changes_segment
from shared.decisions.transitions import Cause, Transition, into_segment, out_of_segments
from shared.profiles.item import decode_profiles
from shared.profiles.stored_profile import StoredProfile

type Reasons = Callable[[StoredProfile], Sequence[Mapping[str, Any]]]
"""The features that speak most for a profile's segment, the strongest first."""


def transition_of(record: Mapping[str, Any], reasons: Reasons) -> Transition | None:
    """The transition that a change of a customer's profile is; None where the segment stays.

    The same record always gives the same transition. `reasons` is asked only of those who entered a segment. Raises
    ItemsUnreadable where this code does not know the item.
    """
    change = record["dynamodb"]
    old = _profile(change.get("OldImage"))
    new = _profile(change.get("NewImage"))
    before = old.decision if old else None
    after = new.decision if new else None
    if not changes_segment(before, after):
        return None
    if new and after:
        return into_segment(new.key, new.version, before, after, new.moved or Cause.EVENTS, reasons(new))
    assert old and before
    at_ms = round(float(change["ApproximateCreationDateTime"]) * 1_000)
    if new:
        return out_of_segments(new.key, new.version, before, new.moved or Cause.EVENTS, at_ms)
    return out_of_segments(old.key, old.version + 1, before, Cause.ERASURE, at_ms)


def ended(record: Mapping[str, Any]) -> tuple[str, int] | None:
    """Of a record that tells of an erasure, the customer's key and the version that the profile ended with."""
    if record["eventName"] != "REMOVE":
        return None
    old = record["dynamodb"]["OldImage"]  # not decoded: who is erased goes, however broken their profile was
    return old["pk"]["S"], int(old["version"]["N"]) + 1


def _profile(image: Mapping[str, Any] | None) -> StoredProfile | None:
    return next(iter(decode_profiles([_with_bytes(image)]).values())) if image else None


def _with_bytes(value: Any) -> Any:
    """DynamoDB's JSON with its binary values decoded, as boto3 gives it."""
    match value:
        case {"B": str(text)} if len(value) == 1:
            return {"B": base64.b64decode(text)}
        case dict():
            return {name: _with_bytes(inner) for name, inner in value.items()}
        case list():
            return [_with_bytes(inner) for inner in value]
        case _:
            return value
