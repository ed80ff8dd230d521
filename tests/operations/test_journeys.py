"""Journeys from the command line, over moto."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from operations import audiences, journeys
from operations.stack import DeployedStack
from shared.journeys.journey import Journeys
from tests.conftest import BUCKET, TABLE
from tests.functions.test_advance_journey import SENDS, WAITS
from tests.journeys.people import ENTRY, Trip, stored
from tests.operations.test_audiences import Caller, written
from tests.support.event_files import purchase

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

AUDIENCE = '[[audience]]\nkey = "cart"\nwhere = "carts(1) > 0"\n'
FIRST = """
[[journey]]
key = "reminder"
audience = "cart"
steps = [{wait = "30 minutes", after = "carts"}, {send = "crm", campaign = "first"}]
"""
SECOND = "cap = {sends = 1, days = 1}\n" + FIRST.replace("30", "45") + FIRST.replace("reminder", "other")


@pytest.fixture(autouse=True)
def stack(s3: "S3Client", dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DeployedStack, "client", lambda self, service: Caller)
    monkeypatch.setattr(DeployedStack, "s3", s3)
    monkeypatch.setattr(DeployedStack, "dynamodb", dynamodb)
    monkeypatch.setattr(DeployedStack, "parameters", {"TimeZone": "UTC", "Destinations": "crm,mail"})
    names: dict[str, Any] = {"DataBucket": BUCKET, "ProfileTable": TABLE}
    monkeypatch.setattr(DeployedStack, "resource", lambda self, name: names[name])


def test_what_is_published_is_live_and_in_the_history(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audiences.main(["publish", written(tmp_path, AUDIENCE)])
    assert journeys.main(["list"]) == 0
    assert journeys.main(["history"]) == 0
    said = capsys.readouterr().out
    assert "There is none yet" in said
    assert "Nothing was ever published" in said
    assert journeys.main(["publish", written(tmp_path, FIRST), "--why", "spring"]) == 0
    assert journeys.main(["publish", written(tmp_path, FIRST)]) == 0
    assert journeys.main(["publish", written(tmp_path, SECOND)]) == 0
    said = capsys.readouterr().out
    assert "Version 1 is live; who enters an audience from now on goes by it\n  reminder is new" in said
    assert "Version 1 is live and says the same" in said
    assert "  other is new\n  reminder was edited" in said
    assert "the cap are others" in said
    assert journeys.main(["list"]) == 0
    said = capsys.readouterr().out
    assert "reminder: who enters cart, version 2\n  1. wait until 45 minutes after the last of carts" in said
    assert journeys.main(["history"]) == 0
    said = capsys.readouterr().out
    assert "arn:aws:iam::1:user/ada: spring" in said
    assert journeys.main(["publish", written(tmp_path, said.partition("as a file:\n")[2])]) == 0
    assert "says the same" in capsys.readouterr().out
    journeys.main(["publish", written(tmp_path, FIRST)])
    assert "  other is gone: who is on it stops" in capsys.readouterr().out


def test_where_says_how_many_stand_at_each_step(
    s3: "S3Client", dynamodb: "DynamoDBClient", capsys: pytest.CaptureFixture[str]
) -> None:
    trip = Trip(s3, dynamodb)
    trip.publish(Journeys(1, (WAITS, SENDS)))
    trip.store(stored([purchase("889")]))
    trip.travelling.hear(ENTRY)
    for one in trip.all:
        trip.travelling.advance(one.pk, one.sk)
    assert journeys.main(["where"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "waits: 1 customers; ended: none",
        "  1. wait 3 days: 1",
        "sends: 0 customers; ended: 1 came to the end",
    ]


def test_a_journey_of_what_the_stack_does_not_have_is_not_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert journeys.main(["publish", written(tmp_path, FIRST.replace('"crm"', '"fax"'))]) == 2
    said = capsys.readouterr().err
    assert "error: reminder: there is no audience cart: publish it first" in said
    assert "error: reminder: the stack has no destination fax" in said
    assert journeys.main(["check", written(tmp_path, FIRST)]) == 0
    assert "reminder: fine" in capsys.readouterr().out


def test_mistakes_are_all_said_and_nothing_is_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], s3: "S3Client"
) -> None:
    bad = SECOND.replace("45 minutes", "a while").replace("first", "")
    for command in ("check", "publish"):
        assert journeys.main([command, written(tmp_path, bad)]) == 2
        assert capsys.readouterr().err.count("error:") == 3
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
    assert journeys.main(["check", str(tmp_path / "missing.toml")]) == 2
    (tmp_path / "latin.toml").write_bytes(b"\xe4")
    assert journeys.main(["check", str(tmp_path / "latin.toml")]) == 2
