"""Event files of a made-up shop whose customers are of eight known kinds, for whoever has no data of their own yet.

python -m training.simulator --out DIR [--customers N] [--seed S] [--format parquet|ndjson]
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from shared.durations import DAY_MS
from training.base import command
from training.base.errors import InputError
from training.base.progress import progress
from training.shop.behaviour import (
    BRANDS,
    DAYS,
    EVENT_TYPES,
    OPENED,
    PRODUCTS,
    Columns,
    Floats,
    Ints,
    events_of,
)
from training.shop.campaign import USUALLY, campaign_events
from training.shop.shoppers import CATEGORIES, CHANNELS, SHOPPERS
from training.shop.wishes import CATEGORY, EVENT, RARELY, wish_events

CUSTOMERS_AT_ONCE = 20_000
DEVICES = ("mobile", "desktop", "tablet")


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
            *(events_of(shopper, np.flatnonzero(kind == i), products, rng) for i, shopper in enumerate(SHOPPERS))
        )
        ids = np.char.mod("c%07d", np.arange(first, first + n))
        types = pa.table({"customer_id": ids, "type": [SHOPPERS[i].name for i in kind]})
        yield _table(columns, ids, first), types


def write(
    out: Path,
    customers: int,
    seed: int = 7,
    form: str = "parquet",
    lift: float | None = None,
    wishes: float | None = None,
) -> int:
    """Writes a file of events for each month to `out`/events (for every 20,000 customers one) and `out`/types.csv; with
    a `lift`, a campaign beside them that adds so much to the probability that some kinds of customers answer; and with
    `wishes`, what those wish for with that probability who looked at one category lately.

    Returns the number of events.
    """
    folder = out / "events"
    folder.mkdir(parents=True, exist_ok=True)
    types = []
    count = 0
    with progress("simulating", customers) as advance:
        for block, (events, known) in enumerate(simulate(customers, seed)):
            month = events["timestamp"].cast("timestamp[ms]").to_numpy().astype("datetime64[M]")
            begins = np.flatnonzero(np.diff(month.astype(np.int64), prepend=0))
            for begin, end in zip(begins, [*begins[1:], len(events)], strict=True):
                part = events.slice(begin, end - begin)
                name = f"{month[begin]}" + (f"-{block}" if block else "")
                _copy(part, folder / f"{name}.{form}")
            if lift is not None:
                approached = campaign_events(known, lift, np.random.default_rng((seed, block, 1)))
                _copy(approached, folder / f"campaign-{block}.{form}")
                count += len(approached)
            if wishes is not None:
                wished = wish_events(events, wishes, np.random.default_rng((seed, block, 2)))
                _copy(wished, folder / f"wishes-{block}.{form}")
                count += len(wished)
            types.append(known)
            count += len(events)
            advance(len(known), f"{count:,} events")
    pyarrow.csv.write_csv(pa.concat_tables(types), out / "types.csv")
    return count


def _copy(events: pa.Table, path: Path) -> None:
    copy = {
        ".parquet": "copy (select * from events) to $1 (format parquet)",
        ".ndjson": "copy (select * from events) to $1 (format json)",
    }[path.suffix]
    with duckdb.connect() as connection:
        connection.register("events", events).execute(copy, [str(path)])


def _prices(rng: np.random.Generator) -> Floats:
    """The list price of each product, in the order of category and brand."""
    spread = rng.lognormal(0.0, 0.35, (len(CATEGORIES), BRANDS * PRODUCTS))
    return (np.array(list(CATEGORIES.values()))[:, None] * spread).ravel()


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
    product = events["product"]
    customer = events["customer"]
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

    category = np.where(product < 0, -1, product // (BRANDS * PRODUCTS))
    brand = product // PRODUCTS
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
            "channel": named(events["channel"], CHANNELS),
            "engagement_seconds": amount(events["seconds"]),
        }
    )


def main(arguments: Sequence[str] | None = None, prog: str = "python -m training.simulator") -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog=prog, description="Write event files of a made-up shop.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    parser.add_argument("--customers", type=int, default=2_000, metavar="N", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=7, metavar="S", help="default: %(default)s")
    parser.add_argument("--format", choices=("parquet", "ndjson"), default="parquet", help="default: %(default)s")
    parser.add_argument(
        "--campaign",
        type=float,
        metavar="LIFT",
        help="with a campaign sent by lot that adds so much to the probability that some answer; 0 changes nobody",
    )
    parser.add_argument(
        "--wishes",
        type=float,
        metavar="SHARE",
        help=f"with events `{EVENT}`, which so many have every ten days who looked at {CATEGORY} lately, others rarely",
    )
    return command.run(parser, _run, arguments)


def _run(arguments: argparse.Namespace) -> None:
    if arguments.customers < 1:
        raise InputError(f"--customers must be 1 or more, not {arguments.customers}")
    if arguments.campaign is not None and not 0 <= arguments.campaign <= 1 - USUALLY:
        raise InputError(f"--campaign must be from 0 to {1 - USUALLY:g}, not {arguments.campaign:g}")
    if arguments.wishes is not None and not RARELY <= arguments.wishes <= 1:
        raise InputError(f"--wishes must be from {RARELY:g} to 1, not {arguments.wishes:g}")
    count = write(
        arguments.out, arguments.customers, arguments.seed, arguments.format, arguments.campaign, arguments.wishes
    )
    command.say(
        f"{count:,} events of {arguments.customers:,} customers in {arguments.out / 'events'},"
        f" each customer's type in {arguments.out / 'types.csv'}"
    )


if __name__ == "__main__":
    sys.exit(main())
