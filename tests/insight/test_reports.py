from pathlib import Path
from typing import Any

import pytest

from shared.durations import DAY_MS
from shared.insight.demand import LEAST_WEEKS, WEEKS_AHEAD
from shared.insight.layout import REPORTS
from shared.insight.reports import calibration, segment_reports
from shared.insight.tables import Tables
from tests.insight.exported import write

AS_OF_MS = 1_704_067_200_000
"""2024-01-01."""
NAMES = [{"segment_id": 0, "segment_name": "new"}, {"segment_id": 1, "segment_name": "loyal"}]


def _line(customer: str, days_ago: float, amount: float = 10.0, **more: Any) -> dict[str, Any]:
    at = AS_OF_MS - round(days_ago * DAY_MS)
    line = {"customer_id": customer, "line_id": at % 1_000_003, "happened_at": at, "type": "purchase", "amount": amount}
    return {**line, "category": "shoes", "order_code": at % 65_521} | more


def _move(customer: str, days_ago: float, to: int | None, came_from: int | None = None) -> dict[str, Any]:
    at = AS_OF_MS - round(days_ago * DAY_MS)
    move = {"transition_id": f"{customer}{at}", "customer_id": customer, "happened_at": at, "recorded_at": at}
    return {**move, "type": "segment", "cause": "events", "from_segment_id": came_from, "to_segment_id": to}


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    """a was new from the beginning and is loyal since 10 days; b is new, and c was decided on 3 days ago."""
    orders = [
        _line("a", 40),
        _line("a", 9, order_code=7),
        _line("a", 9, 5.0, order_code=7, line_id=2),
        _line("a", 8, 4.0, type="refund"),
        _line("a", 10, 100.0),  # what moved a counts for where a was before
        _line("b", 9, 3.0),
        _line("c", 30),
        _line("d", 20, 1.0),  # never decided on
    ]
    moves = [_move("a", 50, 0), _move("a", 10, 1, 0), _move("b", 12, 0), _move("c", 3, 1)]
    return write(tmp_path, orders=orders, moves=moves, segments=NAMES)


def test_revenue_counts_for_the_segment_that_who_bought_was_in(tables: Tables) -> None:
    rows = segment_reports(tables, AS_OF_MS)["revenue"]["weeks"]
    weeks = {(row["week"], row["segment"]): row for row in rows}
    last = weeks["2023-12-18", "loyal"]
    assert (last["revenue"], last["orders"], last["buyers"]) == (11.0, 2, 1)
    assert weeks["2023-12-18", "new"]["revenue"] == 103.0
    assert weeks["2023-11-27", "loyal"]["revenue"] == 10.0, "c had no segment by then, and is in this one since"
    assert weeks["2023-12-11", None]["revenue"] == 1.0


def test_sizes_are_told_by_day(tables: Tables) -> None:
    rows = segment_reports(tables, AS_OF_MS)["sizes"]["days"]
    days = {(row["day"], row["segment"]): row["customers"] for row in rows}
    assert (days["2024-01-01", "new"], days["2024-01-01", "loyal"]) == (1, 2)
    assert (days["2023-12-22", "new"], days["2023-12-22", "loyal"]) == (2, 1)
    assert ("2023-10-05", "new") not in days


def test_flows_are_told_by_day(tables: Tables) -> None:
    rows = segment_reports(tables, AS_OF_MS)["flows"]["days"]
    moved = [row for row in rows if row["from"]]
    assert moved == [{"day": "2023-12-22", "from": "new", "to": "loyal", "cause": "events", "customers": 1}]
    assert sum(row["customers"] for row in rows) == 4


def test_retention_is_of_who_bought_again_in_the_month_after(tables: Tables) -> None:
    months = segment_reports(tables, AS_OF_MS)["retention"]["months"]
    assert months == [{"month": "2023-11", "segment": "new", "customers": 1, "again": 1}]


def test_demand_needs_weeks(tables: Tables, tmp_path: Path) -> None:
    demand = segment_reports(tables, AS_OF_MS)["demand"]
    assert demand["lines"]["state"] == "not_enough_data"
    days = 7 * (LEAST_WEEKS + WEEKS_AHEAD)
    lines = [_line("a", ago + 0.5, 2.0, line_id=100 * ago + i) for ago in range(days) for i in range(3)]
    more = write(tmp_path / "more", orders=[*lines, _line("a", days + 0.1)], moves=[_move("a", 1, 0)], segments=NAMES)
    (pair,) = segment_reports(more, AS_OF_MS)["demand"]["lines"]["demand"]
    assert (pair["segment"], pair["category"], pair["a_week"]) == ("new", "shoes", pytest.approx(21.0))
    assert segment_reports(more, AS_OF_MS)["demand"]["amount"]["demand"][0]["a_week"] == pytest.approx(42.0)


def test_predictions_are_held_to_what_came(tmp_path: Path) -> None:
    snapshot = AS_OF_MS - 30 * DAY_MS
    customers = [
        {"customer_id": f"c{i}", "snapshot_at": snapshot, "churn_probability": 0.9 if i < 10 else 0.1}
        for i in range(20)
    ]
    customers.append({"customer_id": "unknown", "snapshot_at": snapshot})
    orders = [_line(f"c{i}", 29.5) for i in (0, 10, 11, 12, 13)]
    orders += [_line("c14", 31), _line("c15", 0, happened_at=AS_OF_MS), _line("c16", 5, type="refund")]
    bins = calibration(write(tmp_path, customers=customers, orders=orders), "churn", 30)
    low, high = bins
    assert (low["bin"], low["customers"], low["said"], low["came_true"]) == (1, 10, pytest.approx(0.1), 0.6)
    assert (high["bin"], high["customers"], high["came_true"]) == (9, 10, 0.9)
    assert calibration(write(tmp_path, customers=customers, orders=orders), "conversion", 7) == []


def test_nothing_exported_yet_makes_empty_reports(tmp_path: Path) -> None:
    reports = segment_reports(write(tmp_path), AS_OF_MS)
    assert {*reports, "calibration"} == {*REPORTS}
    assert reports["revenue"] == {"weeks": []}
    assert reports["demand"]["lines"]["state"] == "not_enough_data"
