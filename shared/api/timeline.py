"""What a customer did, day by day, and what is known of them: for people to read."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.decisions.decision import iso
from shared.features.columns import EVENT_TYPES, MONEY_UNITS
from shared.features.time_zone import TimeZone
from shared.profiles.histories import histories

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.features import Profiles
    from shared.profiles.stored_profile import StoredProfile

MOST_DAYS = 1_000
"""Pairs of a day and a kind of event that an answer has at most: some 150 kB."""
CATEGORIES = 3
"""Named of one day: those that came most often."""


def timeline(profile: StoredProfile, zone: TimeZone) -> dict[str, Any]:
    """Of a profile that holds all its events, their number, the newest MOST_DAYS pairs of a day of the shop and a kind
    of event, newest first, and the attributes.

    Raises BrokenState and UnknownStateVersion.
    """
    known = histories([profile])
    return {
        "events": len(known.rows),
        "days": _days(known, zone),
        "attributes": {name: json.loads(value) for _, name, _, value in known.attributes.entries()},
    }


def _days(known: Profiles, zone: TimeZone) -> list[dict[str, Any]]:
    keys = zone.day(known.rows.time_ms) * len(EVENT_TYPES) + known.rows.kind
    pairs, pair_of_row = np.unique(keys, return_inverse=True)
    rows_by_pair = np.split(np.argsort(pair_of_row, kind="stable"), np.cumsum(np.bincount(pair_of_row))[:-1])
    return [_day(known, at) for at in rows_by_pair[::-1][:MOST_DAYS]] if len(pairs) else []


def _day(known: Profiles, at: NDArray[np.intp]) -> dict[str, Any]:
    rows = known.rows.take(at)
    names = Counter(known.category_names.get(code) for code in rows.category.tolist() if code)
    return {
        "at": iso(int(rows.time_ms.max())),
        "type": EVENT_TYPES[int(rows.kind[0])],
        "count": len(rows),
        "amount": int(rows.net.sum()) / MONEY_UNITS,
        "categories": [name for name, _ in names.most_common(CATEGORIES) if name],
    }
