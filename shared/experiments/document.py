"""Results as a document: what the API answers, reports hold, and the page of results draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from shared.experiments.results import Look, judged
from shared.experiments.sequences import LEVEL
from shared.experiments.trial import Trial

FORMAT = "1"


def document(trials: Sequence[Trial], look: Look, currency: str | None) -> dict[str, Any]:
    """The results of all campaigns, as JSON has it."""
    return {
        "format": FORMAT,
        "as_of": _iso(look.as_of_ms),
        "level": LEVEL,
        "least_effect": look.least_effect,
        "currency": currency,
        "results": [_told(result) for result in judged(trials, look)],
    }


def _told(result: Mapping[str, Any]) -> dict[str, Any]:
    exposed = result["exposed"]
    return {
        **result,
        "window_days": round(result["window_days"], 2),
        "exposed": {"first": _iso(exposed["first_ms"]), "last": _iso(exposed["last_ms"])},
        "metrics": [
            {**_without_evidence(metric), "segments": [_without_evidence(segment) for segment in metric["segments"]]}
            for metric in result["metrics"]
        ],
    }


def _without_evidence(measured: Mapping[str, Any]) -> dict[str, Any]:
    # A p-value says the same, and is known to more people.
    return {name: value for name, value in measured.items() if name != "log_e_value"}


def _iso(time_ms: int | None) -> str | None:
    if time_ms is None:
        return None
    return datetime.fromtimestamp(time_ms / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
