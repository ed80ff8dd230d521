"""Profiles as the table holds them, with a decision."""

from typing import Any

from shared.decisions.decision import Decision
from shared.profiles.stored_profile import StoredProfile


def profile(key: str = "customer#1", version: int = 1, state: bytes = b"state", **changes: Any) -> StoredProfile:
    fields = {"key": key, "version": version, "state": state, "events": 3, "decision": decision(), **changes}
    return StoredProfile(**fields)


def decision(**changes: Any) -> Decision:
    fields: dict[str, Any] = {
        "segment": 3,
        "since_ms": 1_500_000_000_000,
        "margin": 0.5,
        "runner_up": 5,
        "predictions": {"churn_probability": 0.25},
        "intent": "steady",
        "action": "no_action",
        "as_of_ms": 1_500_000_000_001,
        "scored_at_ms": 1_500_000_000_002,
        "model_version": "20170930-abcdef",
        "micro_segment": None,
    }
    return Decision(**{**fields, **changes})
