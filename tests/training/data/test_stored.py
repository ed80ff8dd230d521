"""Training on what a stack has stored comes to what training on the files comes to."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from shared.durations import DAY_MS
from shared.events.event import parse_timestamp
from shared.exports import rows
from shared.exports.parquet import parquet
from shared.exports.plan import Manifest, Plan, Written
from shared.exports.tables import MANIFEST, SNAPSHOTS, STATES, folder
from shared.features import Profiles, encode
from shared.models.layout import ONNX_FILE
from tests.conftest import BUCKET
from tests.support.event_files import profiles, purchase
from tests.training.conftest import Shop
from training.base.errors import InputError
from training.data.stored import latest_snapshot, read_snapshot
from training.train import main

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def put_snapshot(s3: "S3Client", day: str, *parts: Profiles) -> None:
    """As an export leaves it: objects of states, their manifest, and that of the day."""
    objects = []
    for number, part in enumerate(parts):
        body, count = parquet(STATES, [rows.states(part)])
        key = f"{folder(STATES.name, day)}part-{number}.parquet"
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        objects.append(Written(key, count, len(body)))
    plan = Plan("run", day, end_of(day), end_of(day))
    for table, written in ((STATES, objects), (SNAPSHOTS, [])):
        body = msgspec.json.encode(Manifest(table.name, plan, written))
        s3.put_object(Bucket=BUCKET, Key=folder(table.name, day) + MANIFEST, Body=body)


def end_of(day: str) -> int:
    """In UTC milliseconds."""
    return parse_timestamp(day) + DAY_MS


def halves(whole: Profiles) -> tuple[Profiles, Profiles]:
    middle = len(whole) // 2
    return whole.part(0, middle), whole.part(middle, len(whole))


def test_a_snapshot_is_what_was_stored(s3: "S3Client") -> None:
    stored = profiles(purchase("a", 1), purchase("a", 2, category="Food"), purchase("b", 3, product_id="p"))
    put_snapshot(s3, "2017-10-14", *halves(stored))
    snapshot = latest_snapshot(BUCKET)
    assert (snapshot.date, snapshot.as_of_ms, snapshot.customers) == ("2017-10-14", end_of("2017-10-14"), 2)
    assert read_snapshot(snapshot).keys == stored.keys
    assert encode(read_snapshot(snapshot)) == encode(stored)


def test_the_last_whole_day_counts(s3: "S3Client") -> None:
    put_snapshot(s3, "2017-10-14", profiles(purchase("a", 1)))
    put_snapshot(s3, "2017-10-15", profiles(purchase("b", 1)))
    put_snapshot(s3, "2017-10-16", profiles(purchase("c", 1)))
    s3.delete_object(Bucket=BUCKET, Key=folder(SNAPSHOTS.name, "2017-10-16") + MANIFEST)
    assert read_snapshot(latest_snapshot(BUCKET)).keys == ["customer#b"]


def test_without_a_snapshot_it_is_said_how_to_make_one(s3: "S3Client") -> None:
    with pytest.raises(InputError, match="tessera export"):
        read_snapshot(latest_snapshot(BUCKET))


def test_a_snapshot_of_nobody_is_told_so(s3: "S3Client") -> None:
    put_snapshot(s3, "2017-10-14")
    with pytest.raises(InputError, match="nobody was stored on 2017-10-14"):
        latest_snapshot(BUCKET)


def test_a_snapshot_that_has_expired_is_told_so(s3: "S3Client") -> None:
    put_snapshot(s3, "2017-10-14", profiles(purchase("a", 1)))
    s3.delete_object(Bucket=BUCKET, Key=f"{folder(STATES.name, '2017-10-14')}part-0.parquet")
    with pytest.raises(InputError, match="no more"):
        read_snapshot(latest_snapshot(BUCKET))


def test_a_snapshot_of_a_release_that_kept_no_states_is_told_so(s3: "S3Client") -> None:
    put_snapshot(s3, "2017-10-14", profiles(purchase("a", 1)))
    s3.delete_object(Bucket=BUCKET, Key=folder(STATES.name, "2017-10-14") + MANIFEST)
    with pytest.raises(InputError, match="kept no states"):
        read_snapshot(latest_snapshot(BUCKET))


@pytest.mark.parametrize("damage", [b"", b"no parquet"])
def test_what_cannot_be_read_is_said_in_a_line(s3: "S3Client", damage: bytes) -> None:
    put_snapshot(s3, "2017-10-14", profiles(purchase("a", 1)))
    s3.put_object(Bucket=BUCKET, Key=f"{folder(STATES.name, '2017-10-14')}part-0.parquet", Body=damage)
    with pytest.raises(InputError, match="cannot be read by this release"):
        read_snapshot(latest_snapshot(BUCKET))


def test_an_engine_that_gathers_event_files_alone_is_refused(
    s3: "S3Client", tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--bucket", BUCKET, "--out", str(tmp_path / "m"), "--engine", "disk"]) == 2
    assert "is read by memory or spark" in capsys.readouterr().err


def test_a_bundle_of_what_is_stored_is_that_of_the_files_to_the_byte(
    shop: Shop, model: Path, s3: "S3Client", tmp_path: Path
) -> None:
    put_snapshot(s3, "2018-01-01", *halves(shop.profiles))
    assert main(["--bucket", BUCKET, "--out", str(tmp_path / "m"), "--config", str(shop.config)]) == 0
    assert (tmp_path / "m" / ONNX_FILE).read_bytes() == (model / ONNX_FILE).read_bytes()
    ours, theirs = (json.loads((place / "manifest.json").read_text()) for place in (tmp_path / "m", model))
    assert ours | {"created_at": ""} == theirs | {"created_at": ""}
