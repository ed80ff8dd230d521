"""What people are told of a stack, over moto."""

import json
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from shared.recommending.layout import Publication
from shared.recommending.publishing import publish as publish_recommender
from tests.conftest import BUCKET
from tests.functions.conftest import Context, function
from tests.support.bundles import make_bundle, publish
from tests.support.document import check_answer
from tests.support.event_files import ndjson, purchase
from tests.support.recommenders import small_recommender

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

type Ask = Callable[[str], Any]


@pytest.fixture
def ask(s3: "S3Client", monkeypatch: pytest.MonkeyPatch) -> Ask:
    sqs = boto3.client("sqs")
    queues = {"files": [sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("ingest", "ingest-dead")]}
    monkeypatch.setenv("QUEUES", json.dumps({**queues, "runs": queues["files"][1:]}))
    app: ModuleType = function("watch_stack", monkeypatch)

    def get(path: str) -> Any:
        request = {
            "resource": path, "path": path, "httpMethod": "GET", "headers": {}, "body": None,
            "requestContext": {"requestId": "r"},
        }  # fmt: skip
        answer = app.handler(request, Context())
        body = json.loads(answer["body"])
        check_answer("GET", path, answer["statusCode"], body)
        assert answer["statusCode"] == 200
        return body

    return get


def test_health_counts_what_waits_and_what_was_given_up(ask: Ask) -> None:
    sqs = boto3.client("sqs")
    for name, messages in (("ingest", 2), ("ingest-dead", 1)):
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        for _ in range(messages):
            sqs.send_message(QueueUrl=url, MessageBody="{}")
    assert ask("/health")["queues"] == [
        {"name": "files", "waiting": 2, "given_up": 1},
        {"name": "runs", "waiting": 0, "given_up": 1},
    ]


def test_health_names_the_stacks_alarms_that_are_on(ask: Ask) -> None:
    cloudwatch = boto3.client("cloudwatch")
    for name in ("tessera-IngestGivenUpAlarm-1A2B3C", "tessera-WaitingAlarm-1A2B3C", "other-Alarm-1"):
        cloudwatch.put_metric_alarm(
            AlarmName=name, AlarmDescription="Files were given up.", EvaluationPeriods=1, Period=60, Threshold=0,
            ComparisonOperator="GreaterThanThreshold", MetricName="m", Namespace="n", Statistic="Sum",
        )  # fmt: skip
    for name in ("tessera-IngestGivenUpAlarm-1A2B3C", "other-Alarm-1"):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")
    assert ask("/health")["alarms"] == [{"name": "IngestGivenUpAlarm", "description": "Files were given up."}]


def test_models_say_how_good_the_live_one_is_and_which_one_can_go_back_to(ask: Ask, s3: "S3Client") -> None:
    assert ask("/models")["live"] is None
    publish(s3, make_bundle())
    body = json.loads(s3.get_object(Bucket=BUCKET, Key="models/current.json")["Body"].read())
    live = str(body["bundle_id"])
    s3.put_object(Bucket=BUCKET, Key=f"models/{live}/report.html", Body=b"")
    history = [{"bundle_id": "20170801-gone", "published_at": "2017-08-01T00:00:00Z"}, {"bundle_id": live}]
    s3.put_object(Bucket=BUCKET, Key="models/current.json", Body=json.dumps({**body, "history": history}).encode())

    models = ask("/models")
    assert models["live"]["bundle_id"] == live
    assert models["live"]["targets"].keys() == {"churn", "conversion", "ltv"}
    assert [(one["bundle_id"], one["is_latest"]) for one in models["published"]] == [
        (live, True),
        ("20170801-gone", False),
    ]
    assert not models["published"][1]["can_be_live"]
    assert models["features"]["orders_365d"]["unit"]


def test_models_say_which_recommender_is_live(ask: Ask, s3: "S3Client") -> None:
    assert ask("/models")["recommender"] is None
    publish_recommender(s3, BUCKET, small_recommender().to_bytes(), b"{}", Publication(0, "", ""))
    assert ask("/models")["recommender"]["recommender_id"] == small_recommender().recommender_id


def test_a_damaged_pointer_is_no_model(ask: Ask, s3: "S3Client") -> None:
    for body in (b"[", b'{"bundle_id": "a", "history": 7}'):
        s3.put_object(Bucket=BUCKET, Key="models/current.json", Body=body)
        assert ask("/models")["published"] == []


def test_reasons_come_without_values_and_lines_with_them(ask: Ask, drop: Callable[..., list[str]]) -> None:
    broken = [{**purchase("889", n), "price": f"<b>{n}</b>"} for n in range(3)]
    drop({"events/broken.ndjson": ndjson([*broken, {**purchase("7"), "quantity": 0}])})

    quarantine = ask("/quarantine")
    assert [(one["reason"], one["lines"]) for one in quarantine["reasons"]] == [
        ("price must be a number from 0 to 1,000,000,000", 3),
        ("quantity must be a number above 0 and at most 1,000,000", 1),
    ]
    assert quarantine["complete"]
    assert "<b>" not in json.dumps(quarantine)
    lines = ask("/quarantine/lines")["lines"]
    assert sorted(line["line"] for line in lines) == [1, 2, 3, 4]
    assert {line["source"] for line in lines} == {"events/broken.ndjson"}
    assert "<b>0</b>" in lines[0]["original"]
