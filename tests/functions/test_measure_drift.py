"""A night is held against what the live model was trained on: reported, answered, counted and told."""

import importlib
import json
from datetime import UTC, datetime
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

import boto3
import msgspec
import numpy as np
import pytest

from shared.drift import reference
from shared.drift.layout import nights_key
from shared.drift.measures import TYPES
from shared.drift.nights import Nights
from shared.durations import DAY_MS
from shared.exports import rows
from shared.exports.parquet import parquet
from shared.exports.plan import Manifest, Plan, Written
from shared.exports.tables import CUSTOMERS, MANIFEST, ORDERS, SNAPSHOTS, STATES, folder
from shared.features import Profiles, until
from shared.insight.layout import DRIFT, report_key
from shared.models.bundle import Bundle
from shared.models.layout import DISTRIBUTION_FILE, bundle_key
from tests.conftest import BUCKET
from tests.drift.shops import OPENED_MS, Planted, Shop
from tests.functions.conftest import Context, function
from tests.functions.streams import Bus
from tests.functions.test_browse_segments import Browser
from tests.support.bundles import make_bundle, publish
from tests.support.markers import CUSTOMER, NAME, listening

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

HISTORY = 120
BUNDLE = make_bundle()
BUNDLE[1]["targets"]["churn"]["horizon_days"] = 10
LIVE = str(BUNDLE[1]["bundle_id"])


def at(night: int) -> int:
    return OPENED_MS + (HISTORY + night) * DAY_MS


def day(night: int) -> str:
    return datetime.fromtimestamp(at(night) / 1_000, UTC).date().isoformat()


def _tracked(days: int) -> Any:
    share = np.ones(days)
    share[HISTORY + 14 :] = 0
    return share


@cache
def shop() -> Profiles:
    """From the fifteenth night on no page that is viewed is recorded any more."""
    known = Shop(400, 3, HISTORY + 20, Planted(tracked=_tracked)).events()
    return known.take(np.flatnonzero(known.event_counts > 0))


@cache
def distribution() -> bytes:
    known = until(shop(), at(0))
    known = known.take(np.flatnonzero(known.event_counts > 0))
    return reference.to_bytes(reference.observed(known, Bundle.from_files(*BUNDLE), at(0), 1))


def export(s3: "S3Client", night: int) -> None:
    """The tables of a night that drift is looked for in."""
    known = until(shop(), at(night))
    known = known.take(np.flatnonzero(known.event_counts > 0))
    bundle = Bundle.from_files(*BUNDLE)
    decided = bundle.decide(bundle.features_at(known, at(night)))
    columns = rows.customers(known.keys, [None] * len(known), known, lambda *_: None, at(night), bundle.zone)
    columns = {
        **columns,
        **rows.recommended(known.keys, [None] * len(known), known, at(night), None),
        "churn_probability": decided.predictions["churn_probability"].astype(float),
    }
    plan = Plan(f"night-{night}", day(night), at(night), at(night))
    tables = ((STATES, rows.states(known)), (CUSTOMERS, columns), (ORDERS, rows.orders(known)), (SNAPSHOTS, None))
    for table, own in tables:
        place = folder(table.name, plan.date)
        objects = []
        if own is not None:
            body, number = parquet(table, [own])
            s3.put_object(Bucket=BUCKET, Key=f"{place}0.parquet", Body=body)
            objects = [Written(f"{place}0.parquet", number, len(body))]
        s3.put_object(
            Bucket=BUCKET, Key=place + MANIFEST, Body=msgspec.json.encode(Manifest(table.name, plan, objects))
        )


