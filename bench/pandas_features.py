"""The usual way: features recomputed from all raw events with pandas, as a data scientist would, group by group.

These are the features of the catalogue that purchases alone can tell, with the same names and values. Events are taken
to be distinct already, which spares pandas the removal of repeats that the engine does.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

COLUMNS = [
    "timestamp", "customer_id", "session_id", "order_id", "category", "brand", "quantity", "price", "discount",
]  # fmt: skip
"""All that the features need to be read of the events."""

_DAY = pd.Timedelta(days=1)
_FEW = 3


def pandas_features(events: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """One row a customer, one column a feature, from purchases strictly before `as_of` (UTC, without an offset)."""
    lines, customers = _lines(events[(events.timestamp < as_of) & (events.quantity > 0)])
    by_visit = lines.groupby(["customer", "session"], sort=False, as_index=False)
    visits = by_visit.agg(time=("time", "min"), end=("time", "max"), lines=("time", "size"))
    visits = visits.sort_values(["customer", "time"], ignore_index=True)
    orders = lines.groupby(["customer", "order"], sort=False, as_index=False).agg(time=("time", "min"))
    orders = orders.sort_values(["customer", "time"], ignore_index=True)
    days = pd.DataFrame({"customer": lines.customer, "time": lines.time.dt.floor("D")}).drop_duplicates()

    def within(table: pd.DataFrame, window: int | None) -> pd.DataFrame:
        return table if window is None else table[table.time >= as_of - window * _DAY]

    out: dict[str, pd.Series] = {}
    for name, table, pick in [
        ("days_since_visit", visits, "max"),
        ("days_since_order", lines, "max"),
        ("days_since_first_order", orders, "min"),
        ("tenure", lines, "min"),
    ]:
        out[name] = (as_of - table.groupby("customer").time.agg(pick)).dt.total_seconds() / _DAY.total_seconds()
    counts: dict[str, pd.Series] = {}
    for name, table, windows in [
        ("visits", visits, (7, 30, 90, 365, None)),
        ("active_days", days, (30, 90, 365)),
        ("orders", orders, (7, 30, 90, 365, None)),
    ]:
        for window in windows:
            counts[named(name, window)] = within(table, window).groupby("customer").size()
    for window in (7, 30, 90, 365, None):
        counts[named("net_revenue", window)] = within(lines, window).groupby("customer").spend.sum()
    everyone = pd.RangeIndex(len(customers))
    ever = _of_visits(visits, visits) | _of_the_year(lines, counts["orders_lifetime"])
    for window in (30, 90, 365):
        name = f"average_order_value_{window}d"
        out[name] = counts[f"net_revenue_{window}d"] / counts[f"orders_{window}d"]
        ever[name] = counts["net_revenue_lifetime"] / counts["orders_lifetime"]
    for window in (90, 365):
        name = f"discount_share_{window}d"
        out[name] = _discount_share(within(lines, window))
        ever[name] = _discount_share(lines)
    out |= _of_visits(within(visits, 30), within(visits, 90))
    out |= _of_the_year(within(lines, 365), counts["orders_365d"])
    out |= {name: or_ever(out[name], value, everyone) for name, value in ever.items()}
    out |= gaps_of_orders(orders)
    out["order_overdue"] = overdue(out)
    out |= lasting_habits(within(visits, 365), visits, within(orders, 365), orders, everyone)
    for window in (90, 365):
        counts[f"distinct_categories_{window}d"] = distinct(within(lines, window), "category")
    counts["distinct_brands_365d"] = distinct(within(lines, 365), "brand")

    matrix = pd.DataFrame({name: values.reindex(everyone) for name, values in out.items()})
    matrix = matrix.assign(**{name: values.reindex(everyone, fill_value=0) for name, values in counts.items()})
    for name in ("visits", "orders", "net_revenue"):
        last_30, last_90 = matrix[f"{name}_30d"], matrix[f"{name}_90d"]
        matrix[f"{name}_trend"] = last_30 - (last_90 - last_30) / 2
    return matrix.set_axis(customers, axis=0)


def _lines(events: pd.DataFrame) -> tuple[pd.DataFrame, pd.Index]:
    """Numbers instead of texts, which every grouping after it is quicker on, and the customers behind them."""
    customer, customers = pd.factorize(events.customer_id, sort=True)
    codes = {name: pd.factorize(events[f"{name}_id"])[0] for name in ("session", "order")}
    codes |= {name: pd.factorize(events[name])[0] for name in ("category", "brand")}
    spend = (events.price * events.quantity).round(4)
    numbers = {"spend": spend.to_numpy(), "discount": events.discount.to_numpy(), "time": events.timestamp.to_numpy()}
    return pd.DataFrame({"customer": customer, **codes, **numbers}), customers


def named(name: str, window: int | None) -> str:
    """A feature's name with its window."""
    return f"{name}_lifetime" if window is None else f"{name}_{window}d"


def _gaps(things: pd.DataFrame) -> pd.DataFrame:
    """Days between consecutive things of each customer, which are sorted."""
    gap = things.groupby("customer").time.diff().dt.total_seconds() / _DAY.total_seconds()
    return pd.DataFrame({"customer": things.customer, "gap": gap}).dropna()


