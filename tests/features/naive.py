"""The features again, slowly and obviously, from raw events: the oracle that the engine is held against.

It shares no code with the engine and works on one customer's events at a time, each a plain dictionary as in a file.
"""

import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import fmean, pstdev
from typing import Any

NAN = math.nan
DAY = timedelta(days=1)

Event = dict[str, Any]


def naive_features(events: list[Event], as_of: datetime) -> dict[str, float]:
    """Every feature of the customer behind `events`, by name, from the events strictly before `as_of`."""
    known = sorted((e for e in _distinct(events) if _time(e) < as_of), key=_time)
    visits = _visits(known)
    orders = _orders(known)
    order_times = sorted(orders)
    gaps = [(b - a) / DAY for a, b in pairwise(order_times)]
    purchases = [e for e in known if e["event_type"] == "purchase"]
    out = {
        "days_since_visit": _days_before(as_of, [_time(e) for e in known if _in_visit(e)]),
        "days_since_order": _days_before(as_of, [_time(e) for e in purchases]),
        "tenure": (as_of - _time(known[0])) / DAY if known else NAN,
        "order_interval_mean": fmean(gaps) if gaps else NAN,
        "order_interval_deviation": pstdev(gaps) if gaps else NAN,
    }
    for days in (30, 90, 365):
        since = as_of - days * DAY
        bought = sum(_net(e) for e in purchases if _time(e) >= since)
        refunded = sum(_net(e) for e in known if e["event_type"] == "refund" and _time(e) >= since)
        n_orders = sum(time >= since for time in orders)
        midnights = {_midnight(_time(e)) for e in known if _in_visit(e)}
        out |= {
            f"visits_{days}d": sum(_start(v) >= since for v in visits),
            f"active_days_{days}d": sum(midnight >= since for midnight in midnights),
            f"orders_{days}d": n_orders,
            f"net_revenue_{days}d": bought - refunded,
            f"average_order_value_{days}d": _ratio(bought, n_orders),
        }
        if days != 30:
            discount = sum(e.get("discount") or 0 for e in purchases if _time(e) >= since)
            out[f"discount_share_{days}d"] = _ratio(discount, bought + discount)
        if days == 365:
            lines = sum(_time(e) >= since for e in purchases)
            categories = Counter(e["category"] for e in known if e.get("category") and _time(e) >= since)
            out |= {
                "basket_size_365d": _ratio(lines, n_orders),
                "refund_share_365d": _ratio(refunded, bought),
                "distinct_categories_365d": len(categories),
                "category_entropy_365d": _entropy(categories),
            }
    return out | _visit_features(known, visits, as_of)


def _visit_features(known: list[Event], visits: list[list[Event]], as_of: datetime) -> dict[str, float]:
    year = [v for v in visits if _start(v) >= as_of - 365 * DAY]
    quarter = [v for v in visits if _start(v) >= as_of - 90 * DAY]
    viewed = [v for v in quarter if _has(v, "view_item")]
    carted = [v for v in quarter if _has(v, "add_to_cart")]
    ordered = [v for v in quarter if _has(v, "purchase")]
    recent = [e["event_type"] for e in known if _time(e) >= as_of - 90 * DAY]
    out = {
        "weekend_share_365d": _share(year, [_start(v).weekday() >= 5 for v in year]),
        "evening_share_365d": _share(year, [_start(v).hour >= 18 for v in year]),
        "visit_duration_90d": fmean(map(_duration, quarter)) if quarter else NAN,
        "views_90d": recent.count("view_item"),
        "carts_90d": recent.count("add_to_cart"),
        "click_to_cart_90d": _share(viewed, [_has(v, "add_to_cart") for v in viewed]),
        "cart_to_order_90d": _ratio(len(ordered), len(carted)),
        "cart_abandonment_90d": _share(carted, [not _has(v, "purchase") for v in carted]),
    }
    for device in ("mobile", "desktop", "tablet"):
        on_it = [v for v in year if _device(v) == device]
        out[f"{device}_share_365d"] = _ratio(len(on_it), len(year))
        out[f"{device}_conversion_365d"] = _share(on_it, [_has(v, "purchase") for v in on_it])
    return out


def _distinct(events: list[Event]) -> list[Event]:
    return list({e.get("event_id") or tuple(sorted(e.items())): e for e in events}.values())


def _time(event: Event) -> datetime:
    given = event["timestamp"]
    at = given if isinstance(given, datetime) else datetime.fromisoformat(given)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def _net(event: Event) -> float:
    return float((event.get("price") or 0.0) * (event.get("quantity") or 1.0))


def _in_visit(event: Event) -> bool:
    return event["event_type"] not in ("refund", "email_open", "email_click")


def _visits(known: list[Event]) -> list[list[Event]]:
    named: dict[str, list[Event]] = {}
    loose: list[list[Event]] = []
    for event in filter(_in_visit, known):
        if event.get("session_id"):
            named.setdefault(event["session_id"], []).append(event)
        elif loose and _time(event) - _time(loose[-1][-1]) <= timedelta(minutes=30):
            loose[-1].append(event)
        else:
            loose.append([event])
    return [*named.values(), *loose]


def _orders(known: list[Event]) -> list[datetime]:
    """When each order was placed: at its first line."""
    placed: dict[str, datetime] = {}
    for event in known:
        if event["event_type"] == "purchase":
            placed.setdefault(event.get("order_id") or f"alone {event['event_id']}", _time(event))
    return list(placed.values())


def _start(visit: list[Event]) -> datetime:
    return _time(visit[0])


def _has(visit: list[Event], kind: str) -> bool:
    return any(e["event_type"] == kind for e in visit)


def _device(visit: list[Event]) -> str | None:
    """The first one named; of several at one instant, the first in the list below."""
    order = ["mobile", "desktop", "tablet"]
    named = [(_time(e), order.index(e["device"]) if e["device"] in order else 3) for e in visit if e.get("device")]
    return [*order, "other"][min(named)[1]] if named else None


def _duration(visit: list[Event]) -> float:
    span = (_time(visit[-1]) - _time(visit[0])).total_seconds()
    return max(span, sum(e.get("engagement_seconds") or 0 for e in visit))


def _days_before(as_of: datetime, times: list[datetime]) -> float:
    return (as_of - max(times)) / DAY if times else NAN


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else NAN


def _share(base: list[list[Event]], flags: list[bool]) -> float:
    return _ratio(sum(flags), len(base))


def _entropy(counts: Counter[str]) -> float:
    whole = counts.total()
    return -sum(n / whole * math.log2(n / whole) for n in counts.values()) if whole else NAN
