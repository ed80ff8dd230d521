"""The features again, slowly and obviously, from raw events: the oracle that the engine is held against.

It shares no code with the engine and works on one customer's events at a time, each a plain dictionary as in a file.
Only what shops call their channels is read as the files are: tests/events/test_channels.py has examples.
"""

import math
from collections import Counter
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from statistics import fmean, pstdev
from typing import Any

from shared.events.channels import channel_code

NAN = math.nan
DAY = timedelta(days=1)
CHANNELS = ("direct", "search", "advertising", "social", "message", "referral", "app", "store")
Event = dict[str, Any]


def naive_features(
    events: list[Event], as_of: datetime, zone: tzinfo = UTC, superseded: bool = False
) -> dict[str, float]:
    """Every feature of the customer behind `events`, by name, from the events strictly before `as_of`: as it is by now,
    or, where it was something else before, as it was.

    Hours, weekdays, months and days are those of `zone`.
    """
    known = sorted((e for e in distinct(events) if time_of(e) < as_of and not _is_exposure(e)), key=time_of)
    visits = _visits(known)
    orders = _orders(known)
    out = _lifelong(known, visits, orders, as_of)
    ever = _money(known, orders) | _browsing(known, visits) | _habits(known, visits, orders, zone)
    for days in (7, 30, 90, 365):
        since = as_of - days * DAY
        lines = [e for e in known if time_of(e) >= since]
        recent = [v for v in visits if _start(v) >= since]
        placed = [time for time in orders if time >= since]
        midnights = {_midnight(time_of(e).astimezone(zone)) for e in known if _in_visit(e)}
        values = _money(lines, placed) | _browsing(lines, recent) | _habits(lines, recent, placed, zone)
        if not superseded:
            values = _completed(values, ever, _seen(recent, placed), _seen(visits, orders))
        values |= {"visits": len(recent), "orders": len(placed), "active_days": sum(m >= since for m in midnights)}
        out |= {f"{name}_{days}d": value for name, value in values.items()}
    if len(orders) < 4 and not superseded:
        out["order_interval_deviation"] = NAN
    out["net_revenue_lifetime"] = ever["net_revenue"]
    for name in ("visits", "orders", "net_revenue"):
        out[f"{name}_trend"] = out[f"{name}_30d"] - (out[f"{name}_90d"] - out[f"{name}_30d"]) / 2
    return out


def _completed(
    recent: dict[str, float], ever: dict[str, float], seen: dict[str, int], seen_ever: dict[str, int]
) -> dict[str, float]:
    """What is known of a window by what there is in it, or else by all that there is."""
    out = {}
    for name, value in recent.items():
        if name not in seen:
            out[name] = ever[name] if math.isnan(value) else value
        elif seen_ever[name] < 3:
            out[name] = NAN
        else:
            out[name] = ever[name] if seen[name] < 3 else value
    return out


def _seen(visits: list[list[Event]], orders: list[datetime]) -> dict[str, int]:
    """Of what is a habit after three times, how often it was seen."""
    of_visits = ("weekend_share", "night_share", "morning_share", "afternoon_share", "evening_share")
    return {
        **dict.fromkeys((*of_visits, "weekday_concentration"), len(visits)),
        "last_quarter_order_share": len(orders),
        "burstiness": len(visits) - 1,
    }


def _lifelong(
    known: list[Event], visits: list[list[Event]], orders: list[datetime], as_of: datetime
) -> dict[str, float]:
    gaps = [(b - a) / DAY for a, b in pairwise(sorted(orders))]
    since_order = _days_before(as_of, [time_of(e) for e in known if e["event_type"] == "purchase"])
    return {
        "days_since_visit": _days_before(as_of, [time_of(e) for e in known if _in_visit(e)]),
        "days_since_order": since_order,
        "days_since_first_order": _days_before(as_of, [min(orders)] if orders else []),
        "days_since_cart": _days_before(as_of, [time_of(e) for e in known if e["event_type"] == "add_to_cart"]),
        "tenure": _days_before(as_of, [time_of(known[0])] if known else []),
        "visits_lifetime": len(visits),
        "orders_lifetime": len(orders),
        "order_interval_mean": fmean(gaps) if gaps else NAN,
        "order_interval_deviation": pstdev(gaps) if gaps else NAN,
        "order_overdue": _ratio(since_order, fmean(gaps)) if gaps else NAN,
    }


