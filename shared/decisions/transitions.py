"""A customer's move from one segment to another, as it is kept in the ledger and published on the bus."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from shared.decisions.decision import Decision, iso, segment_of
from shared.models.manifests import predicted


class Cause(StrEnum):
    """Why a customer moved."""

    EVENTS = "events"
    """They did something."""
    TIME = "time"
    """They did nothing, and time went by."""
    MODEL = "model"
    """A new model was published."""
    IDENTITY = "identity"
    """A visitor turned out to be them, or not to be."""
    ERASURE = "erasure"
    """They were erased."""
    RULE = "rule"
    """The rule of an audience was edited, or the audience is new or gone. Of moves between audiences alone."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One move. `left` and `entered` are segments; None before the first decision and after the last."""

    key: str
    """The customer's profile key."""
    version: int
    """Of the profile that the move came with: the transitions of a customer in order."""
    left: int | None
    entered: int | None
    cause: Cause
    at_ms: int
    """UTC milliseconds."""
    model_version: str
    """Of the decision that was entered, or of the last one."""
    intent: str | None = None
    action: str | None = None
    predictions: Mapping[str, float] = field(default_factory=dict)
    reasons: Sequence[Mapping[str, Any]] = ()
    """The features that speak most for the segment entered, the strongest first."""

    @property
    def id(self) -> str:
        """The same whenever the same change of the same profile is seen."""
        return hashlib.blake2b(f"{self.key}@{self.version}".encode(), digest_size=16).hexdigest()


def into_segment(
    key: str,
    version: int,
    before: Decision | None,
    after: Decision,
    cause: Cause,
    reasons: Sequence[Mapping[str, Any]] = (),
) -> Transition:
    """The move of a profile from the decision `before`, None for its first, into the segment of the one `after`."""
    return Transition(
        key=key,
        version=version,
        left=segment_of(before),
        entered=after.segment,
        cause=cause,
        at_ms=after.since_ms,
        model_version=after.model_version,
        intent=after.intent,
        action=after.action,
        predictions=after.predictions,
        reasons=reasons,
    )


def out_of_segments(key: str, version: int, last: Decision, cause: Cause, at_ms: int) -> Transition:
    """The move of a profile out of the segment of its `last` decision into none, at `at_ms` in UTC milliseconds."""
    return Transition(key, version, last.segment, None, cause, at_ms, last.model_version)


def answer(moved: Transition) -> dict[str, Any]:
    """The transition as the API and the published event tell it, but for whose it is."""
    return {
        "transition_id": moved.id,
        "from": moved.left,
        "to": moved.entered,
        "cause": moved.cause.value,
        "at": iso(moved.at_ms),
        "reasons": list(moved.reasons),
        "predictions": predicted(moved.predictions),
        "intent": moved.intent,
        "action": moved.action,
        "model_version": moved.model_version,
    }
