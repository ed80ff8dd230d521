"""The made-up shop's last events as they come in live, and what is stored by then of the customers whom they are of."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.reasons import bundle_folder
from bench.shop import AS_OF_MS, shop_events, shop_file
from bench.work import Inputs
from shared.clock import Moment
from shared.decisions.deciding import decide
from shared.features import EventColumns, Profiles, encode, fold, merge
from shared.models.bundle import Bundle
from shared.profiles.stored_profile import StoredProfile

_EVENTS = 1_000
_NOW = Moment(AS_OF_MS, AS_OF_MS, horizon_days=0)


@dataclass(frozen=True)
class ShopDay:
    """Some customers before and after their last events."""

    lines: list[dict[str, Any]]
    """The last events, in the contract's columns, in the order of time."""
    earlier: list[dict[str, Any]]
    """What the same customers did before."""
    stored: list[StoredProfile]
    """Those of them who did anything before, with the decision on them."""
    updated: list[StoredProfile]
    """All of them with their last events, each a version after what is stored."""


def shop_day(inputs: Inputs) -> ShopDay:
    """The last thousand events, fewer of a small shop."""
    events = shop_events(inputs.customers)
    first = len(events) - min(_EVENTS, len(events) // 20)
    whose = np.isin(events.profile, events.profile[first:])
    is_news = np.arange(len(events)) >= first
    bundle = Bundle.load(bundle_folder(inputs.purchases))
    earlier, news = _some(events, whose & ~is_news), _some(events, is_news)
    before = fold(earlier)
    stored = stored_profiles(before, bundle)
    versions = {profile.key: profile.version + 1 for profile in stored}
    updated = stored_profiles(merge(before, fold(news)), bundle, versions)
    return ShopDay(_lines(news), _lines(earlier), stored, updated)


def stored_profiles(profiles: Profiles, bundle: Bundle, versions: dict[str, int] | None = None) -> list[StoredProfile]:
    """Profiles as the table holds them, decided on; of those not named in `versions` it is the first."""
    decisions = decide(profiles, {}, bundle, _NOW)
    known = versions or {}
    stored = zip(profiles.keys, encode(profiles), profiles.event_totals.tolist(), strict=True)
    return [StoredProfile(key, known.get(key, 1), state, n, decisions[key]) for key, state, n in stored]


def _lines(events: EventColumns) -> list[dict[str, Any]]:
    import pandas as pd

    frame = pd.read_parquet(io.BytesIO(shop_file(events)))
    lines = frame.to_json(orient="records", lines=True, date_format="iso").splitlines()
    return [{name: value for name, value in json.loads(line).items() if value is not None} for line in lines]


def _some(events: EventColumns, which: Any) -> EventColumns:
    return EventColumns(events.keys, events.profile[which], events.rows.take(which), events.category_names)
