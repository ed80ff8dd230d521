"""A night's measurement over moto: exports of a date as the bucket has them, and the documents that come of them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from shared.audiences.audience import Audiences
from shared.audiences.publishing import Reason, publish
from shared.durations import DAY_MS
from shared.exports.plan import Manifest, Plan, Written
from shared.exports.tables import MANIFEST, SNAPSHOTS, folder
from shared.insight.layout import LATEST_RESULTS, REPORTS, RESULTS, report_key
from shared.insight.measuring import Measuring, planned_since, share_held_back
from tests.audiences.test_audience import audience
from tests.conftest import BUCKET
from tests.insight.exported import write
from tests.insight.test_reports import AS_OF_MS, NAMES, _line, _move

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DAY = "2024-01-01"
MANIFEST_OF_BUNDLE: dict[str, Any] = {
    "targets": {"churn": {"horizon_days": 30}, "conversion": {"horizon_days": 7}},
    "actions": {"loyal": {"key": "reward", "cost_per_contact": "0.1", "margin": "0.5"}},
}


@pytest.fixture
def measuring(s3: "S3Client") -> Measuring:
    return Measuring(s3, BUCKET, 14, "EUR")


def put(s3: "S3Client", place: Path, day: str, as_of_ms: int, **rows: Any) -> None:
    """Exports of a date, whole."""
    plan = Plan("r", day, as_of_ms, as_of_ms)
    tables = write(place / day, **rows)
    for name, files in {**tables.files, SNAPSHOTS.name: []}.items():
        keys = [f"{folder(name, day)}{i}.parquet" for i in range(len(files))]
        for key, file in zip(keys, files, strict=True):
            s3.put_object(Bucket=BUCKET, Key=key, Body=file.read_bytes())
        manifest = Manifest(name, plan, [Written(key, 1, 1) for key in keys])
        s3.put_object(Bucket=BUCKET, Key=folder(name, day) + MANIFEST, Body=msgspec.json.encode(manifest))


def _exposed(n: int, days_ago: float = 20.0) -> list[dict[str, Any]]:
    """So many customers, a fifth of them held back."""
    at = AS_OF_MS - round(days_ago * DAY_MS)
    return [
        {
            "customer_id": f"c{i}",
            "exposure_id": i,
            "happened_at": at,
            "campaign": "win_back",
            "arm": "control" if i % 5 == 0 else "treatment",
        }
        for i in range(n)
    ]


def _read(s3: "S3Client", key: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    return document


def test_results_and_reports_come_of_a_whole_date(s3: "S3Client", measuring: Measuring, tmp_path: Path) -> None:
    orders = [_line(f"c{i}", 15, line_id=i) for i in range(1_000) if i % 5 and i % 2]
    moves = [_move(f"c{i}", 40, i % 2) for i in range(1_000)]
    put(s3, tmp_path, "2023-12-31", AS_OF_MS - DAY_MS, moves=moves[:500], segments=NAMES)
    put(s3, tmp_path, DAY, AS_OF_MS, exposures=_exposed(1_000), orders=orders, moves=moves[500:], segments=NAMES)
    put(s3, tmp_path, "2024-01-02", AS_OF_MS + DAY_MS, moves=[_move("c0", 39, 1)])
    win_back = replace(audience("win_back"), holdout=0.2, action="reward")
    publish(s3, BUCKET, lambda live: replace(live, all=(win_back,)), Reason("2023-12-01T00:00:00Z", "me", ""))

    summary = measuring.measure(DAY, MANIFEST_OF_BUNDLE)
    assert summary == {"date": DAY, "whole": True, "results": 1, "reports": len(REPORTS)}
    results = _read(s3, LATEST_RESULTS)
    assert _read(s3, f"{RESULTS}{DAY}.json") == results
    (result,) = results["results"]
    assert (results["currency"], results["as_of"]) == ("EUR", "2024-01-01T00:00:00Z")
    assert (result["customers"]["treatment"], result["customers"]["control"]) == (800, 200)
    assert result["assignment"]["planned_by"] == "audience"
    assert result["assignment"]["planned_control"] == pytest.approx(0.2)
    for name in REPORTS:
        report = _read(s3, report_key(name))
        assert (report["report"], report["date"]) == (name, DAY)
    sizes = _read(s3, report_key("sizes"))["days"][-2:]
    assert [row["customers"] for row in sizes] == [500, 500], "of moves up to that date, and of no later one"


def test_the_return_on_cost_is_of_the_action_of_the_audience(
    s3: "S3Client", measuring: Measuring, tmp_path: Path
) -> None:
    orders = [_line(f"c{i}", 15, line_id=i) for i in range(2_000) if i % 5 == 0 or i % 2]
    put(s3, tmp_path, DAY, AS_OF_MS, exposures=_exposed(2_000), orders=orders)
    for action, is_known in (("reward", True), ("other", False), (None, False)):
        own = replace(audience("win_back"), holdout=0.2, action=action)
        publish(s3, BUCKET, lambda live, own=own: replace(live, all=(own,)), Reason("2023-12-01T00:00:00Z", "me", ""))  # type: ignore[misc]
        measuring.measure(DAY, MANIFEST_OF_BUNDLE)
        (result,) = _read(s3, LATEST_RESULTS)["results"]
        assert (result["return"] is not None) == is_known


def test_predictions_of_one_horizon_ago_are_held_to_what_came(
    s3: "S3Client", measuring: Measuring, tmp_path: Path
) -> None:
    then = AS_OF_MS - 31 * DAY_MS
    customers = [{"customer_id": "c1", "snapshot_at": then, "churn_probability": 0.35}]
    put(s3, tmp_path, "2023-12-01", then, customers=customers)
    put(s3, tmp_path, DAY, AS_OF_MS, orders=[_line("c1", 15)])
    measuring.measure(DAY, MANIFEST_OF_BUNDLE)
    by_target = _read(s3, report_key("calibration"))
    assert by_target["churn"] == {
        "state": "measured",
        "horizon_days": 30,
        "said_on": "2023-12-01",
        "bins": [{"bin": 3, "customers": 1, "said": 0.35, "came_true": 0.0}],
    }
    assert by_target["conversion"]["state"] == "not_enough_data"


def test_a_date_that_is_not_whole_is_left_to_the_run_that_is_at_work_on_it(
    s3: "S3Client", measuring: Measuring
) -> None:
    assert measuring.measure(DAY, {}) == {"date": DAY, "whole": False, "results": 0, "reports": 0}
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET, Prefix="reports/")


def test_a_date_whose_objects_another_run_takes_away_is_left_to_that_run(
    s3: "S3Client", measuring: Measuring, tmp_path: Path
) -> None:
    put(s3, tmp_path, DAY, AS_OF_MS, orders=[_line("a", 1)])
    s3.delete_object(Bucket=BUCKET, Key=f"{folder('orders', DAY)}0.parquet")
    assert measuring.measure(DAY, {})["whole"] is False
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET, Prefix="reports/")


def test_a_date_that_is_measured_again_takes_nothing_of_later_ones(
    s3: "S3Client", measuring: Measuring, tmp_path: Path
) -> None:
    put(s3, tmp_path, DAY, AS_OF_MS, exposures=_exposed(10))
    put(s3, tmp_path, "2023-12-30", AS_OF_MS - 2 * DAY_MS, exposures=_exposed(4))
    for day in (DAY, "2023-12-30"):
        measuring.measure(day, {})
    assert _read(s3, LATEST_RESULTS)["date"] == DAY
    assert _read(s3, report_key("revenue"))["date"] == DAY
    assert _read(s3, f"{RESULTS}2023-12-30.json")["results"][0]["customers"]["waiting"] == 0


def test_the_share_held_back_is_by_either_lot() -> None:
    own = replace(audience("win_back"), holdout=0.1)
    assert share_held_back(Audiences(1, (own,), 0.1), "win_back") == pytest.approx(0.19)
    assert share_held_back(Audiences(1, (own,)), "other") == 0


def test_a_plan_holds_since_the_share_last_changed(s3: "S3Client") -> None:
    from shared.audiences.publishing import current, versions

    def publish_at(month: int, *shares: float) -> None:
        every = tuple(replace(audience(f"a{i}"), holdout=share) for i, share in enumerate(shares))
        reason = Reason(f"2024-{month:02d}-01T00:00:00Z", "me", "")
        publish(s3, BUCKET, lambda live: replace(live, all=every), reason)

    publish_at(1, 0.1)
    publish_at(2, 0.2)
    publish_at(3, 0.2, 0.5)
    newest_first = [*versions(s3, BUCKET, current(s3, BUCKET))]
    assert planned_since(newest_first, "a0") == 1_706_745_600_000, "February"
    assert planned_since(newest_first, "a1") == 0
