"""A habit of the made-up shop's customers that no feature of the catalogue tells: who looked at one category lately
puts something on their wish list."""

import numpy as np
import pyarrow as pa

from shared.durations import DAY_MS
from training.shop.behaviour import DAYS, OPENED

EVENT = "wish"
CATEGORY = "Toys"
LATELY_DAYS = 30
EVERY_DAYS = 10
RARELY = 0.02
"""Probability that others do so, every EVERY_DAYS."""


def wish_events(events: pa.Table, share: float, rng: np.random.Generator) -> pa.Table:
    """The wishes of those whose `events` these are: on every tenth day, with the probability `share` by those who
    looked at CATEGORY in the days before, and rarely by others."""
    opened = int(OPENED.astype(np.int64))
    day = (events["timestamp"].cast("timestamp[ms]").to_numpy().astype(np.int64) - opened) // DAY_MS
    customers, owner = np.unique(np.array(events["customer_id"].to_pylist()), return_inverse=True)
    looked = (np.array(events["category"].to_pylist()) == CATEGORY) & (
        np.array(events["event_type"].to_pylist()) == "view_item"
    )
    asked = np.arange(LATELY_DAYS, DAYS, EVERY_DAYS)
    chance = np.full((len(customers), len(asked)), RARELY)
    for place, until in enumerate(asked.tolist()):
        lately = looked & (day >= until - LATELY_DAYS) & (day < until)
        chance[np.unique(owner[lately]), place] = share
    came = np.full(len(customers), DAYS)
    np.minimum.at(came, owner, day)
    chance[asked <= came[:, None]] = 0.0
    who, at = np.nonzero(rng.random(chance.shape) < chance)
    times = opened + asked[at] * DAY_MS + (rng.random(len(who)) * DAY_MS).astype(np.int64)
    names = customers[who]
    return pa.table(
        {
            "event_id": np.char.add(np.char.add("wish-", names), at.astype(str)),
            "event_type": np.full(len(who), EVENT),
            "timestamp": times.astype("datetime64[ms]"),
            "customer_id": names,
        }
    )
