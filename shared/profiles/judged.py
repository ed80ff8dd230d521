"""Stored customers as rules see them, by what was last decided of each and their features at an instant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.audiences.counting import Happened
from shared.audiences.evaluating import Customers, Histories
from shared.audiences.rules import MOST_DAYS, Count
from shared.decisions.recommended import recommended_lists
from shared.features import FEATURE_NAMES, Profiles, features
from shared.models.manifests import TARGETS
from shared.profiles.histories import histories
from shared.recommending.recommending import segment_in

if TYPE_CHECKING:
    from shared.features.time_zone import TimeZone
    from shared.profiles.stored_profile import StoredProfile
    from shared.recommending.recommender import Recommender


def judged(
    profiles: Sequence[StoredProfile], as_of_ms: int, zone: TimeZone, recommender: Recommender | None = None
) -> tuple[Profiles, Customers]:
    """Those of the customers, all with a decision, who have events, in the order of their histories; with what is
    recommended to them, where there is a recommender.

    Raises BrokenState and UnknownStateVersion.
    """
    known = histories(profiles)
    by_key = {profile.key: profile for profile in profiles}
    some = [by_key[key] for key in known.keys]
    lists = None
    if recommender:
        segments = [segment_in(recommender, profile.decision) for profile in some]
        lists = recommended_lists(recommender, known, segments, as_of_ms)
    return known, Customers(
        features(known, as_of_ms, zone),
        _decided(some),
        Histories(known, lists),
        np.arange(len(known)),
        as_of_ms,
    )


def judged_by_decisions(profiles: Sequence[StoredProfile], as_of_ms: int) -> Customers:
    """The customers, all with a decision, for rules that ask what was decided and nothing else: no history is read."""
    n = len(profiles)
    unknown = np.full((n, len(FEATURE_NAMES)), np.nan, np.float32)
    return Customers(unknown, _decided(profiles), Histories(Profiles.empty()), np.arange(n), as_of_ms)


def latest_ms(known: Profiles, measure: str) -> int | None:
    """When any of them last viewed, put into the cart, ordered or did anything, one of MEASURES; UTC milliseconds."""
    times = Happened(Count(measure, MOST_DAYS), known).time_ms
    return int(times.max()) if len(times) else None


def _decided(profiles: Sequence[StoredProfile]) -> dict[str, Any]:
    """What was last decided of each, as rules see it [n each]."""
    decisions = [profile.decision for profile in profiles if profile.decision]
    columns: dict[str, Any] = {
        "segment": np.array([one.segment for one in decisions], float),
        "micro_segment": np.array([_number(one.micro_segment) for one in decisions], float),
        "margin": np.array([one.margin for one in decisions], np.float32),
        "intent": np.array([one.intent for one in decisions], object),
    }
    for name in TARGETS.keys() | {name for one in decisions for name in one.predictions}:
        columns[name] = np.array([_number(one.predictions.get(name)) for one in decisions], np.float32)
    return columns


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
