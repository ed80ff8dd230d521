"""From histories to the decisions that are stored: one call of the bundle for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.decisions.decision import Decision
from shared.decisions.intent import intents
from shared.decisions.next_change import State, next_changes
from shared.features import Profiles, features
from shared.features.columns import DAY_MS
from shared.models.labels import action

if TYPE_CHECKING:
    from shared.clock import Moment
    from shared.models.bundle import Bundle, Floats


def decide(
    profiles: Profiles, before: Mapping[str, Decision | None], bundle: Bundle, moment: Moment
) -> dict[str, Decision]:
    """The decision on each of `profiles`; those that stay in their segment keep the time since which they are in it.

    Who is decided on with a number that is undefined or infinite, which no trained bundle does, is left out. Raises
    BundleMismatch where the bundle does not run.
    """
    if not len(profiles):
        return {}
    known = features(profiles, moment.as_of_ms)
    decided = bundle.decide(known)
    intent = intents(decided, known, bundle.manifest)
    segments, margins, runners_up = decided.segment.tolist(), _shortest(decided.margin), decided.runner_up.tolist()
    micro_segments = [None] * len(profiles) if decided.micro_segment is None else decided.micro_segment.tolist()
    automated, defined = profiles.automated.tolist(), decided.defined.tolist()
    if not all(defined):
        bundle.failure = f"bundle {bundle.bundle_id} gives some customers numbers that are undefined or infinite"
    changes = next_changes(profiles, State.of(decided.segment, intent), bundle, moment.as_of_ms, moment.horizon_days)
    horizon_ms = (moment.as_of_ms // DAY_MS + moment.horizon_days) * DAY_MS if moment.horizon_days else None
    predictions = {name: _shortest(values) for name, values in decided.predictions.items()}
    return {
        key: Decision(
            segment=segments[i],
            since_ms=_since(before.get(key), segments[i], moment),
            margin=margins[i],
            runner_up=runners_up[i],
            predictions={name: values[i] for name, values in predictions.items()},
            intent=intent[i],
            action=action(bundle.manifest, intent[i], segments[i])["key"],
            as_of_ms=moment.as_of_ms,
            scored_at_ms=moment.scored_at_ms,
            model_version=bundle.bundle_id,
            micro_segment=micro_segments[i],
            automated=automated[i],
            next_change=change,
            due_ms=change.at_ms if change else horizon_ms,
        )
        for i, (key, change) in enumerate(zip(profiles.keys, changes, strict=True))
        if defined[i]
    }


def _since(before: Decision | None, segment: int, moment: Moment) -> int:
    return before.since_ms if before and before.segment == segment else moment.as_of_ms


def _shortest(values: Floats) -> list[float]:
    # 0.12 rather than 0.11999999731779099: the fewest digits that are still the same float32.
    return [float(str(value)) for value in values]