@pytest.fixture
def measure_drift(s3: "S3Client", bus: Bus, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    publish(s3, BUNDLE)
    s3.put_object(Bucket=BUCKET, Key=bundle_key(LIVE, DISTRIBUTION_FILE), Body=distribution())
    return function("measure_drift", monkeypatch)


def reported(s3: "S3Client") -> Any:
    return json.loads(s3.get_object(Bucket=BUCKET, Key=report_key(DRIFT))["Body"].read())


def test_nights_as_ever_are_steady_and_a_tracking_outage_is_found_told_once_and_answered(
    measure_drift: ModuleType, s3: "S3Client", bus: Bus, dynamodb: "DynamoDBClient"
) -> None:
    for night in (1, 13, 14):
        export(s3, night)
        assert measure_drift.handler({"date": day(night)}, Context()) == {
            "date": day(night),
            "state": "steady",
            "drifted": 0,
        }
    assert bus.events() == []
    export(s3, 15)
    summary = measure_drift.handler({"date": day(15)}, Context())
    assert (summary["state"], summary["drifted"]) == ("drifted", 1)
    ((kind, detail),) = bus.events()
    assert (kind, [one["name"] for one in detail["measures"]]) == ("Model Drifted", [TYPES])
    assert (detail["model_version"], detail["date"], detail["report"]) == (LIVE, day(15), report_key(DRIFT))

    # The same night again, and the next one, tell nobody a second time.
    assert measure_drift.handler({"date": day(15)}, Context()) == summary
    export(s3, 16)
    assert measure_drift.handler({"date": day(16)}, Context())["state"] == "drifted"
    assert bus.events() == []

    report = reported(s3)
    assert (report["date"], report["drifted"], report["bundle_id"]) == (day(16), [TYPES], LIVE)
    assert report["measures"][0]["name"] == TYPES
    (churn,) = report["predictions"]
    assert churn["said_on"] is None and 0.5 < churn["expected"]["auc"] < 1
    boto3.client("secretsmanager").create_secret(Name="cursors", SecretString="a secret")
    browser = Browser(importlib.reload(importlib.import_module("functions.browse_segments.app")))
    assert browser.get("/reports/{name}", DRIFT) == (200, report)


def test_what_was_said_one_horizon_ago_is_held_against_what_came(measure_drift: ModuleType, s3: "S3Client") -> None:
    for night in (1, 11):
        export(s3, night)
    measure_drift.handler({"date": day(11)}, Context())
    (churn,) = reported(s3)["predictions"]
    assert (churn["said_on"], churn["horizon_days"]) == (day(1), 10)
    came = churn["came_true"]
    assert came["customers"] > 100
    assert 0.5 < came["auc"] < 1 and 0 < came["brier"] < 1 and 0 < came["expected_brier"] < 0.25


def test_an_earlier_night_again_leaves_the_latest_report(measure_drift: ModuleType, s3: "S3Client") -> None:
    for night in (1, 2):
        export(s3, night)
        measure_drift.handler({"date": day(night)}, Context())
    measure_drift.handler({"date": day(1)}, Context())
    assert reported(s3)["date"] == day(2)
    kept = msgspec.json.decode(s3.get_object(Bucket=BUCKET, Key=nights_key(LIVE))["Body"].read(), type=Nights)
    assert [*kept.nights] == [day(1), day(2)]


@pytest.mark.parametrize(
    ("lost", "state"),
    [
        (bundle_key(LIVE, DISTRIBUTION_FILE), "no_distribution"),
        ("models/current.json", "no_model"),
        (f"{folder(SNAPSHOTS.name, day(1))}{MANIFEST}", "not_whole"),
        (f"{folder(STATES.name, day(1))}0.parquet", "not_whole"),
    ],
)
def test_without_what_it_takes_nothing_is_said(
    measure_drift: ModuleType, s3: "S3Client", lost: str, state: str
) -> None:
    export(s3, 1)
    s3.delete_object(Bucket=BUCKET, Key=lost)
    assert measure_drift.handler({"date": day(1)}, Context()) == {"date": day(1), "state": state, "drifted": 0}


@pytest.mark.parametrize("body", [b"", b"{}", b'{"format": 2, "bundle_id": "", "as_of_ms": 0, "measures": {}}'])
def test_a_distribution_that_nobody_can_read_counts_as_none(
    measure_drift: ModuleType, s3: "S3Client", body: bytes
) -> None:
    export(s3, 1)
    s3.put_object(Bucket=BUCKET, Key=bundle_key(LIVE, DISTRIBUTION_FILE), Body=body)
    assert measure_drift.handler({"date": day(1)}, Context())["state"] == "no_distribution"


def test_nothing_that_is_logged_names_anybody(measure_drift: ModuleType, s3: "S3Client") -> None:
    export(s3, 1)
    refused = {"reason": f"price must be a number, not '{NAME}'", "original": CUSTOMER, "lines": 1}
    key = f"quarantine/events/{NAME}/v/lines-000000001.nameless.ndjson"
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(refused).encode())
    with listening() as heard:
        assert heard.call(measure_drift.handler, {"date": day(1)}, Context())
    assert "Drift measured" in heard.getvalue()
    assert heard.markers() == set()
    s3.put_object(Bucket=BUCKET, Key=f"{folder(STATES.name, day(1))}0.parquet", Body=f"PAR1 {CUSTOMER} PAR1".encode())
    with listening() as heard:
        assert heard.call(measure_drift.handler, {"date": day(1)}, Context()) is None
    assert heard.markers() == set()
