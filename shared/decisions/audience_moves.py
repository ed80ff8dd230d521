"""A customer's move into an audience or out of it, as it is kept in the ledger and published on the bus."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.decisions.decision import Decision, audiences_of, iso
from shared.decisions.grounds import Ground, Grounds
from shared.decisions.transitions import Cause
from shared.models.manifests import predicted


@dataclass(frozen=True, slots=True)
class AudienceMove:
    """One move."""

    key: str
    """The customer's profile key."""
    version: int
    """Of the profile that the move came with."""
    audience: str
    audience_version: int
    """Of the audiences that were decided on."""
    entered: bool
    """Into the audience, or else out of it."""
    arm: str
    cause: Cause
    at_ms: int
    """UTC milliseconds."""
    model_version: str
    intent: str | None = None
    action: str | None = None
    """The audience's own, or else that of the customer's intent."""
    predictions: Mapping[str, float] = field(default_factory=dict)
    reasons: Sequence[Ground] = ()

    @property
    def id(self) -> str:
        """The same whenever the same change of the same profile is seen."""
        return hashlib.blake2b(f"{self.key}@{self.version}@{self.audience}".encode(), digest_size=16).hexdigest()


def audience_moves(
    key: str, version: int, before: Decision | None, after: Decision, cause: Cause
) -> list[AudienceMove]:
    """The moves of a profile from the decision `before`, None for its first, to the one `after`, by audience."""
    is_edited = before is not None and before.audiences_version != after.audiences_version
    entered = audiences_of(after) - audiences_of(before)
    left = audiences_of(before) - audiences_of(after)
    moves = []
    for audience in sorted(entered | left):
        came_in = audience in entered
        memberships = after.audiences if came_in else before.audiences if before else {}
        grounds = after.grounds.get(audience, Grounds(()))
        moves.append(
            AudienceMove(
                key=key,
                version=version,
                audience=audience,
                audience_version=after.audiences_version,
                entered=came_in,
                arm=memberships[audience].arm,
                cause=Cause.RULE if is_edited else cause,
                at_ms=after.as_of_ms,
                model_version=after.model_version,
                intent=after.intent,
                action=grounds.action or after.action,
                predictions=after.predictions,
                reasons=grounds.conditions,
            )
        )
    return moves


def out_of_audiences(key: str, version: int, last: Decision, cause: Cause, at_ms: int) -> list[AudienceMove]:
    """The moves of a profile out of all audiences of its `last` decision, at `at_ms` in UTC milliseconds."""
    return [
        AudienceMove(
            key, version, audience, last.audiences_version, False, membership.arm, cause, at_ms, last.model_version
        )
        for audience, membership in sorted(last.audiences.items())
    ]


def answer(moved: AudienceMove) -> dict[str, Any]:
    """The move as the API and the published event tell it, but for whose it is."""
    return {
        "transition_id": moved.id,
        "audience": moved.audience,
        "audience_version": moved.audience_version,
        "arm": moved.arm,
        "cause": moved.cause.value,
        "at": iso(moved.at_ms),
        "reasons": [{"condition": each.condition, "value": each.value} for each in moved.reasons],
        "predictions": predicted(moved.predictions),
        "intent": moved.intent,
        "action": moved.action,
        "model_version": moved.model_version,
    }
