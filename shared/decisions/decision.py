"""One profile's decision, as it is stored and as it is answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.models.labels import action
from shared.models.manifests import outputs, predicted

if TYPE_CHECKING:
    from shared.decisions.grounds import Grounds


@dataclass(frozen=True, slots=True)
class NextChange:
    """What a decision turns into if nothing happens."""

    at_ms: int
    """A midnight, UTC."""
    segment: int
    intent: str
    audiences: tuple[str, ...] = ()


class Membership(NamedTuple):
    """Being in an audience."""

    since_ms: int
    """When the customer last came in."""
    arm: str
    """`treatment`, or `control` for whom the control group keeps out of what is done with the audience."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Times are UTC milliseconds since 1970; `margin` and probabilities run from 0 to 1."""

    segment: int
    since_ms: int
    """When the profile came into this segment."""
    margin: float
    runner_up: int
    predictions: Mapping[str, float]
    """The predictions the bundle makes, by name."""
    intent: str
    action: str
    as_of_ms: int
    """The instant the features were computed at."""
    scored_at_ms: int
    model_version: str
    micro_segment: int | None = None
    automated: bool = False
    """The profile has more events than a person makes, so that this is about a program."""
    next_change: NextChange | None = None
    """None where segment and intent stay as they are throughout the time that was looked ahead."""
    outside_training: Mapping[str, float | None] = field(default_factory=dict)
    """Features whose values lie outside what the bundle was trained on, with the value; None where it is undefined."""
    due_ms: int | None = None
    """When to look again: at the next change, or at the end of the time that was looked ahead."""
    audiences: Mapping[str, Membership] = field(default_factory=dict)
    """The audiences the customer is in, by key."""
    audiences_version: int = 0
    """Of the audiences that were decided on."""
    grounds: Mapping[str, Grounds] = field(default_factory=dict)
    """Why this decision moves the customer into or out of audiences, by key: kept until the next, for the ledger."""


def segment_of(decision: Decision | None) -> int | None:
    """The segment of a profile with this decision; None of one without."""
    return decision.segment if decision else None


def changes_segment(before: Decision | None, after: Decision | None) -> bool:
    """Whether a profile moves from one segment to another, into its first, or out of its last."""
    return segment_of(before) != segment_of(after)


def changes_audiences(before: Decision | None, after: Decision | None) -> bool:
    """Whether a profile comes into an audience or leaves one."""
    return audiences_of(before) != audiences_of(after)


def audiences_of(decision: Decision | None) -> frozenset[str]:
    """The keys of the audiences that a profile with this decision is in; none of one without."""
    return frozenset(decision.audiences) if decision else frozenset()


def moves(before: Decision | None, after: Decision | None) -> bool:
    """Whether a profile comes into another segment or audience, or leaves one."""
    return changes_segment(before, after) or changes_audiences(before, after)


def answer(customer_id: str, decision: Decision, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The decision as the API gives it.

    `manifest` is the one of `decision.model_version`: it names the segment and says why a target was left out of the
    bundle. Where it is empty, because that bundle is gone, name and reasons are null.
    """
    names = {segment["id"]: segment["name"] for segment in manifest.get("segments", ())}
    targets = manifest.get("targets", {})
    asked = outputs(manifest)
    doing = action(manifest, decision.intent, decision.segment) if manifest else {"key": decision.action}
    return {
        "customer_id": customer_id,
        "segment": {
            "id": decision.segment,
            "name": names.get(decision.segment),
            "since": iso(decision.since_ms),
            "margin": decision.margin,
            "runner_up": decision.runner_up,
        },
        "micro_segment": decision.micro_segment,
        "predictions": predicted(decision.predictions, asked),
        "horizon_days": {name: targets.get(target, {}).get("horizon_days") for name, target in asked.items()},
        "left_out": {
            name: targets.get(target, {}).get("reason")
            for name, target in asked.items()
            if name not in decision.predictions
        },
        "intent": decision.intent,
        "action": doing["key"],
        "action_details": {name: text for name, text in doing.items() if name != "key"} or None,
        "automated_traffic": decision.automated,
        "outside_training": _outside(decision.outside_training, manifest.get("trained_on", {})),
        "audiences": [
            {"key": key, "since": iso(one.since_ms), "arm": one.arm} for key, one in sorted(decision.audiences.items())
        ],
        "next_change": decision.next_change and _next_change(decision.next_change, names),
        "as_of": iso(decision.as_of_ms),
        "scored_at": iso(decision.scored_at_ms),
        "model_version": decision.model_version,
    }


def _outside(values: Mapping[str, float | None], trained_on: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each of the features beside the range that training saw, and how far beyond it in widths of it; null where that
    is not known or the feature is undefined. The farthest first, those that are undefined before them."""
    rows = []
    for name, value in values.items():
        least, most = (trained_on.get(name, {}).get(end) for end in ("least", "most"))
        known = value is not None and least is not None and most is not None and least < most
        far = max(least - value, value - most) / (most - least) if known else None
        rows.append({"feature": name, "value": value, "least": least, "most": most, "beyond": far})
    return sorted(rows, key=lambda row: (row["beyond"] is not None, -(row["beyond"] or 0), row["feature"]))


def _next_change(change: NextChange, names: Mapping[int, str]) -> dict[str, Any]:
    return {
        "at": iso(change.at_ms),
        "to": change.segment,
        "name": names.get(change.segment),
        "intent": change.intent,
        "audiences": sorted(change.audiences),
    }


def iso(time_ms: int) -> str:
    """ISO 8601 in UTC; milliseconds are shown where there are any."""
    precision = "milliseconds" if time_ms % 1000 else "seconds"
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec=precision).replace("+00:00", "Z")