def _money(lines: list[Event], placed: list[datetime]) -> dict[str, float]:
    purchases = [e for e in lines if e["event_type"] == "purchase"]
    refunds = [e for e in lines if e["event_type"] == "refund"]
    bought = sum(map(net_of, purchases))
    refunded = sum(map(net_of, refunds))
    discount = sum(e.get("discount") or 0 for e in purchases)
    return {
        "net_revenue": bought - refunded,
        "average_order_value": _ratio(bought, len(placed)),
        "basket_size": _ratio(len(purchases), len(placed)),
        "discount_share": _ratio(discount, bought + discount),
        "discounted_line_share": _ratio(sum(map(_discounted, purchases)), len(purchases)),
        "refunds": len(refunds),
        "refund_share": _ratio(refunded, bought),
    }


def _browsing(lines: list[Event], visits: list[list[Event]]) -> dict[str, float]:
    kinds = Counter(e["event_type"] for e in lines)
    viewed = [v for v in visits if _has(v, "view_item")]
    carted = [v for v in visits if _has(v, "add_to_cart")]
    ordered = [v for v in visits if _has(v, "purchase")]
    out = {
        "visit_duration": fmean(map(_duration, visits)) if visits else NAN,
        "visit_depth": fmean(map(len, visits)) if visits else NAN,
        "bounce_share": _share(visits, [len(v) == 1 for v in visits]),
        "views": kinds["view_item"],
        "carts": kinds["add_to_cart"],
        "checkouts": kinds["begin_checkout"],
        "page_views": kinds["page_view"],
        "searches": kinds["search"],
        "email_opens": kinds["email_open"],
        "email_clicks": kinds["email_click"],
        "email_click_rate": _ratio(kinds["email_click"], kinds["email_open"]),
        "click_to_cart": _share(viewed, [_has(v, "add_to_cart") for v in viewed]),
        "browse_to_buy": _share(viewed, [_has(v, "purchase") for v in viewed]),
        "cart_to_order": _ratio(len(ordered), len(carted)),
        "cart_abandonment": _share(carted, [not _has(v, "purchase") for v in carted]),
        "promotion_click_share": _share(visits, [_has(v, "select_promotion") for v in visits]),
    }
    for device in ("mobile", "desktop", "tablet"):
        on_it = [v for v in visits if _device(v) == device]
        out[f"{device}_share"] = _ratio(len(on_it), len(visits))
        out[f"{device}_conversion"] = _share(on_it, [_has(v, "purchase") for v in on_it])
    known = [v for v in visits if _channel(v)]
    for code, channel in enumerate(CHANNELS, 1):
        out[f"{channel}_share"] = _share(known, [_channel(v) == code for v in known])
    return out


def _habits(lines: list[Event], visits: list[list[Event]], placed: list[datetime], zone: tzinfo) -> dict[str, float]:
    began = [_start(v).astimezone(zone) for v in visits]
    weekdays = Counter(at.weekday() for at in began)
    categories = Counter(e["category"] for e in lines if e.get("category"))
    brands = {e["brand"] for e in lines if e.get("brand")}
    return {
        "weekend_share": _share(visits, [at.weekday() >= 5 for at in began]),
        "night_share": _share(visits, [at.hour < 6 for at in began]),
        "morning_share": _share(visits, [6 <= at.hour < 12 for at in began]),
        "afternoon_share": _share(visits, [12 <= at.hour < 18 for at in began]),
        "evening_share": _share(visits, [at.hour >= 18 for at in began]),
        "weekday_concentration": sum((n / len(visits)) ** 2 for n in weekdays.values()) if visits else NAN,
        "last_quarter_order_share": _ratio(sum(time.astimezone(zone).month >= 10 for time in placed), len(placed)),
        "burstiness": _burstiness(sorted(_start(v) for v in visits)),
        "distinct_categories": len(categories),
        "distinct_brands": len(brands),
        "category_entropy": _entropy(categories),
        "top_category_share": _ratio(max(categories.values(), default=0), categories.total()),
    }


