"""Exported tables that tests make up, as Parquet in a folder."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from shared.exports.tables import TABLES
from shared.features import MONEY_UNITS, PURCHASE, REFUND, Profiles
from shared.features.columns import ARMS, CAMPAIGN_EXPOSURE, EMAIL_CLICK, EMAIL_OPEN, IDENTIFY
from shared.identity.keys import customer_id
from shared.insight.tables import Tables


def write(folder: Path, **rows: Iterable[Mapping[str, Any]]) -> Tables:
    """Tables of these rows, whose columns that are not said are NULL. Times are UTC milliseconds."""
    folder.mkdir(exist_ok=True, parents=True)
    files = {}
    for name, own in rows.items():
        (table,) = (one for one in TABLES if one.name == name)
        frame = pd.DataFrame([*own], columns=[*table.names], dtype=object)
        path = folder / f"{name}.parquet"
        selected = ", ".join(
            f"make_timestamp_ms(CAST({column.name} AS BIGINT)) AS {column.name}"
            if column.kind == "TIMESTAMP"
            else f"CAST({column.name} AS {column.kind}) AS {column.name}"
            for column in table.columns
        )
        frame = frame.astype({column: str for column in frame.columns if frame[column].isna().all()})
        frame = frame.where(frame != "nan", None).where(frame.notna(), None)
        with duckdb.connect() as connection:
            connection.register("frame", frame)
            connection.sql(f"SELECT {selected} FROM frame").write_parquet(str(path))
        files[name] = [path]
    return Tables(folder, files)


def orders(profiles: Profiles) -> list[dict[str, Any]]:
    """The lines that customers bought or were paid back."""
    rows, names = profiles.rows, profiles.category_names
    return [
        {
            "customer_id": customer_id(profiles.keys[profiles.owner[i]]),
            "line_id": int(i),
            "happened_at": int(rows.time_ms[i]),
            "type": "purchase" if rows.kind[i] == PURCHASE else "refund",
            "order_code": int(rows.order[i]) or None,
            "amount": float(rows.net[i]) / MONEY_UNITS,
            "category": names.get(int(rows.category[i])),
            "product_code": int(rows.product[i]) or None,
            "brand_code": int(rows.brand[i]) or None,
        }
        for i in np.flatnonzero(np.isin(rows.kind, (PURCHASE, REFUND)))
    ]


def exposures(profiles: Profiles) -> list[dict[str, Any]]:
    """Who was to be approached."""
    rows, names = profiles.rows, profiles.category_names
    return [
        {
            "customer_id": customer_id(profiles.keys[profiles.owner[i]]),
            "exposure_id": int(i),
            "happened_at": int(rows.time_ms[i]),
            "campaign": names[int(rows.campaign[i])],
            "arm": ARMS[rows.arm[i]],
            "last_visit_at": max((at for at in visits(profiles, i) if at < rows.time_ms[i]), default=None),
            "next_visit_at": min((at for at in visits(profiles, i) if at >= rows.time_ms[i]), default=None),
        }
        for i in np.flatnonzero(rows.kind == CAMPAIGN_EXPOSURE).tolist()
    ]


def visits(profiles: Profiles, row: int) -> list[int]:
    """When whoever an event is of did something in a visit, UTC milliseconds."""
    outside = (*(REFUND, EMAIL_OPEN, EMAIL_CLICK), *(IDENTIFY, CAMPAIGN_EXPOSURE))
    own = (profiles.owner == profiles.owner[row]) & ~np.isin(profiles.rows.kind, outside)
    times: list[int] = profiles.rows.time_ms[own].tolist()
    return times
