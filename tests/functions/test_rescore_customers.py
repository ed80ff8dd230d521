"""The function that rescores customers: what it takes, what it keeps, and how it goes on."""

import json
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from shared.bulk.partitions import NoBundle
from shared.profiles.item import encode_profile
from shared.profiles.table import ProfileTable
from tests.conftest import TABLE
from tests.functions.conftest import Context, Hurried, Unhurried, function, history_batch, put, take_in, written
from tests.support.bundles import make_bundle, point_to, publish
from tests.support.event_files import ndjson_gz, purchase
from tests.support.partiql import PartiQL

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

OLD, NEW = make_bundle("20171001-old"), make_bundle("20171002-new", centroids=(1.0, 3.0, 4.0))


@pytest.fixture
def rescore_customers(s3: "S3Client", dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return function("rescore_customers", monkeypatch)


def partition(run: str = "r") -> dict[str, Any]:
    return {"run": run, "since": "2026-11-21T22:00:00.000Z", "segment": 0, "segments": 1}


def models(table: ProfileTable, customers: Iterable[int]) -> list[str | None]:
    stored = table.load([f"customer#{customer}" for customer in customers])
    return [profile.decision.model_version if profile.decision else None for profile in stored.values()]


@pytest.fixture
def outdated(s3: "S3Client", backfill_events: ModuleType) -> None:
    """Five customers whom the old model decided on; the new one is live."""
    publish(s3, OLD)
    take_in(backfill_events, s3)
    publish(s3, NEW)


@pytest.fixture
def pages_of_two(rescore_customers: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rescore_customers.scan_page
    monkeypatch.setattr(rescore_customers, "scan_page", lambda *page: whole(*page, limit=2))


@pytest.mark.usefixtures("outdated", "pages_of_two")
def test_a_new_model_decides_on_everyone_page_by_page(
    s3: "S3Client", table: ProfileTable, rescore_customers: ModuleType, summarise_run: ModuleType
) -> None:
    answers = [rescore_customers.handler(partition(), Hurried()) for _ in range(3)]
    assert answers == [{"done": False}, {"done": False}, {"done": True}]
    assert models(table, range(5)) == ["20171002-new"] * 5
    answer = summarise_run.handler({"kind": "rescore", "run": "r", "parts": 1}, Context())
    assert answer == {"report": "reports/rescore/r.json", "unfinished": 0, "superseded": False}
    summed = written(s3, answer["report"])
    assert (summed["read"], summed["decided"], summed["model_versions"]) == (5, 5, ["20171002-new"])
    assert "customer#" not in json.dumps(written(s3, "reports/rescore/r/part-000000.json"))


@pytest.mark.usefixtures("outdated")
def test_the_same_again_writes_nothing_even_in_a_run_of_its_own(
    s3: "S3Client", rescore_customers: ModuleType, partiql: PartiQL
) -> None:
    rescore_customers.handler(partition(), Unhurried())
    before = partiql.statements
    assert rescore_customers.handler(partition(), Unhurried()) == {"done": True}
    assert rescore_customers.handler(partition("another"), Unhurried()) == {"done": True}
    assert partiql.statements == before
    assert written(s3, "reports/rescore/another/part-000000.json")["read"] == 5


@pytest.mark.usefixtures("outdated", "pages_of_two")
def test_a_run_ends_when_another_model_goes_live(
    s3: "S3Client", table: ProfileTable, rescore_customers: ModuleType, summarise_run: ModuleType
) -> None:
    assert rescore_customers.handler(partition(), Hurried()) == {"done": False}
    point_to(s3, "20171001-old")
    assert rescore_customers.handler(partition(), Unhurried()) == {"done": True}
    assert summarise_run.handler({"kind": "rescore", "run": "r", "parts": 1}, Context())["superseded"] is True
    rescore_customers.handler(partition("of the model before"), Unhurried())
    assert models(table, range(5)) == ["20171001-old"] * 5


def test_there_is_nothing_to_decide_with_before_a_bundle_is_published(
    s3: "S3Client", rescore_customers: ModuleType
) -> None:
    with pytest.raises(NoBundle, match="no bundle is published"):
        rescore_customers.handler(partition(), Unhurried())


def test_a_model_that_does_not_load_leaves_everyone_with_the_one_before(
    s3: "S3Client", table: ProfileTable, rescore_customers: ModuleType, backfill_events: ModuleType, partiql: PartiQL
) -> None:
    publish(s3, OLD)
    take_in(backfill_events, s3)
    rescore_customers.handler(partition(), Unhurried())
    publish(s3, make_bundle("20171003-bad", metadata={"feature_set_hash": "0000"}))
    before = partiql.statements
    with pytest.raises(NoBundle, match="feature set"):
        rescore_customers.handler(partition("of the bad one"), Unhurried())
    assert partiql.statements == before
    assert models(table, range(5)) == ["20171001-old"] * 5


def test_another_number_of_partitions_begins_anew(
    s3: "S3Client", rescore_customers: ModuleType, backfill_events: ModuleType
) -> None:
    publish(s3, OLD)
    take_in(backfill_events, s3)
    rescore_customers.handler(partition(), Unhurried())
    rescore_customers.handler({**partition(), "segments": 2}, Unhurried())
    assert written(s3, "reports/rescore/r/part-000000.json")["segments"] == 2


def test_logs_name_no_customer(
    s3: "S3Client",
    rescore_customers: ModuleType,
    backfill_events: ModuleType,
    summarise_run: ModuleType,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    publish(s3, OLD)
    put(s3, {"1.ndjson.gz": ndjson_gz([purchase("secret-customer")]), "2.ndjson": b"secret-customer"})
    backfill_events.handler(history_batch("1.ndjson.gz", "2.ndjson"), Unhurried())
    publish(s3, NEW)
    rescore_customers.handler(partition(), Unhurried())
    summarise_run.handler({"kind": "rescore", "run": "r", "parts": 1}, Context())
    printed = capsys.readouterr().out + "".join(str(vars(record)) for record in caplog.records)
    assert all(part in printed for part in ("ProfilesRescored", "Files taken in", "Run summed up"))
    assert "secret-customer" not in printed


@pytest.mark.parametrize(
    "spoiled", [{"state": {"B": b"\x09\x00"}}, {"state": {"B": b"\x02"}}, {"events": {"S": "many"}}]
)
def test_a_profile_that_cannot_be_read_stops_nobody_else(
    s3: "S3Client",
    dynamodb: "DynamoDBClient",
    backfill_events: ModuleType,
    rescore_customers: ModuleType,
    table: ProfileTable,
    measured: Callable[[], dict[str, int]],
    spoiled: dict[str, Any],
) -> None:
    take_in(backfill_events, s3)
    broken = encode_profile(table.load(["customer#2"])["customer#2"]) | spoiled
    dynamodb.put_item(TableName=TABLE, Item=broken)
    publish(s3, NEW)
    measured()
    assert rescore_customers.handler(partition(), Unhurried()) == {"done": True}
    others = table.load(f"customer#{number}" for number in (0, 1, 3, 4))
    assert {profile.decision and profile.decision.model_version for profile in others.values()} == {"20171002-new"}
    assert dynamodb.get_item(TableName=TABLE, Key={"pk": broken["pk"], "sk": broken["sk"]})["Item"] == broken
    assert measured()["ProfilesUnreadable"] == 1
