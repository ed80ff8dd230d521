"""A shop of three customers as exports hold it, on two days that are whole and one that is not; and what views say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.exports.parquet import parquet
from shared.exports.plan import Manifest, Plan, Plans, Written
from shared.exports.tables import FOR_WAREHOUSES, TABLES, folder
from shared.features.time_zone import UTC_TIME
from tests.exports.columns import rows_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FIRST, LAST, HALF = "2026-01-01", "2026-02-05", "2026-02-06"


def _customer(name: str, segment: int, churn: float | None, orders: int, day: str) -> dict[str, Any]:
    return {
        "customer_id": name,
        "snapshot_at": f"{day}T03:00:00Z",
        "segment_id": segment,
        "segment_name": {1: "It's one", 2: "Two"}[segment],
        "churn_probability": churn,
        "orders_lifetime": orders,
        "audiences": ["gold"],
    }


def _line(name: str, line: int, day: str, amount: float, kind: str = "purchase") -> dict[str, Any]:
    at = f"{day}T12:00:00Z"
    return {"customer_id": name, "line_id": line, "happened_at": at, "type": kind, "amount": amount, "discount": 0}


_ORDERS = [
    _line("a", 1, "2025-12-20", 10.0),
    _line("b", 2, "2025-11-15", 30.0),
    _line("a", 3, "2026-01-10", 20.0),
    _line("a", 4, "2026-01-12", 5.0, "refund"),
]


def _sent(state: str, attempts: int, updated: str) -> dict[str, Any]:
    return {
        "customer_id": "a",
        "destination": "crm",
        "transition_id": "t1",
        "happened_at": "2025-12-20T12:00:00Z",
        "state": state,
        "attempts": attempts,
        "updated_at": updated,
    }


def _moved(name: str, before: int | None, after: int, at: str, cause: str, number: int) -> dict[str, Any]:
    return {
        "transition_id": f"t{number}",
        "customer_id": name,
        "type": "segment",
        "happened_at": at,
        "cause": cause,
        "from_segment_id": before,
        "to_segment_id": after,
    }


CONTENT: dict[str, dict[str, list[dict[str, Any]]]] = {
    FIRST: {
        "customers": [
            _customer("a", 1, 0.05, 1, FIRST),
            _customer("b", 1, 0.95, 1, FIRST),
            _customer("c", 2, None, 0, FIRST),
        ],
        "orders": _ORDERS[:2],
        "moves": [_moved("a", None, 1, "2025-12-20T12:00:00Z", "events", 1)],
        "deliveries": [_sent("waiting", 1, "2025-12-20T12:01:00Z")],
    },
    LAST: {
        "customers": [
            _customer("a", 2, 0.2, 2, LAST),
            _customer("b", 1, 0.97, 1, LAST),
            _customer("c", 2, None, 0, LAST),
        ],
        "orders": _ORDERS,
        "moves": [_moved("a", 1, 2, "2026-01-20T00:00:00Z", "time", 2)],
        "deliveries": [_sent("accepted", 2, "2026-01-02T00:00:00Z")],
    },
    # Of a run that was killed.
    HALF: {"customers": [_customer("a", 1, 0.5, 1, HALF)], "orders": _ORDERS, "moves": [], "deliveries": []},
}

SAYS: dict[str, set[tuple[Any, ...]]] = {
    "SELECT date, segment_id, segment_name, customer_count FROM segment_sizes": {
        (FIRST, 1, "It's one", 2), (FIRST, 2, "Two", 1), (LAST, 1, "It's one", 1), (LAST, 2, "Two", 2),
    },
    "SELECT CAST(moved_on AS VARCHAR(10)), from_segment_id, to_segment_id, cause, moves FROM segment_flows": {
        ("2025-12-20", None, 1, "events", 1), ("2026-01-20", 1, 2, "time", 1),
    },
    "SELECT CAST(month_begin AS VARCHAR(10)), segment_id, buyers, CAST(revenue AS DOUBLE) FROM revenue_by_segment": {
        ("2025-11-01", 1, 1, 30.0), ("2025-12-01", 2, 1, 10.0), ("2026-01-01", 2, 1, 15.0),
    },
    "SELECT date, segment_id, buyers, CAST(retained_share AS DOUBLE), CAST(revenue_a_buyer AS DOUBLE)"
    " FROM retention_by_segment": {(FIRST, 1, 2, 0.5, 7.5)},
    "SELECT date, CAST(tenth AS INTEGER), buyers, predicted, CAST(came_true AS DOUBLE) FROM churn_calibration": {
        (FIRST, 0, 1, 0.05, 0.0), (FIRST, 9, 1, 0.95, 1.0),
    },
    "SELECT destination, CAST(happened_on AS VARCHAR(10)), state, deliveries, attempts FROM sync_log": {
        ("crm", "2025-12-20", "accepted", 1, 2),
    },
    "SELECT COUNT(*) FROM latest_customers": {(3,)},
}  # fmt: skip
"""By a query over the views, in DuckDB's SQL, all of its rows."""


def write(below: Path) -> None:
    """Writes the exports below a folder, as the bucket has them below `exports/`."""
    for day, tables in CONTENT.items():
        whole = [
            {"table_name": name, "row_count": len(rows), "snapshot_at": f"{day}T03:00:00Z"}
            for name, rows in tables.items()
        ]
        given = {**tables, "snapshots": whole} if day != HALF else tables
        for table in TABLES:
            rows = given.get(table.name, [])
            if table.name == "snapshots" and not rows:
                continue
            place = below / folder(table.name, day).removeprefix("exports/")
            place.mkdir(parents=True)
            (place / "part.parquet").write_bytes(parquet(table, [rows_of(table, rows)])[0])


def put(s3: S3Client, bucket: str, below: Path) -> None:
    """The same in a bucket, as a stack's runs leave it; `below` is a folder for what is on the way there."""
    write(below / "exports")
    for day in (FIRST, LAST, HALF):
        for table in (table.name for table in FOR_WAREHOUSES):
            key = f"{folder(table, day)}part.parquet"
            if (file := below / key).exists():
                s3.put_object(Bucket=bucket, Key=key, Body=file.read_bytes())
            if day != HALF:
                Plans(s3, bucket, UTC_TIME, 0).write(Manifest(table, Plan("r", day, 0, 0), [Written(key, 0, 0)]))
