"""A made-up online shop's customers, as many as asked for, always the same ones for the same seed.

Visits, the depth they reach, devices, categories, baskets and refunds are drawn so that a customer has about 24 events,
as the median customer of the Google Merchandise Store's public GA4 data has.
"""

import os
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from bench.imports import ROOT
from shared.durations import DAY_MS, HOUR_MS
from shared.features.codec import category_hash
from shared.features.columns import (
    ADD_TO_CART,
    BEGIN_CHECKOUT,
    CHANNELS,
    COLUMN_TYPES,
    DEVICES,
    EVENT_TYPES,
    MONEY_UNITS,
    PAGE_VIEW,
    PURCHASE,
    REFUND,
    SEARCH,
    SELECT_PROMOTION,
    VIEW_ITEM,
    EventColumns,
    Rows,
)

AS_OF_MS = 1_514_764_800_000
"""2018-01-01; the events lie in the 365 days before it."""

_LARGE = 50_000
"""Customers from which on a shop is kept in build/bench."""
_VISITS_MEAN = 3.6
_EVENTS_BEYOND_FIRST_MEAN = 5.2
_BROWSING = np.array([PAGE_VIEW, VIEW_ITEM, SEARCH, SELECT_PROMOTION, ADD_TO_CART])
_BROWSING_SHARES = [0.38, 0.40, 0.08, 0.04, 0.10]
_FUNNEL = (ADD_TO_CART, BEGIN_CHECKOUT, PURCHASE)
_REACHED_SHARES = [0.80, 0.10, 0.05, 0.05]
"""Visits that end while browsing, with something in the cart, in the checkout, and with an order."""
_REFUNDED = 0.04
_DEVICE_SHARES = [0.02, 0.45, 0.45, 0.06, 0.02]
_CHANNEL_SHARES = [0.02, 0.22, 0.3, 0.15, 0.1, 0.1, 0.06, 0.03, 0, 0.02]
_PRODUCTS = 2_000
_CATEGORIES = np.array([category_hash(f"Category {i}") for i in range(20)], np.uint32)
_NAMES = {category_hash(f"Category {i}"): f"Category {i}" for i in range(20)}


def shop_file(events: EventColumns) -> bytes:
    """The same events as a Parquet file in the contract's columns, all ids as texts."""
    import pandas as pd

    rows = events.rows

    def texts(prefix: str, codes: NDArray[Any]) -> NDArray[Any]:
        named: NDArray[Any] = np.char.add(prefix, codes.astype(str)).astype(object)
        named[codes == 0] = None
        return named

    amounts = {"price": rows.net / MONEY_UNITS, "discount": rows.discount / MONEY_UNITS, "quantity": 1.0}
    frame = pd.DataFrame(
        {
            "event_id": np.char.add("event-", rows.fingerprint.astype(str)),
            "event_type": np.array(EVENT_TYPES)[rows.kind],
            "timestamp": rows.time_ms.astype("datetime64[ms]"),
            "customer_id": np.array([key.partition("#")[2] for key in events.keys])[events.profile],
            "session_id": texts("session-", rows.session),
            "order_id": texts("order-", rows.order),
            "category": pd.Series(rows.category).map(events.category_names),
            "brand": texts("Brand ", rows.brand),
            "product_id": texts("product-", rows.product),
            "device": np.array([None, *DEVICES[1:]])[rows.device],
            "channel": np.array([None, *CHANNELS[1:]])[rows.channel],
            "engagement_seconds": rows.engagement_ms / 1_000,
            **amounts,
        }
    )
    return frame.to_parquet(index=False)


