from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from operations import mappings
from operations.stack import DeployedStack
from tests.conftest import BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAPPING = """
files = "events/a/*"
columns = {timestamp = "at", customer_id = "who"}
constants = {event_type = "purchase"}
"""


@pytest.fixture
def bucket(s3: "S3Client", monkeypatch: pytest.MonkeyPatch) -> "S3Client":
    monkeypatch.setattr(DeployedStack, "client", lambda self, service: s3)
    monkeypatch.setattr(DeployedStack, "resource", lambda self, name: BUCKET)
    return s3


def test_a_mapping_is_put_listed_and_taken_away(
    bucket: "S3Client", tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shop-a.toml").write_text(MAPPING)
    assert mappings.main(["--put", str(tmp_path / "shop-a.toml")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "shop-a reads events/a/* from now on; files that were read before are not read again"
    assert said[1].startswith("shop-a: events/a/*, 2 columns, since ")
    assert mappings.main(["--remove", "shop-a"]) == 0
    assert capsys.readouterr().out == ""


def test_what_is_wrong_is_said_and_nothing_changes(
    bucket: "S3Client", tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.toml").write_text('columns = {prise = "a"}')
    assert mappings.main(["--put", str(tmp_path / "bad.toml")]) == 2
    assert 'did you mean "price"?; nothing says event_type' in capsys.readouterr().out
    assert bucket.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


def test_a_name_is_no_path(bucket: "S3Client", tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.toml").write_text(MAPPING)
    assert mappings.main(["--put", str(tmp_path / "a.toml"), "--as", "../models/current"]) == 2
    assert bucket.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


def test_one_that_was_put_by_other_means_and_is_wrong_is_named(
    bucket: "S3Client", capsys: pytest.CaptureFixture[str]
) -> None:
    bucket.put_object(Bucket=BUCKET, Key="mappings/odd.toml", Body=b"columns = {}")
    assert mappings.main([]) == 0
    assert capsys.readouterr().out.startswith("odd: not used, nothing says event_type")


def test_a_mapping_that_comes_with_the_product_is_put_for_the_files_that_are_named(
    bucket: "S3Client", tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mappings.main(["--put", "shopify", "--files", "events/shopify/*"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "shopify reads events/shopify/* from now on; files that were read before are not read again"
    assert said[1].startswith("shopify: events/shopify/*, ")
    assert mappings.main(["--put", "shopfy"]) == 2
    assert "no mapping of that name; there are adobe_analytics" in capsys.readouterr().out
