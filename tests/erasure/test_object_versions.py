"""Objects that others write meanwhile, and their former versions: nothing is lost, and nothing of theirs is left."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from shared.erasure.objects import Searched, SearchedObjects
from shared.events import Rejection
from shared.intake.quarantine import Quarantine
from shared.profiles.places import Places
from tests.conftest import BUCKET
from tests.erasure.searching import HEADER, PEOPLE, memory_places, memory_s3, versions

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def s3() -> Any:
    return memory_s3()


@pytest.fixture
def places() -> Places:
    return memory_places()


@pytest.fixture
def objects(s3: "S3Client", places: Places) -> SearchedObjects:
    return SearchedObjects(s3, BUCKET, places, PEOPLE)


def test_two_erasures_of_one_object_lose_nothing_to_each_other(
    s3: "S3Client", objects: SearchedObjects, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, put = "exports/a.csv", s3.put_object
    put(Bucket=BUCKET, Key=key, Body=HEADER + "889,1\n890,1\n891,1\n")
    other = SearchedObjects(s3, BUCKET, places, ["customer#890"])

    def other_first(**request: Any) -> Any:
        monkeypatch.setattr(s3, "put_object", put)
        assert other.search(key).lines == 1
        return put(**request)

    monkeypatch.setattr(s3, "put_object", other_first)
    assert objects.search(key).lines == 1
    assert versions(s3, key) == [(HEADER + "891,1\n").encode()]


def test_an_export_written_anew_meanwhile_stays(
    s3: "S3Client", objects: SearchedObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, drop = "exports/a.ndjson", s3.delete_object
    s3.put_object(Bucket=BUCKET, Key=key, Body=b'{"customer_id":"889"}\n')

    def write_first(**request: Any) -> Any:
        monkeypatch.setattr(s3, "delete_object", drop)
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"new")
        return drop(**request)

    monkeypatch.setattr(s3, "delete_object", write_first)
    objects.search(key)
    assert versions(s3, key) == [b"new"]


def test_former_versions_go_also_where_that_broke_off(
    s3: "S3Client", objects: SearchedObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    for body in ("889,1\n", "889,1\n890,1\n"):
        s3.put_object(Bucket=BUCKET, Key="exports/a.csv", Body=HEADER + body)
    with monkeypatch.context() as broken:
        broken.setattr(s3, "delete_object", lambda **_request: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            objects.search("exports/a.csv")
    assert len(versions(s3, "exports/a.csv")) == 3
    assert objects.search("exports/a.csv", unfinished=True) == Searched()
    assert versions(s3, "exports/a.csv") == [(HEADER + "890,1\n").encode()]


def test_a_former_version_goes_though_the_source_came_again_without_them(
    s3: "S3Client", objects: SearchedObjects, places: Places
) -> None:
    folder = Quarantine(s3, BUCKET, places).folder("events/a.ndjson", "etag")
    theirs, others = (Rejection(1, "wrong", who.encode(), (f"customer#{who}",)) for who in ("889", "890"))
    folder.lines([theirs])
    folder.lines([replace(others, line=1)])  # the same file again, once they had been marked
    (key,) = {*places.of("customer#889")}
    assert len(versions(s3, key)) == 2
    assert objects.search(key) == Searched()
    (left,) = versions(s3, key)
    assert b"890" in left and b"889" not in left
