"""From histories to the decisions that are stored: one call of the bundle for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.audiences.evaluating import Histories
from shared.decisions.decision import Decision, NextChange
from shared.decisions.memberships import Look
from shared.decisions.next_change import midnight_after, next_changes
from shared.decisions.outside import outside_training
from shared.decisions.recommended import LOOKED_AHEAD_DAYS, recommended_now
from shared.decisions.shortest import shortest
from shared.features import Profiles
from shared.models.labels import action

if TYPE_CHECKING:
    from shared.clock import Moment
    from shared.models.bundle import Bundle, Decisions


def decide(
    profiles: Profiles, before: Mapping[str, Decision | None], bundle: Bundle, moment: Moment
) -> dict[str, Decision]:
    """The decision on each of `profiles`; those that stay in their segment keep the time since which they are in it.

    Who is decided on with a number that is undefined or infinite, which no trained bundle does, is left out. Raises
    BundleMismatch where the bundle does not run.
    """
    if not len(profiles):
        return {}
    known = bundle.features_at(profiles, moment.as_of_ms)
    decided = bundle.decide(known)
    histories = Histories(profiles, recommended_now(bundle, profiles, decided.segment, moment.as_of_ms))
    now = Look.of(bundle, decided, known, histories, np.arange(len(profiles)), moment.as_of_ms)
    defined = decided.defined.tolist()
    if not all(defined):
        bundle.failure = f"bundle {bundle.bundle_id} gives some customers numbers that are undefined or infinite"
    changes = next_changes(profiles, now, bundle, moment.horizon_days)
    numbers = _numbers(decided)
    automated = profiles.automated.tolist()
    outside = outside_training(known, bundle.manifest)
    segments = decided.segment.tolist()
    pairs = set(zip(now.intent, segments, strict=True))
    actions = {(intent, segment): action(bundle.manifest, intent, segment)["key"] for intent, segment in pairs}
    return {
        key: Decision(
            **numbers[i],
            since_ms=_since(before.get(key), segments[i], moment),
            intent=now.intent[i],
            action=actions[now.intent[i], segments[i]],
            as_of_ms=moment.as_of_ms,
            scored_at_ms=moment.scored_at_ms,
            model_version=bundle.bundle_id,
            automated=automated[i],
            next_change=changes[i],
            outside_training=outside[i],
            due_ms=_due_ms(changes[i], moment, bundle),
            audiences=now.memberships(i, key, before.get(key), moment.as_of_ms),
            audiences_version=now.audiences_version(before.get(key)),
            grounds=now.grounds(i, before.get(key)),
        )
        for i, key in enumerate(profiles.keys)
        if defined[i]
    }


def _numbers(decided: Decisions) -> list[dict[str, Any]]:
    """What a bundle decided, a row each, by the names of a decision's fields."""
    rows = range(len(decided))
    predictions = {name: shortest(values) for name, values in decided.predictions.items()}
    columns = {
        "segment": decided.segment.tolist(),
        "margin": shortest(decided.margin),
        "runner_up": decided.runner_up.tolist(),
        "micro_segment": [None for _ in rows] if decided.micro_segment is None else decided.micro_segment.tolist(),
        "predictions": [{name: values[i] for name, values in predictions.items()} for i in rows],
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _due_ms(change: NextChange | None, moment: Moment, bundle: Bundle) -> int | None:
    """At the next change, or at the end of the days that were looked ahead, if any were."""
    days = moment.horizon_days
    if days and bundle.audiences.ask_recommendations:
        days = LOOKED_AHEAD_DAYS  # and no change comes before its midnight
    elif change:
        return change.at_ms
    return midnight_after(moment.as_of_ms, days, bundle.zone) if days else None


def _since(before: Decision | None, segment: int, moment: Moment) -> int:
    return before.since_ms if before and before.segment == segment else moment.as_of_ms
