"""A campaign of the made-up shop, sent to half of its customers by lot, of which some kinds answer because of it."""

import numpy as np
import pyarrow as pa

from shared.durations import DAY_MS
from training.shop.behaviour import DAYS, OPENED

NAME = "spring"
SENT_DAY = DAYS - 40
WITHIN_DAYS = 14
USUALLY = 0.1
"""Share of everybody who click an e-mail in these days, whatever they are sent."""
PERSUADABLE = ("discount_seekers", "style_browsers", "frequent_browsers")
"""Kinds of customers whom it changes; the others do as they would have done."""
DAY = np.timedelta64(1, "D")


def campaign_events(types: pa.Table, lift: float, rng: np.random.Generator) -> pa.Table:
    """Exposures of all customers in `types`, and clicks of those who answer: `lift` is what being approached adds to
    the probability of those whom it changes, 0 for a campaign that changes nobody."""
    n = len(types)
    treated = rng.random(n) < 0.5
    changed = np.isin(np.array(types["type"].to_pylist()), PERSUADABLE)
    answers = np.flatnonzero(rng.random(n) < USUALLY + lift * treated * changed)
    sent = (OPENED + SENT_DAY * DAY).astype("datetime64[ms]")
    later = (rng.random(len(answers)) * WITHIN_DAYS * DAY_MS).astype("timedelta64[ms]")
    customers = np.array(types["customer_id"].to_pylist())
    exposures = {
        "event_id": np.char.add("sent-", customers),
        "event_type": np.full(n, "campaign_exposure"),
        "timestamp": np.full(n, sent),
        "customer_id": customers,
        "campaign": np.full(n, NAME),
        "arm": np.where(treated, "treatment", "control"),
    }
    none = pa.nulls(len(answers), pa.string())
    clicks = {
        "event_id": np.char.add("clicked-", customers[answers]),
        "event_type": np.full(len(answers), "email_click"),
        "timestamp": sent + later,
        "customer_id": customers[answers],
        "campaign": none,
        "arm": none,
    }
    return pa.concat_tables([pa.table(exposures), pa.table(clicks)])
