"""The usual way for events of every kind: all features of the catalogue with pandas, group by group.

Events are taken to be distinct already, in the order of time, and each with a session id: the engine takes none of this
for granted.
"""

import pandas as pd

from bench.pandas_features import by_category, distinct, gaps_of_orders, lasting_habits, named, or_ever, overdue

COLUMNS = [
    "timestamp", "customer_id", "event_type", "session_id", "order_id", "category", "brand", "quantity", "price",
    "discount", "device", "channel", "engagement_seconds",
]  # fmt: skip
"""All that the features need to be read of the events."""

_DAY = pd.Timedelta(days=1)
_OUTSIDE = ["refund", "email_open", "email_click", "identify"]
_MARKS = {"viewed": "view_item", "carted": "add_to_cart", "ordered": "purchase", "promoted": "select_promotion"}
_CHANNELS = ("direct", "search", "advertising", "social", "message", "referral", "app", "store")
_COUNTED = [
    ("views", "view_item", (30, 90)),
    ("carts", "add_to_cart", (30, 90)),
    ("checkouts", "begin_checkout", (90,)),
    ("page_views", "page_view", (90,)),
    ("searches", "search", (90,)),
    ("email_opens", "email_open", (90,)),
    ("email_clicks", "email_click", (90,)),
    ("refunds", "refund", (365,)),
]


