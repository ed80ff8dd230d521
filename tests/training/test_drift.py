"""The command that says what is not as it was: of event files, and of a stack's last night."""

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from shared.drift.measures import TYPES
from shared.drift.reference import from_bytes
from shared.insight.layout import DRIFT, report_key
from shared.models.layout import DISTRIBUTION_FILE, MANIFEST_FILE
from tests.conftest import BUCKET
from tests.support.event_files import ndjson
from tests.support.shop import DAYS, OPENED
from tests.training.conftest import Shop
from training.drift import in_words, main

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REPORT: dict[str, Any] = {
    "as_of": "2026-01-02T03:00:00Z",
    "bundle_id": "20260101-aaaaaaaa",
    "state": "drifted",
    "drifted": [TYPES],
    "measures": [
        {
            "name": TYPES,
            "number": 1200,
            "index": 1.5,
            "p_value": 1e-30,
            "natural": 0.004,
            "is_season": False,
            "is_drift": True,
        }
    ],
    "predictions": [
        {
            "target": "churn",
            "expected": {"auc": 0.81, "brier": 0.14},
            "said_on": "2025-12-03",
            "came_true": {"auc": 0.79, "brier": 0.15, "expected_auc": 0.8, "expected_brier": 0.145, "customers": 900},
        }
    ],
}


def test_training_writes_what_its_customers_and_days_were_like(model: Path) -> None:
    known = from_bytes((model / DISTRIBUTION_FILE).read_bytes())
    about = json.loads((model / MANIFEST_FILE).read_text())
    assert known.bundle_id == about["bundle_id"]
    assert {f"feature/{name}" for name in about["features"]} < known.measures.keys()
    assert {"prediction/churn_probability", "prediction/segment", TYPES} < known.measures.keys()


def test_days_as_ever_are_as_in_training_and_a_tracking_outage_is_said(
    shop: Shop, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["--model", str(model), "--events"]
    assert main([*files, str(shop.file)]) == 0
    assert "as in training" in capsys.readouterr().out
    last = (OPENED + timedelta(days=DAYS - 1)).isoformat()
    kept = [one for one in shop.events if one["event_type"] != "view_item" or one["timestamp"] < last]
    more = [
        {"event_id": f"x{i}", "event_type": "purchase", "customer_id": str(i), "order_id": f"x{i}", "price": 9.5,
         "timestamp": (OPENED + timedelta(days=DAYS - 0.5, minutes=i)).isoformat()}
        for i in range(80)
    ]  # fmt: skip
    path = tmp_path / "events.ndjson"
    path.write_bytes(ndjson([*kept, *more]))
    assert main([*files, str(path), "--json"]) == 0
    assert TYPES in json.loads(capsys.readouterr().out)["drifted"]


def test_a_stack_says_what_its_last_night_was_like(s3: "S3Client", capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--bucket", BUCKET]) == 2
    assert "no night yet" in capsys.readouterr().err
    s3.put_object(Bucket=BUCKET, Key=report_key(DRIFT), Body=json.dumps(REPORT).encode())
    assert main(["--bucket", BUCKET]) == 0
    assert capsys.readouterr().out.splitlines() == [*in_words(REPORT)]


def test_a_report_is_said_in_words() -> None:
    assert [*in_words(REPORT)] == [
        "2026-01-02, 20260101-aaaaaaaa: drifted",
        "! events/types: index 1.500 (usually 0.004 by itself; p 1.0e-30, of 1,200)",
        "churn: AUC 0.810, Brier 0.140 expected of what is said now",
        "  said on 2025-12-03: AUC 0.790, Brier 0.150, where AUC 0.800, Brier 0.145 was expected",
    ]


def test_without_a_model_or_what_it_was_trained_on_it_says_what_to_do(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--events", str(shop.file)]) == 2
    assert "give --model" in capsys.readouterr().err
    assert main(["--events", str(shop.file), "--model", str(tmp_path)]) == 2
    assert "train again" in capsys.readouterr().err
