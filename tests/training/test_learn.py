"""What is learned goes live only if it is better, and a run that was cut off goes on."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.conftest import BUCKET
from tests.training.conftest import Shop
from tests.training.data.test_stored import put_snapshot
from training import learn
from training.bundle.contest import Comparison
from training.learn import judge, main, report_key, tell
from training.registry.published import Registry

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


DAY = "2024-10-26"


def compared(target: str, ours: dict[str, float], live: dict[str, float], *failures: str) -> Comparison:
    return Comparison(target, "on the same rows", ours, live, list(failures))


def current(s3: "S3Client") -> dict[str, Any]:
    content: dict[str, Any] = json.loads(s3.get_object(Bucket=BUCKET, Key="models/current.json")["Body"].read())
    return content


def report(s3: "S3Client", day: str = DAY) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(s3.get_object(Bucket=BUCKET, Key=report_key(day))["Body"].read())
    return content


@pytest.fixture
def bus(s3: "S3Client") -> Iterator[Any]:
    """A bus, and what it was told."""
    events, sqs = boto3.client("events"), boto3.client("sqs")
    events.create_event_bus(Name="news")
    url = sqs.create_queue(QueueName="heard")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="all", EventBusName="news", EventPattern='{"source": ["tessera"]}')
    events.put_targets(Rule="all", EventBusName="news", Targets=[{"Id": "q", "Arn": arn}])

    def heard() -> list[dict[str, Any]]:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]

    yield heard


# ---- What is better --------------------------------------------------------------------------------------------------


def test_the_first_bundle_is_published() -> None:
    assert judge([], None, "new", 0.01).publish


def test_better_by_less_than_asked_for_is_kept() -> None:
    little = compared("churn", {"auc": 0.752}, {"auc": 0.75})
    assert not judge([little], "old", "new", 0.01).publish
    assert judge([little], "old", "new", 0.005).publish


def test_better_by_what_may_be_chance_is_kept() -> None:
    much = compared("churn", {"auc": 0.8}, {"auc": 0.75})
    assert judge([replace(much, error=0.05)], "old", "new", 0.01).publish
    verdict = judge([replace(much, error=0.07)], "old", "new", 0.01)
    assert not verdict.publish
    assert "+20.00% on the whole, of which 21.00% may be chance" in verdict.why


def test_better_on_the_whole_and_worse_than_allowed_somewhere_is_kept() -> None:
    much = compared("churn", {"auc": 0.9}, {"auc": 0.7})
    worse = compared("conversion", {"auc": 0.6}, {"auc": 0.8}, "conversion auc 0.6, live 0.8, allowed 0.785")
    verdict = judge([much, worse], "old", "new", 0.01)
    assert not verdict.publish
    assert "conversion auc 0.6" in verdict.why


def test_a_bundle_that_went_live_before_the_run_broke_off_stays_so() -> None:
    assert judge([], "same", "same", 0.01).publish


# ---- A night ---------------------------------------------------------------------------------------------------------


def test_nights(shop: Shop, s3: "S3Client", bus: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    put_snapshot(s3, DAY, shop.profiles)
    first = ["--bucket", BUCKET, "--bus", "news", "--config", str(shop.config)]
    assert main(first) == 0
    live = current(s3)["bundle_id"]
    assert (report(s3)["publish"], report(s3)["bundle_id"], report(s3)["customers"]) == (True, live, len(shop.profiles))
    (event,) = bus()
    assert (event["detail-type"], event["detail"]["bundle_id"]) == ("Model Learned", live)

    # The same snapshot again is not learned from twice; and where the report was lost, the bundle is live already.
    assert main(first) == 0
    assert "was learned from before" in capsys.readouterr().out
    assert bus() == []
    s3.delete_object(Bucket=BUCKET, Key=report_key(DAY))
    assert main(first) == 0
    assert report(s3)["why"] == "it is the live bundle already"
    assert len(current(s3)["history"]) == 1
    bus()

    # Another night's bundle, trained as the live one was, that is not better by what is asked for, is kept back.
    next_day = "2024-10-27"
    put_snapshot(s3, next_day, shop.profiles.part(0, len(shop.profiles) - 3))
    assert main(["--bucket", BUCKET, "--bus", "news", "--least-gain", "9"]) == 0
    kept = report(s3, next_day)
    assert (kept["publish"], kept["live_before"], current(s3)["bundle_id"]) == (False, live, live)
    assert kept["bundle_id"] != live
    assert set(kept["would_change"]) == set(learn.DECIDED)
    assert [one["detail-type"] for one in bus()] == ["Model Kept"]
    assert f"{live} stays live" in capsys.readouterr().out


def test_a_run_that_breaks_off_anywhere_is_whole_when_it_is_done_again(
    shop: Shop, s3: "S3Client", bus: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_snapshot(s3, DAY, shop.profiles)
    command = ["--bucket", BUCKET, "--bus", "news", "--config", str(shop.config)]

    def broken(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    for place, name in ((Registry, "upload"), (Registry, "switch"), (learn, "_announce")):
        with monkeypatch.context() as broken_off:
            broken_off.setattr(place, name, broken)
            with pytest.raises(KeyboardInterrupt):
                main(command)
    assert main(command) == 0
    assert report(s3)["publish"]
    assert len(current(s3)["history"]) == 1
    assert [one["detail-type"] for one in bus()] == ["Model Learned"]


def test_what_came_of_a_run_without_a_bus_is_told_by_the_next_that_has_one(
    shop: Shop, s3: "S3Client", bus: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    put_snapshot(s3, DAY, shop.profiles)
    assert main(["--bucket", BUCKET, "--config", str(shop.config)]) == 0
    assert (bus(), report(s3)["told"]) == ([], None)
    for _ in range(2):
        assert main(["--bucket", BUCKET, "--bus", "news"]) == 0
        assert "was learned from before" in capsys.readouterr().out
    assert [one["detail-type"] for one in bus()] == ["Model Learned"]
    assert report(s3)["told"] == "news"


def test_reports_of_before_it_was_noted_whom_they_were_told_are_not_told_again(s3: "S3Client", bus: Any) -> None:
    tell(Registry(s3, BUCKET), "news", {"snapshot": DAY, "publish": True})
    assert bus() == []


def test_a_bucket_without_a_snapshot_is_told_so(s3: "S3Client", capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--bucket", BUCKET]) == 2
    assert "tessera export" in capsys.readouterr().err
