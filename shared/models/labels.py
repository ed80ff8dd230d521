"""What a shop calls its segments and does for each intent: edited without training again, laid over a manifest.

The labels of a bundle are `models/<bundle_id>/labels.json`, every part of which may be absent:

    {"segments": {"3": {"name": "…", "description": "…", "actions": {"dormant": {"key": "…", "title": "…"}}}},
     "actions": {"dormant": {"key": "…", "title": "…", "description": "…", "channel": "…", "incentive": "…"}}}
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from shared.models.layout import bundle_key
from shared.shapes import Misfit, Text, parsed

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

LARGEST_COST = 1e9
NO_ACTION = ACTIONS["steady"]

type Labels = Mapping[str, Any]

ACTION = {"key": Text(256), "*": Text(10_000)}
"""The shape of one action."""
LABELS = {
    "segments?": {"*": {"name?": Text(1_000), "description?": Text(10_000), "actions?": {"*": ACTION}}},
    "actions?": {"*": ACTION},
}
"""The shape of the file, which is larger than what `training.label` writes so that what it wrote is never refused."""


def own_intents(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The shop's own intents, each with the prediction that decides it, in the order in which they are meant."""
    targets: Mapping[str, Mapping[str, Any]] = manifest.get("targets", {})
    named = {str(about["intent"]): str(about.get("output")) for about in targets.values() if "intent" in about}
    return {intent: output for intent, output in named.items() if intent not in ACTIONS}


def intents_of(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Every intent that a customer may have by the bundle of `manifest`."""
    return (*ACTIONS, *own_intents(manifest))


def labels_key(bundle_id: str) -> str:
    """Where in the data bucket the labels of a bundle are."""
    return bundle_key(bundle_id, LABELS_FILE)


@lru_cache(maxsize=16)
def checked_labels(body: bytes | None) -> tuple[Labels, str | None]:
    """The labels in a file, and None; none where there is no file. A file that is not as this page says is ignored as a
    whole, and the second is what is wrong with it, without a word of the file."""
    if body is None:
        return {}, None
    try:
        labels: Labels = parsed(body, LABELS)
    except Misfit as misfit:
        return {}, f"{LABELS_FILE} is ignored: {misfit}"
    return labels, None


def parse_labels(body: bytes | None) -> Labels:
    """The labels in a file; none where there is no file, or where it is to be ignored."""
    return checked_labels(body)[0]


def labelled(manifest: Mapping[str, Any], labels: Labels) -> dict[str, Any]:
    """The manifest with `labels` in the place of what it says, and with all labels that made it what it is."""
    if not labels or "segments" not in manifest:
        return dict(manifest)
    known = {str(segment["id"]) for segment in manifest["segments"]}
    edits = {i: label for i, label in labels.get("segments", {}).items() if i in known}
    actions: Mapping[str, Any] = labels.get("actions", {})
    before: Labels = manifest.get("labels", {})
    return {
        **manifest,
        "segments": [{**segment, **_edited(edits.get(str(segment["id"]), {}))} for segment in manifest["segments"]],
        "actions": {**manifest.get("actions", {}), **actions},
        "labels": {
            "segments": {**before.get("segments", {}), **edits},
            "actions": {**before.get("actions", {}), **actions},
        },
    }


def _edited(label: Mapping[str, Any]) -> dict[str, Any]:
    # What else a file may say of a segment, its id above all, is not for the user to change.
    return {name: label[name] for name in ("name", "description", "actions") if name in label}


def cost_and_margin(manifest: Mapping[str, Any], key: str) -> tuple[float, float] | None:
    """What a contact costs and the share of revenue that is left, of the action of that key; None where not both are
    known, as numbers that they can be."""
    segments = manifest.get("segments", ())
    own = [action for segment in segments for action in segment.get("actions", {}).values()]
    for action in (*manifest.get("actions", {}).values(), *own):
        if action["key"] == key and {"cost_per_contact", "margin"} <= action.keys():
            try:
                cost, margin = float(action["cost_per_contact"]), float(action["margin"])
            except ValueError:
                return None
            return (cost, margin) if 0 <= cost < LARGEST_COST and 0 <= margin <= 1 else None
    return None


def action(manifest: Mapping[str, Any], intent: str, segment: int) -> Mapping[str, Any]:
    """The next best action for customers of an intent in a segment: its `key`, and what more is known of it."""
    own: Mapping[str, Any] = next(
        (entry.get("actions", {}) for entry in manifest.get("segments", ()) if entry["id"] == segment), {}
    )
    known: Mapping[str, Any] | None = own.get(intent) or manifest.get("actions", {}).get(intent)
    return known or {"key": ACTIONS.get(intent, NO_ACTION)}
