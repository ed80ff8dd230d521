"""What reasons and announced changes cost: a look-up with and without them, and a batch of updates likewise."""

import io
import time
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench.audiences import hundred_audiences
from bench.shop import AS_OF_MS, shop_events, shop_file
from bench.work import Inputs, Work
from shared.audiences.audience import NONE, Audiences
from shared.clock import Moment
from shared.decisions.deciding import decide
from shared.decisions.decision import answer
from shared.durations import DAY_MS
from shared.events import Rules, read_file
from shared.features import FEATURE_SET_HASH, EventColumns, Profiles, encode, fold
from shared.intake.gathering import Intake
from shared.models.bundle import Bundle
from shared.profiles.item import Item, decode_profile, encode_profile
from shared.profiles.stored_profile import StoredProfile
from shared.profiles.table import ProfileTable
from shared.reasons.contributions import FILE, Reasons
from shared.reasons.explaining import explanation

_LOOKED_UP = 300
_UPDATED = 5_000
_NOW = Moment(AS_OF_MS, AS_OF_MS, horizon_days=0)


def look_up(inputs: Inputs) -> Work:
    """Answer who a customer is, from the item as it is stored."""
    bundle = _bundle(inputs.purchases)
    return _each(inputs, bundle, lambda profile: _answer(profile, bundle))


def look_up_with_reasons(inputs: Inputs) -> Work:
    """The same, and why."""
    bundle = _bundle(inputs.purchases)
    reasons = Reasons.from_bytes((_folder(inputs.purchases) / FILE).read_bytes(), bundle.manifest)

    def answer_why(profile: StoredProfile) -> dict[str, Any]:
        return {**_answer(profile, bundle), "explanation": explanation(profile, bundle.manifest, reasons)}

    return _each(inputs, bundle, answer_why)


def update_batch(inputs: Inputs) -> Work:
    """Take a file with a month of news in: read it, merge it into customers, decide and write, without a look ahead."""
    return _updates(inputs, horizon_days=0)


def update_batch_with_next_change(inputs: Inputs) -> Work:
    """The same, and say when each decision changes within 90 days."""
    return _updates(inputs, horizon_days=90)


def update_batch_with_audiences(inputs: Inputs) -> Work:
    """The same with 100 audiences beside the segments, in which customers enter and leave."""
    return _updates(inputs, horizon_days=90, audiences=hundred_audiences())


class _Items(ProfileTable):
    """A table that hands out and takes items as DynamoDB's client does, and does not change."""

    def __init__(self, items: dict[str, Item]) -> None:
        self._items = items

    def load(self, keys: Iterable[str]) -> dict[str, StoredProfile]:
        return {key: decode_profile(self._items[key]) for key in keys if key in self._items}

    def save(self, profiles: Any) -> set[str]:
        for profile in profiles:
            encode_profile(profile)
        return set()


def _each(inputs: Inputs, bundle: Bundle, of: Callable[[StoredProfile], dict[str, Any]]) -> Work:
    profiles = fold(shop_events(min(inputs.customers, _LOOKED_UP)))
    items = [*_items(profiles, bundle).values()]
    facts: dict[str, float] = {}

    def run() -> None:
        milliseconds = []
        for item in items:
            began = time.perf_counter()
            msgspec.json.encode(of(decode_profile(item)))
            milliseconds.append((time.perf_counter() - began) * 1_000)
        median = round(float(np.median(milliseconds)), 4)
        facts["median_ms"] = min(facts.get("median_ms", median), median)

    return Work(run, len(items), facts)


def _answer(profile: StoredProfile, bundle: Bundle) -> dict[str, Any]:
    assert profile.decision is not None
    return answer(profile.key, profile.decision, bundle.manifest)


def _updates(inputs: Inputs, horizon_days: int, audiences: Audiences = NONE) -> Work:
    bundle = _bundle(inputs.purchases)
    bundle.audiences = audiences
    events = shop_events(min(inputs.customers, _UPDATED))
    news = events.rows.time_ms >= AS_OF_MS - 30 * DAY_MS
    table = _Items(_items(fold(_some(events, ~news)), bundle))
    moment = Moment(AS_OF_MS, AS_OF_MS, horizon_days)
    file = shop_file(_some(events, news))

    def run() -> None:
        intake = Intake(table, bundle, moment)
        for chunk in read_file(io.BytesIO(file), "news.parquet", Rules()):
            intake.add(chunk, lambda rejections: None)
        intake.flush()

    customers = len(np.unique(events.profile[news]))
    return Work(run, customers, {"events_a_customer": round(len(events) / len(events.keys), 1)})


def _some(events: EventColumns, which: Any) -> EventColumns:
    return EventColumns(events.keys, events.profile[which], events.rows.take(which), events.category_names)


def _items(profiles: Profiles, bundle: Bundle) -> dict[str, Item]:
    decisions = decide(profiles, {}, bundle, _NOW)
    stored = zip(profiles.keys, encode(profiles), profiles.event_totals.tolist(), strict=True)
    return {key: encode_profile(StoredProfile(key, 1, state, n, decisions[key])) for key, state, n in stored}


@cache
def _bundle(purchases: Path) -> Bundle:
    """A bundle trained on the purchases, once for as long as features are what they are."""
    if not (_folder(purchases) / FILE).exists():
        # What training takes is loaded where somebody trains: it would count as memory of every task.
        from training.base.config import Config
        from training.train import train

        config = Config(fewest_segments=5, most_segments=5, bootstraps=1, parity_rows=10_000)
        train([purchases], _folder(purchases), None, config)
    return Bundle.load(_folder(purchases))


def bundle_folder(purchases: Path) -> Path:
    """The folder of that bundle."""
    _bundle(purchases)
    return _folder(purchases)


def _folder(purchases: Path) -> Path:
    return purchases.with_name(f"model-{FEATURE_SET_HASH}")