def pandas_all_features(events: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """One row a customer, one column a feature, from events strictly before `as_of` (UTC, without an offset)."""
    frame, customers = _frame(events[events.timestamp < as_of])
    lines = frame[frame.kind == "purchase"]
    refunds = frame[frame.kind == "refund"]
    visiting = frame[~frame.kind.isin(_OUTSIDE)]
    visits = _visits(visiting)
    everyone = pd.RangeIndex(len(customers))
    by_order = lines.groupby(["customer", "order"], sort=False, as_index=False)
    orders = by_order.agg(time=("time", "min")).sort_values(["customer", "time"], ignore_index=True)
    days = pd.DataFrame({"customer": visiting.customer, "time": visiting.time.dt.floor("D")}).drop_duplicates()

    def within(table: pd.DataFrame, window: int | None) -> pd.DataFrame:
        return table if window is None else table[table.time >= as_of - window * _DAY]

    def size(table: pd.DataFrame, window: int | None) -> pd.Series:
        return within(table, window).groupby("customer").size().reindex(everyone, fill_value=0)

    def total(table: pd.DataFrame, column: str, window: int | None) -> pd.Series:
        return within(table, window).groupby("customer")[column].sum().reindex(everyone, fill_value=0)

    out: dict[str, pd.Series] = {}
    for name, table, pick in [
        ("days_since_visit", visiting, "max"),
        ("days_since_order", lines, "max"),
        ("days_since_first_order", orders, "min"),
        ("days_since_cart", frame[frame.kind == "add_to_cart"], "max"),
        ("tenure", frame, "min"),
    ]:
        out[name] = (as_of - table.groupby("customer").time.agg(pick)).dt.total_seconds() / _DAY.total_seconds()
    for name, table, windows in [
        ("visits", visits, (7, 30, 90, 365, None)),
        ("active_days", days, (30, 90, 365)),
        ("orders", orders, (7, 30, 90, 365, None)),
        *((name, frame[frame.kind == kind], windows) for name, kind, windows in _COUNTED),
    ]:
        out |= {named(name, window): size(table, window) for window in windows}
    for window in (7, 30, 90, 365, None):
        out[named("net_revenue", window)] = total(lines, "net", window) - total(refunds, "net", window)

    def order_value(window: int | None) -> pd.Series:
        return _ratio(total(lines, "net", window), size(orders, window))

    def discount_share(window: int | None) -> pd.Series:
        discount = total(lines, "discount", window)
        return _ratio(discount, total(lines, "net", window) + discount)

    def click_rate(window: int | None) -> pd.Series:
        opened, clicked = (size(frame[frame.kind == kind], window) for kind in ("email_open", "email_click"))
        return _ratio(clicked, opened)

    def of_a_year(window: int | None) -> dict[str, pd.Series]:
        bought, visited = within(lines, window), within(visits, window)
        return {
            "basket_size_365d": _ratio(size(lines, window), size(orders, window)),
            "discounted_line_share_365d": _mean(bought, bought.discount > 0),
            "refund_share_365d": _ratio(total(refunds, "net", window), total(lines, "net", window)),
            **by_category(within(frame, window)),
            **_of_devices(visited),
            **_of_channels(visited),
        }

    recent = of_a_year(365) | _of_visits(within(visits, 30), within(visits, 90))
    ever = of_a_year(None) | _of_visits(visits, visits)
    for name, of, windows in [
        ("average_order_value", order_value, (30, 90, 365)),
        ("discount_share", discount_share, (90, 365)),
        ("email_click_rate", click_rate, (90,)),
    ]:
        recent |= {named(name, window): of(window) for window in windows}
        ever |= {named(name, window): of(None) for window in windows}
    out |= {name: or_ever(values, ever[name], everyone) for name, values in recent.items()}
    for window in (90, 365):
        out[f"distinct_categories_{window}d"] = distinct(within(frame, window), "category")
    out["distinct_brands_365d"] = distinct(within(frame, 365), "brand")
    for name in ("distinct_categories_90d", "distinct_categories_365d", "distinct_brands_365d"):
        out[name] = out[name].reindex(everyone, fill_value=0)
    out |= gaps_of_orders(orders)
    out |= lasting_habits(within(visits, 365), visits, within(orders, 365), orders, everyone)
    out["order_overdue"] = overdue(out)
    for name in ("visits", "orders", "net_revenue"):
        last_30, last_90 = out[f"{name}_30d"], out[f"{name}_90d"]
        out[f"{name}_trend"] = last_30 - (last_90 - last_30) / 2
    matrix = pd.DataFrame({name: values.reindex(everyone) for name, values in out.items()})
    return matrix.set_axis(customers, axis=0)


def _frame(events: pd.DataFrame) -> tuple[pd.DataFrame, pd.Index]:
    """Numbers instead of texts, which every grouping after it is quicker on, and the customers behind them."""
    customer, customers = pd.factorize(events.customer_id, sort=True)
    codes = {name: pd.factorize(events[f"{name}_id"])[0] for name in ("session", "order")}
    codes |= {name: pd.factorize(events[name])[0] for name in ("category", "brand")}
    kept = {
        "time": events.timestamp.to_numpy(),
        "kind": events.event_type.astype("category").array,
        "device": events.device.astype("category").array,
        "channel": events.channel.astype("category").array,
        "net": (events.price * events.quantity).round(4).to_numpy(),
        "discount": events.discount.to_numpy(),
        "engagement": events.engagement_seconds.to_numpy(),
    }
    return pd.DataFrame({"customer": customer, **codes, **kept}), customers


def _visits(visiting: pd.DataFrame) -> pd.DataFrame:
    marked = visiting.assign(**{mark: visiting.kind == kind for mark, kind in _MARKS.items()})
    visits = marked.groupby(["customer", "session"], sort=False, as_index=False).agg(
        time=("time", "min"),
        end=("time", "max"),
        events=("time", "size"),
        engagement=("engagement", "sum"),
        device=("device", "first"),
        channel=("channel", "first"),
        **{mark: (mark, "max") for mark in _MARKS},
    )
    return visits.sort_values(["customer", "time"], ignore_index=True)


def _of_visits(month: pd.DataFrame, quarter: pd.DataFrame) -> dict[str, pd.Series]:
    def duration(visits: pd.DataFrame) -> pd.Series:
        return (visits.end - visits.time).dt.total_seconds().clip(lower=visits.engagement)

    carted = quarter[quarter.carted]
    viewed = quarter[quarter.viewed]
    customer = quarter.customer
    ordered = quarter.ordered.groupby(customer).sum()
    with_cart = quarter.carted.groupby(customer).sum()
    return {
        "visit_duration_30d": _mean(month, duration(month)),
        "visit_duration_90d": _mean(quarter, duration(quarter)),
        "visit_depth_90d": _mean(quarter, quarter.events),
        "bounce_share_90d": _mean(quarter, quarter.events == 1),
        "click_to_cart_90d": _mean(viewed, viewed.carted),
        "browse_to_buy_90d": _mean(viewed, viewed.ordered),
        "cart_to_order_90d": _ratio(ordered, with_cart),
        "cart_abandonment_30d": _mean(month[month.carted], ~month[month.carted].ordered),
        "cart_abandonment_90d": _mean(carted, ~carted.ordered),
        "promotion_click_share_90d": _mean(quarter, quarter.promoted),
    }


def _of_devices(visits: pd.DataFrame) -> dict[str, pd.Series]:
    out = {}
    for device in ("mobile", "desktop", "tablet"):
        on_it = visits.device == device
        out[f"{device}_share_365d"] = _mean(visits, on_it)
        out[f"{device}_conversion_365d"] = _mean(visits[on_it], visits.ordered[on_it])
    return out


def _of_channels(visits: pd.DataFrame) -> dict[str, pd.Series]:
    known = visits[visits.channel.notna()]
    return {f"{channel}_share_365d": _mean(known, known.channel == channel) for channel in _CHANNELS}


def _mean(table: pd.DataFrame, values: pd.Series) -> pd.Series:
    return values.groupby(table.customer).mean()


def _ratio(part: pd.Series, whole: pd.Series) -> pd.Series:
    return part / whole.where(whole > 0)
