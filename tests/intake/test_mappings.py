"""A bucket's mappings: which file is read by which, and what becomes of one that is wrong."""

from typing import TYPE_CHECKING

from shared.intake.mappings import CHECK_EVERY_SECONDS, LEAST_SECONDS, Mappings
from tests.conftest import BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAPPING = 'files = "{}"\ncolumns = {{timestamp = "at", customer_id = "who"}}\nconstants = {{event_type = "purchase"}}'


def put(s3: "S3Client", name: str, document: str) -> None:
    s3.put_object(Bucket=BUCKET, Key=f"mappings/{name}", Body=document.encode())


def test_a_file_is_read_by_the_first_mapping_that_names_it(s3: "S3Client") -> None:
    put(s3, "b.toml", MAPPING.format("events/*"))
    put(s3, "a.toml", MAPPING.format("events/shop-a/*.csv"))
    mappings = Mappings(s3, BUCKET)
    chosen = [mappings.translator(key, 0) for key in ("events/shop-a/x.csv", "events/x.csv", "history/x.csv")]
    assert [one and one.mapping.files for one in chosen] == ["events/shop-a/*.csv", "events/*", None]


def test_without_mappings_files_have_our_columns(s3: "S3Client") -> None:
    assert Mappings(s3, BUCKET).translator("events/x.csv", 0) is None


def test_archived_live_events_have_our_columns_whatever_names_them(s3: "S3Client") -> None:
    put(s3, "all.toml", MAPPING.format("*"))
    assert Mappings(s3, BUCKET).translator("archive/2026/x.ndjson.gz", 0) is None


def test_what_is_no_mapping_is_counted_and_stops_no_other(s3: "S3Client") -> None:
    put(s3, "a.toml", "columns = 5")
    put(s3, "b.toml", MAPPING.format("*"))
    put(s3, "readme.txt", "not one")
    mappings = Mappings(s3, BUCKET)
    assert mappings.translator("events/x.csv", 0) is not None
    assert mappings.refused == 1


def test_a_change_counts_after_seconds(s3: "S3Client") -> None:
    put(s3, "a.toml", MAPPING.format("events/*"))
    mappings = Mappings(s3, BUCKET)
    assert mappings.translator("events/x.csv", 0) is not None
    put(s3, "a.toml", MAPPING.format("history/*"))
    assert mappings.translator("events/x.csv", CHECK_EVERY_SECONDS - 1) is not None
    assert mappings.translator("events/x.csv", CHECK_EVERY_SECONDS) is None


def test_live_events_name_theirs_and_a_new_one_is_looked_for_at_once(s3: "S3Client") -> None:
    put(s3, "shop-a.toml", MAPPING.format("events/*"))
    put(s3, "wrong.toml", "columns = 5")
    mappings = Mappings(s3, BUCKET)
    assert mappings.named("shop-a", 0) is not None
    assert [mappings.named(name, 0) for name in ("wrong", "shop-b", "../mappings/shop-a")] == [None] * 3
    put(s3, "shop-b.toml", MAPPING.format("events/*"))
    assert mappings.named("shop-b", LEAST_SECONDS / 2) is None
    assert mappings.named("shop-b", LEAST_SECONDS) is not None


def test_one_that_was_taken_away_is_known_no_more(s3: "S3Client") -> None:
    put(s3, "shop-a.toml", MAPPING.format("events/*"))
    mappings = Mappings(s3, BUCKET)
    assert mappings.named("shop-a", 0) is not None
    s3.delete_object(Bucket=BUCKET, Key="mappings/shop-a.toml")
    assert mappings.named("shop-a", CHECK_EVERY_SECONDS) is None
