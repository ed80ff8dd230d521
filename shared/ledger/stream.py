"""Records of the table's stream as the transitions that they tell of."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared.decisions.transitions import Cause, Transition, transition
from shared.profiles.table import StoredProfile, decode_profiles

type Reasons = Callable[[StoredProfile], Sequence[Mapping[str, Any]]]
"""The features that speak most for a profile's segment, the strongest first."""


def transition_of(record: Mapping[str, Any], reasons: Reasons) -> Transition | None:
    """The transition that a change of a customer's profile is; None where the segment stays.

    The same record always gives the same transition. `reasons` is asked only of those who entered a segment. Raises
    ItemsUnreadable where this code does not know the item.
    """
    change = record["dynamodb"]
    old, new = (_profile(change.get(image)) for image in ("OldImage", "NewImage"))
    before, after = (profile.decision if profile else None for profile in (old, new))
    stays = before.segment == after.segment if before and after else before is after
    last = new or old
    if stays or last is None:
        return None
    return transition(
        key=last.key,
        version=new.version if new else last.version + 1,
        before=before,
        after=after,
        cause=(new.moved or Cause.EVENTS) if new else Cause.ERASURE,
        seen_ms=round(float(change["ApproximateCreationDateTime"]) * 1_000),
        reasons=reasons(new) if new and after else (),
    )


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
