"""Records of the table's stream as the moves that they tell of."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.decisions.audience_moves import AudienceMove, audience_moves, out_of_audiences
from shared.decisions.decision import Decision, changes_segment, moves
from shared.decisions.transitions import Cause, Transition, into_segment, out_of_segments
from shared.profiles.item import decode_profiles
from shared.profiles.stored_profile import StoredProfile

type Reasons = Callable[[StoredProfile], Sequence[Mapping[str, Any]]]
"""The features that speak most for a profile's segment, the strongest first."""


@dataclass(frozen=True, slots=True)
class Moves:
    """What a change of a customer's profile is in the ledger."""

    transition: Transition | None = None
    """Between segments; None where the segment stays."""
    audiences: Sequence[AudienceMove] = ()

    def __iter__(self) -> Iterator[Transition | AudienceMove]:
        if self.transition:
            yield self.transition
        yield from self.audiences


def moves_of(record: Mapping[str, Any], reasons: Reasons) -> Moves:
    """The moves that a change of a customer's profile is.

    The same record always gives the same ones. `reasons` is asked only of those who entered a segment. Raises
    ItemsUnreadable where this code does not know the item.
    """
    change = record["dynamodb"]
    old = _profile(change.get("OldImage"))
    new = _profile(change.get("NewImage"))
    before = old.decision if old else None
    after = new.decision if new else None
    if not moves(before, after):
        return Moves()
    if new and after:
        cause = new.moved or Cause.EVENTS
        entered = changes_segment(before, after)
        return Moves(
            into_segment(new.key, new.version, before, after, cause, reasons(new)) if entered else None,
            audience_moves(new.key, new.version, before, after, cause),
        )
    assert old and before
    at_ms = round(float(change["ApproximateCreationDateTime"]) * 1_000)
    if new:
        return _out(new.key, new.version, before, new.moved or Cause.EVENTS, at_ms)
    return _out(old.key, old.version + 1, before, Cause.ERASURE, at_ms)


def _out(key: str, version: int, last: Decision, cause: Cause, at_ms: int) -> Moves:
    return Moves(out_of_segments(key, version, last, cause, at_ms), out_of_audiences(key, version, last, cause, at_ms))


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
