"""Event files of a made-up shop whose customers are of eight known kinds, for whoever has no data of their own yet.

python -m training.simulator --out DIR [--customers N] [--seed S] [--format parquet|ndjson]
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from training import command
from training.config import InputError
from training.progress import progress
from training.shoppers import CATEGORIES, SHOPPERS, Shopper

OPENED = np.datetime64("2023-11-01", "ms")
DAYS = 458
"""15 months, to the end of January 2025, with two Christmases."""
CUSTOMERS_AT_ONCE = 20_000
STEPS = ("page_view", "search", "select_promotion", "view_item", "add_to_cart", "begin_checkout", "purchase")
"""The kinds of events of a visit, in the order they come."""
REFUND, EMAIL_OPEN, EMAIL_CLICK = range(len(STEPS), len(STEPS) + 3)
EVENT_TYPES = (*STEPS, "refund", "email_open", "email_click")
VIEW, CART, PURCHASE = (STEPS.index(name) for name in ("view_item", "add_to_cart", "purchase"))
DEVICES = ("mobile", "desktop", "tablet")
BRANDS, PRODUCTS = 20, 25
"""Brands of a category, products of a brand."""
JOINED_WITHIN_DAYS = 120
STEADY = 12.0
"""Shape of the gamma distribution of visit rates between customers of a kind: three tenths more or less are usual."""
DAY_MS, HOUR_MS = 86_400_000, 3_600_000

type Ints = NDArray[np.int64]
type Floats = NDArray[np.float64]
type Columns = dict[str, NDArray[Any]]


def simulate(customers: int, seed: int = 7) -> Iterator[tuple[pa.Table, pa.Table]]:
    """The shop's events in order of time, and each customer's type: a table of each for at most 20,000 customers.

    The tables of events have the fields of the event contract; those of types `customer_id` and `type`.
    """
    products = _prices(np.random.default_rng(seed))
    for first in range(0, customers, CUSTOMERS_AT_ONCE):
        rng = np.random.default_rng((seed, first))
        n = min(CUSTOMERS_AT_ONCE, customers - first)
        kind = rng.choice(len(SHOPPERS), n, p=[shopper.share for shopper in SHOPPERS])
        columns = _joined(
            *(_events(shopper, np.flatnonzero(kind == i), products, rng) for i, shopper in enumerate(SHOPPERS))
        )
        ids = np.char.mod("c%07d", np.arange(first, first + n))
        types = pa.table({"customer_id": ids, "type": [SHOPPERS[i].name for i in kind]})
        yield _table(columns, ids, first), types


def write(out: Path, customers: int, seed: int = 7, form: str = "parquet") -> int:
    """Writes a file of events for each month to `out`/events (for every 20,000 customers one) and `out`/types.csv.

    Returns the number of events.
    """
    folder = out / "events"
    folder.mkdir(parents=True, exist_ok=True)
    types, count = [], 0
    with progress("simulating", customers) as advance:
        for block, (events, known) in enumerate(simulate(customers, seed)):
            month = events["timestamp"].cast("timestamp[ms]").to_numpy().astype("datetime64[M]")
            begins = np.flatnonzero(np.diff(month.astype(np.int64), prepend=0))
            for begin, end in zip(begins, [*begins[1:], len(events)], strict=True):
                part = events.slice(begin, end - begin)
                name = f"{month[begin]}" + (f"-{block}" if block else "")
                _copy(part, folder / f"{name}.{form}")
            types.append(known)
            count += len(events)
            advance(len(known), f"{count:,} events")
    pyarrow.csv.write_csv(pa.concat_tables(types), out / "types.csv")
    return count


def _copy(events: pa.Table, path: Path) -> None:
    form = {".parquet": "parquet", ".ndjson": "json"}[path.suffix]
    duckdb.from_arrow(events).query("events", f"copy (select * from events) to '{path}' (format {form})")


def _prices(rng: np.random.Generator) -> Floats:
    """The list price of each product, in the order of category and brand."""
    spread = rng.lognormal(0.0, 0.35, (len(CATEGORIES), BRANDS * PRODUCTS))
    return (np.array(list(CATEGORIES.values()))[:, None] * spread).ravel()


# ---- When they come --------------------------------------------------------------------------------------------------


def _attendance(shopper: Shopper) -> Floats:
    """How many usual days have passed by the beginning of each day [DAYS + 1]: busy ones count for more."""
    day = OPENED.astype("datetime64[D]") + np.arange(DAYS)
    weekend = (day.astype(np.int64) + 3) % 7 >= 5
    month = day.astype("datetime64[M]").astype(np.int64) % 12 + 1
    weight = np.where(weekend, shopper.weekend / 2, (1 - shopper.weekend) / 5) * 7
    weight *= np.array([1.0, *(shopper.months.get(m, 1.0) for m in range(1, 13))])[month]
    return np.concatenate([[0.0], np.cumsum(weight)])


def _visits(shopper: Shopper, n: int, rng: np.random.Generator) -> tuple[Ints, Floats, NDArray[np.bool_]]:
    """Of `n` customers, each visit's customer [m], the day it is on [m], and whether it is the one of their single
    order [m], all in the order of customers and time."""
    opens = rng.uniform(0, JOINED_WITHIN_DAYS, n)
    closes = np.full(n, float(DAYS))
    if shopper.gone_for:
        closes -= rng.uniform(*shopper.gone_for, n)
    if shopper.once:
        opens = rng.uniform(DAYS - 330, DAYS - 45, n)
    passed, days = _attendance(shopper), np.arange(DAYS + 1.0)
    begin, end = np.interp(opens, days, passed), np.interp(closes, days, passed)
    rate = shopper.visits / 30 * rng.gamma(STEADY, 1 / STEADY, n)
    count = rng.poisson(rate * (end - begin)) + (0 if shopper.once else 1)
    owner = np.repeat(np.arange(n), count)
    day = np.interp(rng.uniform(begin[owner], end[owner]), passed, days)
    if shopper.once:
        looking = np.repeat(np.arange(n), 2 + rng.poisson(5.0, n))
        owner = np.concatenate([owner, looking])
        day = np.concatenate([day, opens[looking] - rng.exponential(8.0, len(looking)).clip(max=40.0)])
    order = np.lexsort((day, owner))
    owner, day = owner[order], day[order]
    last_before = (day < opens[owner]) & (
        np.append(day[1:] >= opens[owner[1:]], True) | (np.diff(owner, append=n) != 0)
    )
    return owner, np.floor(day), last_before & shopper.once


# ---- What they do ----------------------------------------------------------------------------------------------------


def _events(shopper: Shopper, customers: Ints, products: Floats, rng: np.random.Generator) -> Columns:
    """All events of the customers, of one kind of shopper."""
    n = len(customers)
    owner, day, single = _visits(shopper, n, rng)
    count = _counts(shopper, len(owner), single, rng)
    shown = _Shown(shopper, owner, count[:, VIEW], n, rng)

    sizes = count.sum(axis=1)
    visit = np.repeat(np.arange(len(owner)), sizes)
    step = np.repeat(np.tile(np.arange(len(STEPS)), len(owner)), count.ravel())
    starts = np.cumsum(count.ravel()) - count.ravel()
    slot = np.arange(len(step)) - starts[visit * len(STEPS) + step]
    evening = rng.random(len(owner)) < shopper.evening
    hour = np.where(evening, rng.uniform(18, 23.3, len(owner)), 7 + 11 * rng.beta(2, 2, len(owner)))
    begins = day * DAY_MS + hour * HOUR_MS
    waits = rng.exponential(shopper.seconds * 1000, len(step)) + 1000
    elapsed = np.cumsum(waits)
    time_ms = begins[visit] + elapsed - elapsed[np.cumsum(sizes)[visit] - sizes[visit]]

    product = np.where(step >= VIEW, shown.product(visit, slot), -1)
    device = rng.choice(3, n, p=_devices(shopper))
    usual = rng.random(len(owner)) < 0.9
    on = np.where(usual, device[owner], rng.integers(0, 3, len(owner)))
    bought = step == PURCHASE
    off = np.where(rng.random(len(step)) < shopper.discounted, rng.beta(6, 6 / shopper.discount - 6, len(step)), 0.0)
    listed = np.where(product >= 0, products[product] * shopper.price, np.nan)
    inside = {
        "customer": owner[visit],
        "time_ms": time_ms,
        "type": step,
        "visit": visit,
        "order": np.where(bought, visit, -1),
        "product": product,
        "price": np.where(bought, listed * (1 - off), listed),
        "discount": np.where(bought, listed * off, np.nan),
        "device": on[visit],
        "seconds": np.where(step == VIEW, waits / 1000, np.nan),
    }
    parts = inside, _refunds(shopper, inside, rng), _emails(shopper, owner, day, n, rng)
    columns = {name: np.concatenate([part[name] for part in parts]) for name in inside}
    return columns | {"customer": customers[columns["customer"]]}


def _counts(shopper: Shopper, n: int, single: NDArray[np.bool_], rng: np.random.Generator) -> Ints:
    """Events of each step in each visit [n, len(STEPS)]."""
    ordered_lines = 1 + rng.poisson(shopper.lines - 1, n)
    carted = (rng.random(n) < shopper.carts) | single
    ordered = carted & ((rng.random(n) < shopper.orders) | single)
    lines, in_cart = ordered_lines * ordered, ordered_lines * carted
    views = np.maximum(rng.poisson(shopper.views, n), in_cart)
    searches = rng.poisson(shopper.searches, n)
    promoted = rng.random(n) < shopper.promotions
    checkout = carted & (ordered | (rng.random(n) < 0.25))
    return np.stack([np.ones(n, int), searches, promoted, views, in_cart, checkout, lines], axis=1).astype(np.int64)


class _Shown:
    """The products that each visit looks at; what goes into the cart and the order are the first of them."""

    def __init__(self, shopper: Shopper, owner: Ints, views: Ints, n: int, rng: np.random.Generator) -> None:
        names = list(CATEGORIES)
        favourite = rng.choice([names.index(name) for name in shopper.likes], n)
        of = np.repeat(owner, views)
        elsewhere = rng.random(len(of)) >= shopper.focus
        category = np.where(elsewhere, rng.integers(0, len(names), len(of)), favourite[of])
        home = rng.integers(0, BRANDS, n)
        brand = (home[of] + rng.integers(0, shopper.brands, len(of))) % BRANDS
        self._products = (category * BRANDS + brand) * PRODUCTS + rng.integers(0, PRODUCTS, len(of))
        self._first = np.cumsum(views) - views

    def product(self, visit: Ints, slot: Ints) -> Ints:
        """The product in the `slot`-th place of each visit; any where the visit shows none."""
        if not len(self._products):
            return np.full(len(visit), -1)
        shown: Ints = self._products[np.minimum(self._first[visit] + slot, len(self._products) - 1)]
        return shown


def _devices(shopper: Shopper) -> list[float]:
    rest = 1 - shopper.mobile
    return [shopper.mobile, rest * 0.9, rest * 0.1]


def _refunds(shopper: Shopper, events: Columns, rng: np.random.Generator) -> Columns:
    """A line of some orders, given back within three weeks."""
    first_line = (events["type"] == PURCHASE) & (np.diff(events["order"], prepend=-1) != 0)
    at = np.flatnonzero(first_line)
    at = at[rng.random(len(at)) < shopper.refunds]
    later = events["time_ms"][at] + rng.uniform(2, 21, len(at)) * DAY_MS
    refunds = {name: column[at] for name, column in events.items()}
    return refunds | {
        "time_ms": later,
        "type": np.full(len(at), REFUND),
        "visit": np.full(len(at), -1),
        "discount": np.full(len(at), np.nan),
        "device": np.full(len(at), -1),
    }


def _emails(shopper: Shopper, owner: Ints, day: Floats, n: int, rng: np.random.Generator) -> Columns:
    """E-mails opened, and some of them clicked a minute later, from the first visit to the last."""
    first, last = np.full(n, float(DAYS)), np.zeros(n)
    np.minimum.at(first, owner, day)
    np.maximum.at(last, owner, day)
    of = np.repeat(np.arange(n), rng.poisson(shopper.emails / 30 * (last - first + 1).clip(min=0)))
    opened = rng.uniform(first[of], last[of] + 1) * DAY_MS
    clicked = rng.random(len(of)) < shopper.clicks
    customer, time_ms = np.concatenate([of, of[clicked]]), np.concatenate([opened, opened[clicked] + 60_000])
    kind = np.repeat([EMAIL_OPEN, EMAIL_CLICK], [len(of), int(clicked.sum())])
    none, unknown = np.full(len(customer), -1), np.full(len(customer), np.nan)
    return {"customer": customer, "time_ms": time_ms, "type": kind} | {
        "visit": none,
        "order": none,
        "product": none,
        "price": unknown,
        "discount": unknown,
        "device": none,
        "seconds": unknown,
    }


# ---- As the event contract has it ------------------------------------------------------------------------------------


def _joined(*parts: Columns) -> Columns:
    """The parts one after the other; no two share a visit or an order."""
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    used = np.cumsum([0, *(part["visit"].max(initial=-1) + 1 for part in parts[:-1])])
    above = np.repeat(used, [len(part["visit"]) for part in parts])
    for name in ("visit", "order"):
        columns[name] = np.where(columns[name] < 0, -1, columns[name] + above)
    return columns


def _table(columns: Columns, ids: NDArray[np.str_], block: int) -> pa.Table:
    """The events within the simulated time, in order of time."""
    inside = (columns["time_ms"] >= 0) & (columns["time_ms"] < DAYS * DAY_MS)
    order = np.flatnonzero(inside)[np.argsort(columns["time_ms"][inside], kind="stable")]
    events = {name: column[order] for name, column in columns.items()}
    product, customer = events["product"], events["customer"]
    names = list(CATEGORIES)

    def named(code: Ints, values: Sequence[str]) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(code, pa.int32(), mask=code < 0), pa.array(values)).cast(
            "string"
        )

    def numbered(prefix: str, number: Ints) -> pa.Array:
        text = np.char.add(f"{prefix}{block}-", number.astype(str))
        return pa.array(text, mask=number < 0)

    def amount(values: Floats) -> pa.Array:
        return pa.array(np.round(values, 2), from_pandas=True)

    category, brand = np.where(product < 0, -1, product // (BRANDS * PRODUCTS)), product // PRODUCTS
    return pa.table(
        {
            "event_id": numbered("e", np.arange(len(order))),
            "event_type": named(events["type"], EVENT_TYPES),
            "timestamp": pa.array(events["time_ms"].astype(np.int64) + OPENED.astype(np.int64)),
            "customer_id": named(customer, ids.tolist()),
            "session_id": numbered("s", events["visit"]),
            "order_id": numbered("o", events["order"]),
            "product_id": named(product, [f"p{i}" for i in range(len(names) * BRANDS * PRODUCTS)]),
            "category": named(category, names),
            "brand": named(np.where(product < 0, -1, brand), [f"Brand {i}" for i in range(len(names) * BRANDS)]),
            "price": amount(events["price"]),
            "discount": amount(events["discount"]),
            "currency": named(np.where(np.isnan(events["price"]), -1, 0), ["USD"]),
            "device": named(events["device"], DEVICES),
            "engagement_seconds": amount(events["seconds"]),
        }
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.simulator", description="Write event files of a made-up shop."
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    parser.add_argument("--customers", type=int, default=2_000, metavar="N", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=7, metavar="S", help="default: %(default)s")
    parser.add_argument("--format", choices=("parquet", "ndjson"), default="parquet", help="default: %(default)s")
    return command.run(parser, _run, arguments)


def _run(arguments: argparse.Namespace) -> None:
    if arguments.customers < 1:
        raise InputError(f"--customers must be 1 or more, not {arguments.customers}")
    count = write(arguments.out, arguments.customers, arguments.seed, arguments.format)
    command.say(
        f"{count:,} events of {arguments.customers:,} customers in {arguments.out / 'events'},"
        f" each customer's type in {arguments.out / 'types.csv'}"
    )


if __name__ == "__main__":
    sys.exit(main())
