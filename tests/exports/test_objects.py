"""Objects of exports: the same name is the same part, and nothing of before stays."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from shared.exports.objects import ExportObjects
from tests.conftest import BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def objects(s3: "S3Client") -> Iterator[ExportObjects]:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    yield ExportObjects(s3, BUCKET)


def versions(s3: "S3Client") -> list[tuple[str, bool]]:
    listed = s3.list_object_versions(Bucket=BUCKET)
    return [(one["Key"], one["IsLatest"]) for one in (*listed.get("Versions", ()), *listed.get("DeleteMarkers", ()))]


def test_an_object_written_again_has_one_version(s3: "S3Client", objects: ExportObjects) -> None:
    for body in (b"first", b"second", b"third"):
        objects.put("exports/a.parquet", body)
    assert s3.get_object(Bucket=BUCKET, Key="exports/a.parquet")["Body"].read() == b"third"
    assert versions(s3) == [("exports/a.parquet", True)]


def test_an_object_that_goes_leaves_nothing_and_its_neighbour_stays(s3: "S3Client", objects: ExportObjects) -> None:
    objects.put("exports/a.parquet", b"a")
    objects.put("exports/a.parquet.b.parquet", b"b")
    s3.delete_object(Bucket=BUCKET, Key="exports/a.parquet")
    objects.drop("exports/a.parquet")
    assert versions(s3) == [("exports/a.parquet.b.parquet", True)]


def test_what_stands_beside_the_objects_of_a_date_is_none_of_them(s3: "S3Client", objects: ExportObjects) -> None:
    objects.put("exports/orders/date=2026-01-01/a.parquet", b"a")
    s3.put_object(Bucket=BUCKET, Key="exports/orders/date=2026-01-01/_manifest.json", Body=b"{}")
    assert [*objects.keys("exports/orders/date=2026-01-01/")] == ["exports/orders/date=2026-01-01/a.parquet"]


def test_what_another_wrote_meanwhile_stays(
    s3: "S3Client", objects: ExportObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "exports/a.parquet"
    objects.put(key, b"before")
    other = ExportObjects(s3, BUCKET)
    drop = ExportObjects._drop

    def interrupted(self: ExportObjects, one: str, latest: str | None) -> None:
        monkeypatch.setattr(ExportObjects, "_drop", drop)
        other.put(key, b"theirs")
        drop(self, one, latest)

    monkeypatch.setattr(ExportObjects, "_drop", interrupted)
    objects.put(key, b"ours")
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"theirs"
    assert versions(s3) == [(key, True)]