def shop_events(customers: int, seed: int = 7, first_customer: int = 0) -> EventColumns:
    """About 24 events of each of `customers` customers over a year, in the order of time.

    A large shop is made once and kept: each task has a process of its own, and many ask for the same.
    """
    if customers < _LARGE or first_customer:
        return _made(customers, seed, first_customer)
    code = crc32(Path(__file__).read_bytes() + " ".join(COLUMN_TYPES).encode())
    kept = ROOT / f"build/bench/shop-of-{customers}-{seed}-{code:08x}.npz"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        made = _made(customers, seed, first_customer)
        columns: Any = dict(zip(COLUMN_TYPES, made.rows.columns(), strict=True))
        written = kept.with_suffix(f".{os.getpid()}.npz")
        np.savez(written, profile=made.profile, **columns)
        written.rename(kept)
    with np.load(kept) as read:
        rows = Rows(*(read[name] for name in COLUMN_TYPES))
        return EventColumns(_keys(customers, first_customer), read["profile"], rows, _NAMES)


def _keys(customers: int, first_customer: int) -> list[str]:
    return [f"customer#{first_customer + i:07d}" for i in range(customers)]


def _made(customers: int, seed: int, first_customer: int) -> EventColumns:
    rng = np.random.default_rng(seed)
    visits_of = rng.geometric(1 / _VISITS_MEAN, customers)
    customer = np.repeat(np.arange(customers), visits_of)
    begins = AS_OF_MS - rng.integers(DAY_MS, 365 * DAY_MS, len(customer))
    reached = rng.choice(4, len(customer), p=_REACHED_SHARES)
    size = reached + rng.geometric(1 / (1 + _EVENTS_BEYOND_FIRST_MEAN), len(customer))

    visit = np.repeat(np.arange(len(customer)), size)
    position = np.arange(len(visit)) - np.repeat(np.cumsum(size) - size, size)
    n = len(visit)
    kind = rng.choice(_BROWSING, n, p=_BROWSING_SHARES)
    kind[position == 0] = PAGE_VIEW
    for step, what in enumerate(_FUNNEL):
        kind[(position == (size - reached)[visit] + step) & (reached[visit] > step)] = what
    gaps = rng.integers(2_000, 120_000, n)
    gaps[position == 0] = 0
    elapsed = np.cumsum(gaps)
    time_ms = begins[visit] + elapsed - elapsed[position == 0][visit]
    # Now and then an event of a visit with an order is the order's refund instead, some hours later.
    refunded = (kind == VIEW_ITEM) & (position > 0) & (reached[visit] == len(_FUNNEL)) & (rng.random(n) < _REFUNDED)
    kind[refunded] = REFUND
    time_ms[refunded] += HOUR_MS * rng.integers(2, 20, refunded.sum())

    bought = np.isin(kind, (PURCHASE, REFUND))
    on_product = np.isin(kind, (VIEW_ITEM, *_FUNNEL))
    session = (visit + 1).astype(np.uint32)
    columns: dict[str, NDArray[Any]] = {
        "time_ms": time_ms,
        "kind": kind,
        "fingerprint": rng.integers(0, 1 << 40, n),
        "session": session,
        "order": np.where(bought, session, 0),
        "category": np.where(on_product, _CATEGORIES[rng.zipf(1.5, n) % 20], 0),
        "brand": np.where(on_product, rng.integers(1, 50, n), 0),
        "net": np.where(bought, rng.integers(500, 20_000, n) * (MONEY_UNITS // 100), 0),
        "discount": np.where((kind == PURCHASE) & (rng.random(n) < 0.3), 5 * MONEY_UNITS, 0),
        "engagement_ms": rng.integers(0, 60_000, n),
        "device": rng.choice(len(DEVICES), len(customer), p=_DEVICE_SHARES)[visit],
        "channel": rng.choice(len(CHANNELS), len(customer), p=_CHANNEL_SHARES)[visit],
        "product": np.where(on_product, 1 + np.random.default_rng(seed + 1).zipf(1.3, n) % _PRODUCTS, 0),
        "campaign": np.zeros(n),
        "arm": np.zeros(n),
    }
    order = np.argsort(time_ms, kind="stable")
    rows = Rows(*(columns[name][order].astype(dtype) for name, dtype in COLUMN_TYPES.items()))
    return EventColumns(_keys(customers, first_customer), customer[visit][order], rows, _NAMES)