def gaps_of_orders(orders: pd.DataFrame) -> dict[str, pd.Series]:
    """Features of the days between orders."""
    gaps = _gaps(orders).groupby("customer").gap
    steady = gaps.std(ddof=0).where(gaps.size() >= _FEW)
    return {"order_interval_mean": gaps.mean(), "order_interval_deviation": steady}


def or_ever(recent: pd.Series, ever: pd.Series, everyone: pd.Index) -> pd.Series:
    """What is known of a window, or else of the whole history."""
    return recent.reindex(everyone).fillna(ever.reindex(everyone))


def lasting_habits(
    year: pd.DataFrame, visits: pd.DataFrame, orders_of_year: pd.DataFrame, orders: pd.DataFrame, everyone: pd.Index
) -> dict[str, pd.Series]:
    """Habits of a year, or else of the whole history, wherever there is enough to tell one by."""

    def times(things: pd.DataFrame) -> pd.Series:
        return things.groupby("customer").size().reindex(everyone, fill_value=0)

    recent = habits(year) | _late_in_the_year(orders_of_year)
    ever = habits(visits) | _late_in_the_year(orders)
    seen = dict.fromkeys(recent, (times(year), times(visits)))
    seen["burstiness_365d"] = (times(year) - 1, times(visits) - 1)
    seen["last_quarter_order_share_365d"] = (times(orders_of_year), times(orders))
    return {
        name: values.reindex(everyone).where(in_window >= _FEW, ever[name].reindex(everyone)).where(in_all >= _FEW)
        for (name, values), (in_window, in_all) in zip(recent.items(), seen.values(), strict=True)
    }


def _late_in_the_year(orders: pd.DataFrame) -> dict[str, pd.Series]:
    return {"last_quarter_order_share_365d": (orders.time.dt.month >= 10).groupby(orders.customer).mean()}


def _discount_share(lines: pd.DataFrame) -> pd.Series:
    sums = lines.groupby("customer")[["spend", "discount"]].sum()
    return sums.discount / sums.sum(axis=1).where(lambda whole: whole > 0)


def _of_visits(month: pd.DataFrame, quarter: pd.DataFrame) -> dict[str, pd.Series]:
    def mean(visits: pd.DataFrame, of: Callable[[pd.DataFrame], pd.Series]) -> pd.Series:
        return of(visits).groupby(visits.customer).mean()

    def seconds(visits: pd.DataFrame) -> pd.Series:
        return (visits.end - visits.time).dt.total_seconds()

    return {
        "visit_duration_30d": mean(month, seconds),
        "visit_duration_90d": mean(quarter, seconds),
        "visit_depth_90d": mean(quarter, lambda visits: visits.lines),
        "bounce_share_90d": mean(quarter, lambda visits: visits.lines == 1),
    }


def overdue(out: dict[str, pd.Series]) -> pd.Series:
    """Time since the last order, in usual gaps."""
    usual = out["order_interval_mean"]
    return out["days_since_order"] / usual.where(usual > 0)


def habits(visits: pd.DataFrame) -> dict[str, pd.Series]:
    """Features of when a year's visits are made."""
    weekday = visits.time.dt.day_of_week
    by_customer = visits.groupby("customer")
    quarter = visits.time.dt.hour // 6
    on_weekday = visits.groupby([visits.customer, weekday]).size()
    shares = on_weekday / by_customer.size().reindex(on_weekday.index.get_level_values(0)).to_numpy()
    gaps = _gaps(visits).groupby("customer").gap
    mean = gaps.mean()
    deviation = gaps.std(ddof=0)
    return {
        "weekend_share_365d": (weekday >= 5).groupby(visits.customer).mean(),
        **{
            f"{label}_share_365d": (quarter == i).groupby(visits.customer).mean()
            for i, label in enumerate(("night", "morning", "afternoon", "evening"))
        },
        "weekday_concentration_365d": (shares**2).groupby(level=0).sum(),
        "burstiness_365d": (deviation - mean) / (deviation + mean).where(lambda total: total > 0),
    }


def _of_the_year(lines: pd.DataFrame, order_count: pd.Series) -> dict[str, pd.Series]:
    return by_category(lines) | {
        "basket_size_365d": lines.groupby("customer").size() / order_count,
        "discounted_line_share_365d": (lines.discount > 0).groupby(lines.customer).mean(),
    }


def by_category(events: pd.DataFrame) -> dict[str, pd.Series]:
    """Features of the categories in a year's events."""
    counts = events[events.category >= 0].groupby(["customer", "category"]).size()
    share = counts / counts.groupby(level=0).transform("sum")
    return {
        "top_category_share_365d": share.groupby(level=0).max(),
        "category_entropy_365d": -(share * np.log2(share)).groupby(level=0).sum(),
    }


def distinct(lines: pd.DataFrame, column: str) -> pd.Series:
    """Different values of `column` of each customer, none left out."""
    return lines.loc[lines[column] >= 0, ["customer", column]].drop_duplicates().groupby("customer").size()
