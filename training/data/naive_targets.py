"""Outcomes of targets again, slowly and obviously, from raw events: the oracle that training's own are held against.

It works on one customer's events at a time, each a plain dictionary as in a file.
"""

from datetime import datetime, timedelta

from training.base.target_entry import TargetEntry
from training.data.naive_features import Event, distinct, net_of, time_of


def naive_outcome(events: list[Event], entry: TargetEntry, cutoff: datetime, exposed_days: int) -> float | None:
    """What became of the customer behind `events` at the cut-off; None where nothing is asked of them.

    Who is asked of because they were exposed, was so in the last `exposed_days`.
    """
    once = sorted(distinct(events), key=time_of)
    start = _exposed(once, entry, cutoff, exposed_days) if entry.whom == "exposed" else cutoff
    if start is None:
        return None
    before = [e for e in once if time_of(e) < start]
    if not any(e["event_type"] != "campaign_exposure" for e in before):
        return None
    if entry.whom == "buyers" and not any(e["event_type"] == "purchase" for e in before):
        return None
    end = start + timedelta(days=entry.within_days)
    counted = [e for e in once if start <= time_of(e) < end and _counts(e, entry)]
    if entry.kind == "amount" and entry.is_of_money:
        return _spent(counted)
    if entry.kind == "amount":
        return float(_times(counted))
    happened = _times(counted) >= entry.least and (not entry.least_spent or _spent(counted) >= entry.least_spent - 1e-9)
    return float(happened == entry.happens)


def _exposed(events: list[Event], entry: TargetEntry, cutoff: datetime, days: int) -> datetime | None:
    times = [
        time_of(e)
        for e in events
        if e["event_type"] == "campaign_exposure"
        and e["arm"] == "treatment"
        and entry.campaign in (None, e["campaign"])
        and cutoff - timedelta(days=days) <= time_of(e) < cutoff
    ]
    return min(times, default=None)


def _counts(event: Event, entry: TargetEntry) -> bool:
    named = {"category": entry.category, "brand": entry.brand, "product_id": entry.product}
    if "campaign_exposure" in entry.event:
        named["campaign"] = entry.campaign
    return event["event_type"] in entry.event and all(n is None or event.get(field) == n for field, n in named.items())


def _times(events: list[Event]) -> int:
    orders = {e["order_id"] for e in events if e["event_type"] == "purchase" and e.get("order_id")}
    return len(orders) + sum(not (e["event_type"] == "purchase" and e.get("order_id")) for e in events)


def _spent(events: list[Event]) -> float:
    return sum(net_of(e) if e["event_type"] == "purchase" else -net_of(e) for e in events)
