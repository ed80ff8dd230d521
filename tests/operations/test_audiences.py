"""Audiences from the command line, over moto."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from operations import audiences
from operations.stack import DeployedStack
from tests.api.test_audience_preview import store
from tests.conftest import BUCKET, TABLE
from tests.support import warehouse_shop
from tests.support.warehouse_shop import LAST

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

FIRST = """
[[audience]]
key = "vip"
name = "Best"
where = "orders_365d >= 3 and tier = 'gold'"
holdout = 0.1
"""
SECOND = FIRST.replace(">= 3", ">= 5") + '\n[[audience]]\nkey = "new"\nwhere = "tenure < 30"\n'


class Caller:
    @staticmethod
    def get_caller_identity() -> dict[str, str]:
        return {"Arn": "arn:aws:iam::1:user/ada"}


@pytest.fixture(autouse=True)
def stack(s3: "S3Client", dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch) -> None:
    clients: dict[str, Any] = {"s3": s3, "dynamodb": dynamodb, "sts": Caller}
    monkeypatch.setattr(DeployedStack, "client", lambda self, service: clients[service])
    monkeypatch.setattr(DeployedStack, "s3", s3)
    monkeypatch.setattr(DeployedStack, "dynamodb", dynamodb)
    monkeypatch.setattr(DeployedStack, "parameters", {"TimeZone": "UTC"})
    monkeypatch.setattr(
        DeployedStack, "resource", lambda self, name: {"DataBucket": BUCKET, "ProfileTable": TABLE}[name]
    )


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "audiences.toml"
    path.write_text(text)
    return str(path)


def test_what_is_published_is_live_and_in_the_history(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audiences.main(["history"]) == 0
    assert audiences.main(["publish", written(tmp_path, FIRST), "--why", "spring"]) == 0
    assert audiences.main(["publish", written(tmp_path, FIRST)]) == 0
    assert audiences.main(["publish", written(tmp_path, SECOND), "--stack", "other"]) == 0
    said = capsys.readouterr().out
    assert "Nothing was ever published" in said
    assert "Version 1 is live; everyone is decided on with it from now on\n  vip is new" in said
    assert "Version 1 is live and says the same" in said
    assert "  new is new\n  vip was edited" in said
    assert audiences.main(["list"]) == 0
    assert "vip: 0 customers, version 2: orders_365d >= 5 and tier = 'gold'" in capsys.readouterr().out
    assert audiences.main(["history"]) == 0
    said = capsys.readouterr().out
    assert "arn:aws:iam::1:user/ada: spring" in said
    assert said.index("version 2") < said.index("version 1")
    assert audiences.main(["publish", written(tmp_path, said.partition("as a file:\n")[2])]) == 0
    assert "says the same" in capsys.readouterr().out


def test_an_audience_that_is_no_longer_in_the_file_goes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audiences.main(["publish", written(tmp_path, SECOND)])
    audiences.main(["publish", written(tmp_path, FIRST)])
    assert "  new is gone: all who are in it leave" in capsys.readouterr().out


def test_mistakes_are_all_said_at_once_and_nothing_is_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], s3: "S3Client"
) -> None:
    bad = FIRST.replace("orders_365d", "orders_365") + SECOND.replace("tenure <", "tenur <").replace('"vip"', '"other"')
    for command in ("check", "publish"):
        assert audiences.main([command, written(tmp_path, bad)]) == 2
        assert capsys.readouterr().err.count("probably meant") == 2
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
    for path in (tmp_path / "missing.toml", tmp_path):
        assert audiences.main(["check", str(path)]) == 2
    (tmp_path / "latin.toml").write_bytes(b"\xe4")
    assert audiences.main(["check", str(tmp_path / "latin.toml")]) == 2


def test_a_check_says_which_names_were_taken_for_attributes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audiences.main(["check", written(tmp_path, FIRST)]) == 0
    assert capsys.readouterr().out == "vip: fine; asks for the attributes tier\n"


def test_a_rule_or_an_audience_of_the_file_is_tried_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], dynamodb: "DynamoDBClient"
) -> None:
    store(dynamodb, 4)
    path = written(tmp_path, FIRST.replace("orders_365d >= 3", "views(3650) >= 2"))
    assert audiences.main(["preview", "tier = 'gold'", "--file", path]) == 0
    said = capsys.readouterr().out
    assert said.startswith("2 of 4 customers (50.0%)\n  tier is known of 50% of them all\n")
    assert audiences.main(["preview", "vip", "--file", path]) == 0
    assert "1 of 4 customers" in capsys.readouterr().out
    assert audiences.main(["preview", "tenur > 1", "--file", path]) == 2
    assert "probably meant: tenure" in capsys.readouterr().err


def test_everybody_of_the_last_export_is_counted_where_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], s3: "S3Client"
) -> None:
    assert audiences.main(["preview", "orders_lifetime > 0", "--exact"]) == 2
    assert "tessera export --wait" in capsys.readouterr().err
    warehouse_shop.put(s3, BUCKET, tmp_path)
    assert audiences.main(["preview", "orders(30) > 0 and churn_probability < 0.5", "--exact"]) == 0
    assert capsys.readouterr().out == f"1 of 3 customers (33.3%) in the export of {LAST}\n  for example a\n"
    assert audiences.main(["preview", "views(30) > 0", "--exact"]) == 2
    assert "nothing to count views(30) by" in capsys.readouterr().err


def test_an_earlier_version_is_live_again(tmp_path: Path, capsys: pytest.CaptureFixture[str], s3: "S3Client") -> None:
    assert audiences.main(["rollback"]) == 2
    audiences.main(["publish", written(tmp_path, FIRST)])
    audiences.main(["publish", written(tmp_path, SECOND)])
    assert audiences.main(["rollback", "--why", "a mistake"]) == 0
    assert "Version 3 is live, with vip" in capsys.readouterr().out
    s3.put_object(Bucket=BUCKET, Key="audiences/current.json", Body=b"{")
    assert audiences.main(["list"]) == 2
    assert capsys.readouterr().err == "error: audiences are refused: they are not JSON\n"
    assert audiences.main(["rollback"]) == 0
