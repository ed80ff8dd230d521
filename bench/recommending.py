"""What recommendations cost: the stored item decoded, both lists made of its history, and the answer as JSON."""

import time
from functools import cache

import msgspec
import numpy as np

from bench.shop import AS_OF_MS, shop_events
from bench.work import Inputs, Work
from shared.api.recommended import recommended
from shared.decisions.recommended import recommended_lists
from shared.features import Profiles, encode, fold
from shared.profiles.item import decode_profile, encode_profile
from shared.profiles.stored_profile import StoredProfile
from shared.recommending.recommender import Recommender

_LOOKED_UP = 300
_LEARNED_FROM = 2_000
_SHOWN = 10


def recommend_products(inputs: Inputs) -> Work:
    """Answer what customers may buy again and what is new for them, one after the other."""
    profiles = _profiles(min(inputs.customers, _LEARNED_FROM))
    recommender = _recommender(min(inputs.customers, _LEARNED_FROM))
    some = profiles.part(0, min(_LOOKED_UP, len(profiles)))
    states = zip(some.keys, encode(some), some.event_totals.tolist(), strict=True)
    items = [encode_profile(StoredProfile(key, 1, state, events, None)) for key, state, events in states]
    facts: dict[str, float] = {}

    def run() -> None:
        milliseconds = []
        for item in items:
            began = time.perf_counter()
            profile = decode_profile(item)
            msgspec.json.encode(recommended(profile.key, profile, recommender, AS_OF_MS, _SHOWN))
            milliseconds.append((time.perf_counter() - began) * 1_000)
        median = round(float(np.median(milliseconds)), 4)
        facts["median_ms"] = min(facts.get("median_ms", median), median)

    return Work(run, len(items), facts)


def recommend_to_batch(inputs: Inputs) -> Work:
    """Make both lists of the same customers as they are decided on where a rule asks what is recommended."""
    recommender = _recommender(min(inputs.customers, _LEARNED_FROM))
    some = _profiles(min(inputs.customers, _LEARNED_FROM)).part(0, _LOOKED_UP)
    return Work(lambda: recommended_lists(recommender, some, [None] * len(some), AS_OF_MS), len(some), {})


@cache
def _profiles(customers: int) -> Profiles:
    return fold(shop_events(customers))


@cache
def _recommender(customers: int) -> Recommender:
    # What training takes is loaded where somebody trains: it would count as memory of every task.
    from training.recommending.building import Assortment
    from training.recommending.training import Shop, train

    profiles = _profiles(customers)
    codes = np.unique(profiles.rows.product)
    ids = {code: f"p{code}" for code in codes[codes > 0].tolist()}
    shop = Shop(profiles, Assortment(ids), profiles.category_names)
    return Recommender.from_bytes(train(shop, AS_OF_MS, AS_OF_MS).recommender.to_bytes())
