"""A small shop with customers of different kinds, for models to find."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

OPENED = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 300
DEVICES = ("mobile", "desktop", "tablet")

type Event = dict[str, Any]


def shop_events(customers: int = 260, seed: int = 1) -> list[Event]:
    """Visits, carts, orders and refunds over 300 days: some buy weekly, some rarely, some stop, most only look."""
    random = np.random.default_rng(seed)
    events: list[Event] = []
    for number in range(customers):
        every_days, buys, spend = [(6, 0.7, 30.0), (20, 0.8, 120.0), (10, 0.15, 20.0), (45, 0.4, 15.0)][number % 4]
        leaves = DAYS if random.random() < 0.6 else random.uniform(30, DAYS)
        day = random.uniform(0, 60)
        while day < leaves:
            events += _visit(random, str(number), len(events), day, random.random() < buys, spend)
            day += random.exponential(every_days)
    return events


def other_events(customers: int = 300, seed: int = 5) -> list[Event]:
    """Another shop, of whose customers those leave who come most often; in time before the first one's last day."""
    random = np.random.default_rng(seed)
    events: list[Event] = []
    for number in range(customers):
        comes_often = number % 2 == 0
        every_days, buys, spend = (4, 0.8, 40.0) if comes_often else (25, 0.9, 40.0)
        day = random.uniform(0, DAYS - 30) if comes_often else random.uniform(0, 60)
        leaves = day + random.uniform(20, 40) if comes_often else DAYS
        while day < min(leaves, DAYS):
            events += _visit(random, f"other-{number}", len(events), day, random.random() < buys, spend)
            day += random.exponential(every_days)
    return events


def _visit(random: np.random.Generator, customer: str, count: int, day: float, buys: bool, spend: float) -> list[Event]:
    at = OPENED + timedelta(days=day)
    session = f"{customer}-{count}"
    shared = {"customer_id": customer, "session_id": session, "device": DEVICES[random.integers(3)], "currency": "USD"}
    steps: list[Event] = [{"event_type": "view_item", "category": f"c{random.integers(6)}"}]
    if buys or random.random() < 0.3:
        steps.append({"event_type": "add_to_cart"})
    if buys:
        price = round(float(random.gamma(4, spend / 4)), 2)
        discount = round(price * float(random.random() < 0.3) * 0.2, 2)
        steps.append({"event_type": "purchase", "order_id": session, "price": price, "discount": discount})
        if random.random() < 0.08:
            steps.append({"event_type": "refund", "order_id": session, "price": price})
    return [
        {**shared, **step, "event_id": f"{session}-{i}", "timestamp": (at + timedelta(minutes=2 * i)).isoformat()}
        for i, step in enumerate(steps)
    ]
