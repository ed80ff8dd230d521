"""What was exported is measured, and the API answers it."""

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from shared.insight.layout import REPORTS
from tests.conftest import BUCKET
from tests.functions.conftest import Context, Unhurried, function
from tests.functions.streams import TableStream
from tests.functions.test_browse_segments import Browser
from tests.support.bundles import make_bundle, publish
from tests.support.event_files import ndjson, purchase
from tests.support.markers import CUSTOMER, NAME, listening

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

DAY = "2017-11-01"


@pytest.fixture
def measure_results(s3: "S3Client", dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return function("measure_results", monkeypatch)


@pytest.fixture
def browser(s3: "S3Client", dynamodb: "DynamoDBClient") -> Browser:
    boto3.client("secretsmanager").create_secret(Name="cursors", SecretString="a secret")
    return Browser(importlib.reload(importlib.import_module("functions.browse_segments.app")))


@pytest.fixture
def whole(
    s3: "S3Client",
    drop: Callable[..., list[str]],
    publisher: ModuleType,
    stream: TableStream,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A shop of sixty customers, a third of them held back from a campaign, exported."""
    monkeypatch.setenv("SETTLE_SECONDS", "0")
    publish(s3, make_bundle())
    lines: list[dict[str, Any]] = []
    for customer in (CUSTOMER, *map(str, range(59))):
        arm = "treatment" if len(lines) % 3 else "control"
        exposed = {**purchase(customer, 90, day=2), "event_type": "campaign_exposure", "campaign": "win_back"}
        lines += [{**purchase(customer, n, day=1 + n), "category": NAME} for n in range(5)]
        lines.append({**exposed, "arm": arm})
    drop({"events/all.ndjson": ndjson(lines)})
    publisher.handler({"Records": stream.records()}, Context())
    export_tables, finish_export = function("export_tables", monkeypatch), function("finish_export", monkeypatch)
    while not export_tables.handler({"run": "r", "segment": 0, "segments": 1}, Unhurried())["done"]:
        pass
    assert finish_export.handler({"run": "r", "parts": 1}, Context())["date"] == DAY


@pytest.mark.usefixtures("whole")
def test_what_was_exported_is_measured_and_answered(measure_results: ModuleType, browser: Browser) -> None:
    assert browser.get("/results")[1]["error"]["code"] == "not_measured_yet"
    assert browser.get("/reports/{name}", "revenue")[1]["error"]["code"] == "not_measured_yet"
    browser.app = importlib.reload(browser.app)  # it looks again after a minute
    summary = measure_results.handler({"date": DAY}, Context())
    assert summary == {"date": DAY, "whole": True, "results": 1, "reports": len(REPORTS)}
    status, body = browser.get("/results")
    (result,) = body["results"]
    assert (status, result["campaign"]) == (200, "win_back")
    assert sum(result["customers"][arm] for arm in ("treatment", "control", "waiting")) == 60
    assert browser.get("/audiences/{key}/results", "win_back") == (200, body)
    assert browser.get("/audiences/{key}/results", "other")[1]["error"]["code"] == "results_not_found"
    for name in REPORTS:
        status, report = browser.get("/reports/{name}", name)
        assert (status, report["report"], report["date"]) == (200, name, DAY)
    assert sum(week["orders"] for week in browser.get("/reports/{name}", "revenue")[1]["weeks"]) == 300
    assert browser.get("/reports/{name}", "customers")[1]["error"]["code"] == "report_not_found"


def test_a_date_without_exports_is_not_measured(measure_results: ModuleType) -> None:
    assert measure_results.handler({"date": "2017-10-01"}, Context())["whole"] is False


@pytest.mark.usefixtures("whole")
def test_nothing_that_is_logged_names_anybody(measure_results: ModuleType) -> None:
    with listening() as heard:
        assert heard.call(measure_results.handler, {"date": DAY}, Context())
    assert "Results measured" in heard.getvalue()
    assert heard.markers() == set()


@pytest.mark.usefixtures("whole")
def test_exports_that_cannot_be_read_name_nobody(measure_results: ModuleType, s3: "S3Client") -> None:
    for table in ("orders", "exposures", "moves", "segments"):
        for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix=f"exports/{table}/")["Contents"]:
            if entry["Key"].endswith(".parquet"):
                s3.put_object(Bucket=BUCKET, Key=entry["Key"], Body=f"PAR1 {CUSTOMER} PAR1".encode())
    with listening() as heard:
        assert heard.call(measure_results.handler, {"date": DAY}, Context()) is None
    assert heard.markers() == set()
