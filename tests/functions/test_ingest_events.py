"""What dropped files become: decisions, once, whatever they are called and however they come."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from shared.profiles.table import ProfileTable
from tests.conftest import BUCKET
from tests.functions.conftest import body, quarantined
from tests.support.bundles import make_bundle, publish
from tests.support.event_files import csv_file, ndjson, ndjson_gz, parquet, purchase
from tests.support.memory_table import writes

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

type Drop = Callable[..., list[str]]
type Measured = Callable[[], dict[str, int]]


def test_dropped_file_becomes_a_decision(s3: "S3Client", drop: Drop, table: ProfileTable, measured: Measured) -> None:
    publish(s3, make_bundle())
    assert drop({"events/day.ndjson": ndjson([purchase("889", number=i) for i in range(3)])}) == []
    profile = table.get("customer#889")
    assert profile is not None and profile.events == 3
    assert profile.decision is not None and profile.decision.segment == 1
    assert profile.decision.as_of_ms == 1_509_494_400_000 < profile.decision.scored_at_ms
    assert measured() == {
        "AudiencesRefused": 0,
        "BundleRefused": 0,
        "LabelsRefused": 0,
        "EventsCounted": 3,
        "EventsDuplicate": 0,
        "EventsForgotten": 0,
        "EventsLate": 3,
        "EventsQuarantined": 0,
        "FilesUnreadable": 0,
        "QuarantineCapped": 0,
        "FilesMissing": 0,
        "PartsQueued": 0,
        "MappingsRefused": 0,
        "CustomersChanged": 1,
        "SegmentsChanged": 0,
        "VisitorsLinked": 0,
        "LinksRefused": 0,
        "SharedDevices": 0,
    }


def test_formats_mix_in_one_batch_and_a_shared_customer_is_written_once(drop: Drop, table: ProfileTable) -> None:
    one, two, three, four = ([purchase("889", number=i)] for i in range(4))
    files = {
        "events/a.ndjson": ndjson(one),
        "events/b.ndjson.gz": ndjson_gz(two),
        "events/c.csv": csv_file(three),
        "events/d.parquet": parquet(four),
    }
    assert drop(files) == []
    profile = table.get("customer#889")
    assert profile is not None and (profile.events, writes(profile)) == (4, 1)


def test_a_file_in_a_shops_own_columns_is_read_by_the_mapping_that_names_it(
    s3: "S3Client", drop: Drop, table: ProfileTable, measured: Measured
) -> None:
    mapping = """
        files = "events/shop-a/*"
        delimiter = ";"
        decimal = ","
        columns = {timestamp = "Datum", customer_id = "Kunde", price = "Preis"}
        times = {formats = ["%d.%m.%Y"]}
        constants = {event_type = "purchase"}
    """
    s3.put_object(Bucket=BUCKET, Key="mappings/shop-a.toml", Body=mapping.encode())
    s3.put_object(Bucket=BUCKET, Key="mappings/wrong.toml", Body=b"columns = 1")
    orders = "Kunde;Datum;Preis\n889;01.10.2017;3,50 €\n889;02.10.2017;free\n"
    assert drop({"events/shop-a/orders.csv": orders.encode(), "events/b.ndjson": ndjson([purchase("890")])}) == []
    assert [(profile.events if (profile := table.get(f"customer#{id_}")) else 0) for id_ in ("889", "890")] == [1, 1]
    [refused] = [json.loads(line) for key in quarantined(s3) for line in body(s3, key).splitlines()]
    assert refused["reason"] == "Preis must be a number from 0 to 1,000,000,000"
    assert measured()["MappingsRefused"] == 2  # told by each file


def test_same_file_again_changes_nothing(drop: Drop, table: ProfileTable, measured: Measured) -> None:
    files = {"events/day.ndjson": ndjson([purchase("889", number=i) for i in range(5)])}
    drop(files)
    before = table.get("customer#889")
    measured()
    drop(files)
    assert table.get("customer#889") == before
    counts = measured()
    assert (counts["EventsCounted"], counts["EventsDuplicate"], counts["CustomersChanged"]) == (0, 5, 0)


@pytest.mark.parametrize("key", ["events/two words+plus.ndjson", "events/Größe/日本.ndjson", "events/100%25.ndjson"])
def test_keys_with_unusual_characters_are_found(drop: Drop, table: ProfileTable, key: str) -> None:
    assert drop({key: ndjson([purchase("889")])}) == []
    assert table.get("customer#889") is not None


def test_visitor_becomes_a_customer_and_nobody_elses(
    s3: "S3Client", drop: Drop, table: ProfileTable, measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(s3, make_bundle())
    visits = [purchase("visit", number=i, customer_id=None, anonymous_id="phone") for i in range(2)]
    assert drop({"events/monday.ndjson": ndjson(visits)}) == []
    assert drop({"events/tuesday.ndjson": ndjson([purchase("889", anonymous_id="phone")])}) == []
    customer, visitor = table.get("customer#889"), table.get("visitor#phone")
    assert customer and customer.decision and customer.decision.segment == 1
    assert visitor and visitor.decision is None and visitor.events == 2
    assert measured()["VisitorsLinked"] == 1

    lines = ndjson([purchase("889", number=1), purchase("secret-2", anonymous_id="phone")])
    files = {"events/a.ndjson": lines, "events/b.ndjson": ndjson([purchase("secret-3", anonymous_id="phone")])}
    for _ in range(2):
        assert drop(files) == []
    kept = {key: [json.loads(line) for line in body(s3, key).splitlines()] for key in quarantined(s3)}
    assert [(key.split("/")[2], key.split("/")[4]) for key in kept] == [
        ("a.ndjson", "claims-000000002.named.ndjson"),
        ("b.ndjson", "claims-000000001.named.ndjson"),
    ]
    ((record,), _) = kept.values()
    assert (record["source_key"], record["line"]) == ("events/a.ndjson", 2)
    assert record["original"].encode() == lines.splitlines()[1]
    assert "889" not in record["reason"] and "secret" not in record["reason"]
    assert table.get("customer#secret-2") is not None
    printed = capsys.readouterr().out
    assert "secret-" not in printed and "phone" not in printed
    emitted = [json.loads(line) for line in printed.splitlines() if line.startswith("{") and "_aws" in line]
    assert [metric["SharedDevices"] for metric in emitted] == [[1.0], [0.0]]
    assert [metric["LinksRefused"] for metric in emitted] == [[2.0], [2.0]]
    assert [metric["EventsQuarantined"] for metric in emitted] == [[0.0, 0.0], [0.0, 0.0]]


def test_logs_name_no_customer(drop: Drop, capsys: pytest.CaptureFixture[str]) -> None:
    drop(
        {
            "events/day.ndjson": ndjson([purchase("secret-customer")])
            + b'{"customer_id": "secret-customer"}\nsecret-customer'
        }
    )
    assert "secret-customer" not in capsys.readouterr().out
