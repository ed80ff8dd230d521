"""What a shop calls its segments and does for each intent: edited without training again, laid over a manifest.

The labels of a bundle are `models/<bundle_id>/labels.json`, every part of which may be absent:

    {"segments": {"3": {"name": "…", "description": "…", "actions": {"dormant": {"key": "…", "title": "…"}}}},
     "actions": {"dormant": {"key": "…", "title": "…", "description": "…", "channel": "…", "incentive": "…"}}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

LABELS_FILE = "labels.json"

ACTIONS: Mapping[str, str] = {
    "dormant": "reactivation_campaign",
    "likely_to_convert": "high_intent_offer",
    "high_value_newcomer": "welcome_and_subscription_incentive",
    "likely_to_churn": "win_back_offer",
    "loyal": "loyalty_reward",
    "steady": "no_action",
}
"""The next best action for each intent where neither labels nor the manifest know another; where several intents fit,
the first of these is meant."""

type Labels = Mapping[str, Any]


def labels_key(bundle_id: str) -> str:
    """Where in the data bucket the labels of a bundle are."""
    return f"models/{bundle_id}/{LABELS_FILE}"


def parse_labels(body: bytes | None) -> Labels:
    """The labels in a file; none where there is no file, or where it holds something else."""
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def labelled(manifest: Mapping[str, Any], labels: Labels) -> dict[str, Any]:
    """The manifest with `labels` in the place of what it says, and with all labels that made it what it is."""
    if not labels or "segments" not in manifest:
        return dict(manifest)
    edits: Mapping[str, Mapping[str, Any]] = labels.get("segments", {})
    actions: Mapping[str, Any] = labels.get("actions", {})
    before: Labels = manifest.get("labels", {})
    return {
        **manifest,
        "segments": [{**segment, **edits.get(str(segment["id"]), {})} for segment in manifest["segments"]],
        "actions": {**manifest.get("actions", {}), **actions},
        "labels": {
            "segments": {**before.get("segments", {}), **edits},
            "actions": {**before.get("actions", {}), **actions},
        },
    }


def action(manifest: Mapping[str, Any], intent: str, segment: int) -> Mapping[str, Any]:
    """The next best action for customers of an intent in a segment: its `key`, and what more is known of it."""
    own: Mapping[str, Any] = next(
        (entry.get("actions", {}) for entry in manifest.get("segments", ()) if entry["id"] == segment), {}
    )
    found: Mapping[str, Any] | None = own.get(intent) or manifest.get("actions", {}).get(intent)
    return found or {"key": ACTIONS[intent]}
