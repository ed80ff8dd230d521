"""Event files are found and read where they are."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import BUCKET
from tests.support.event_files import csv_file, ndjson, ndjson_gz, parquet, purchase
from training.base.errors import InputError
from training.data.events import read_events
from training.data.places import EventFile, event_files

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def test_files_of_folders_come_in_their_order_and_hidden_ones_do_not(tmp_path: Path) -> None:
    for name in ("b/1.ndjson", "a.csv", ".hidden", "_SUCCESS"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"12")
    assert event_files([tmp_path, tmp_path / "a.csv"]) == [
        EventFile(f"{tmp_path}/a.csv", 2),
        EventFile(f"{tmp_path}/b/1.ndjson", 2),
        EventFile(f"{tmp_path}/a.csv", 2),
    ]


def test_where_there_are_none_it_is_said_where(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place, message in (("empty", "no event files in the folder"), ("none", "there is no file or folder")):
        with pytest.raises(InputError, match=message):
            event_files([tmp_path / place])


def test_objects_are_read_as_files_are(s3: "S3Client", tmp_path: Path) -> None:
    shop = [purchase(customer, number) for customer in "abc" for number in range(4)]
    files = {
        "events/1.ndjson": ndjson(shop[:3]),
        "events/2.csv": csv_file(shop[3:6]),
        "events/3.parquet": parquet(shop[6:9]),
        "events/more/4.ndjson.gz": ndjson_gz(shop[9:]),
    }
    for key, body in files.items():
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_bytes(body)
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    for key in ("events/_SUCCESS", "events/folder/", "other/5.ndjson"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"")
    there, here = read_events([f"s3://{BUCKET}/events/"]), read_events([tmp_path / "events"])
    assert there.files == len(files)
    assert there.bytes == here.bytes
    assert there.profiles.rows.fingerprint.tolist() == here.profiles.rows.fingerprint.tolist()
    assert there.profiles.keys == ["customer#a", "customer#b", "customer#c"]


def test_a_bucket_that_cannot_be_read_is_bad_input(s3: "S3Client") -> None:
    with pytest.raises(InputError, match="no event files at s3://"):
        event_files([f"s3://{BUCKET}/nothing/"])
    with pytest.raises(InputError, match="s3://no-such-bucket-here/x: "):
        event_files(["s3://no-such-bucket-here/x"])
    gone = EventFile(f"s3://{BUCKET}/gone.ndjson", 1)
    with pytest.raises(InputError, match="NoSuchKey"), gone.opened():
        pass