def naive_top_categories(events: list[Event], as_of: datetime, most: int = 3) -> list[str]:
    """The customer's favourite categories of the last 365 days."""
    known = [e for e in distinct(events) if as_of - 365 * DAY <= time_of(e) < as_of and not _is_exposure(e)]
    counts = Counter(e["category"] for e in known if e.get("category"))
    return sorted(counts, key=lambda name: (-counts[name], name))[:most]


def _is_exposure(event: Event) -> bool:
    return bool(event["event_type"] == "campaign_exposure")


def _burstiness(starts: list[datetime]) -> float:
    gaps = [(b - a) / DAY for a, b in pairwise(starts)]
    if not gaps or not any(gaps):
        return NAN
    return (pstdev(gaps) - fmean(gaps)) / (pstdev(gaps) + fmean(gaps))


def distinct(events: list[Event]) -> list[Event]:
    """One event of each id: the latest, and of equal times the one that amounts to more."""
    latest: dict[Any, Event] = {}
    for event in sorted(events, key=lambda e: (time_of(e), *_amounts(e))):
        latest[event.get("event_id") or tuple(sorted(event.items()))] = event
    return list(latest.values())


def _amounts(event: Event) -> tuple[float, float, float]:
    kind = event["event_type"]
    net = net_of(event) if kind in ("purchase", "refund") else 0.0
    return net, (event.get("discount") or 0.0) if kind == "purchase" else 0.0, event.get("engagement_seconds") or 0.0


def time_of(event: Event) -> datetime:
    """When it happened."""
    given = event["timestamp"]
    at = given if isinstance(given, datetime) else datetime.fromisoformat(given)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)


def net_of(event: Event) -> float:
    """What the line amounts to, to a ten-thousandth as amounts are kept: a unit's price may have more digits."""
    return round((event.get("price") or 0.0) * (event.get("quantity") or 1.0) * 10_000) / 10_000


def _discounted(event: Event) -> bool:
    """By a ten-thousandth of the currency or more: sums of decimals in files can leave traces that are no discount."""
    return round((event.get("discount") or 0) * 10_000) > 0


def _in_visit(event: Event) -> bool:
    return event["event_type"] not in ("refund", "email_open", "email_click", "identify")


def _visits(known: list[Event]) -> list[list[Event]]:
    named: dict[str, list[Event]] = {}
    loose: list[list[Event]] = []
    for event in filter(_in_visit, known):
        if event.get("session_id"):
            named.setdefault(event["session_id"], []).append(event)
        elif loose and time_of(event) - time_of(loose[-1][-1]) <= timedelta(minutes=30):
            loose[-1].append(event)
        else:
            loose.append([event])
    return [*named.values(), *loose]


def _orders(known: list[Event]) -> list[datetime]:
    """When each order was placed: at its first line."""
    placed: dict[str, datetime] = {}
    for event in known:
        if event["event_type"] == "purchase":
            placed.setdefault(event.get("order_id") or f"alone {event['event_id']}", time_of(event))
    return list(placed.values())


def _start(visit: list[Event]) -> datetime:
    return time_of(visit[0])


def _has(visit: list[Event], kind: str) -> bool:
    return any(e["event_type"] == kind for e in visit)


def _device(visit: list[Event]) -> str | None:
    """The first one named; of several at one instant, the first in the list below."""
    order = ["mobile", "desktop", "tablet"]
    named = [(time_of(e), order.index(e["device"]) if e["device"] in order else 3) for e in visit if e.get("device")]
    return [*order, "other"][min(named)[1]] if named else None


def _channel(visit: list[Event]) -> int | None:
    """The first one named; of several at one instant, the one of the lowest code."""
    named = [(time_of(e), code) for e in visit if (code := channel_code(e.get("channel")))]
    return min(named)[1] if named else None


def _duration(visit: list[Event]) -> float:
    span = (time_of(visit[-1]) - time_of(visit[0])).total_seconds()
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
