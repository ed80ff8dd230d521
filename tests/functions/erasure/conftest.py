"""A shop of two customers, one of whom is erased: whom to ask, and who does it."""

import importlib
import json
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING

import boto3
import pytest

from tests.conftest import BUCKET
from tests.functions.conftest import Context, Unhurried
from tests.functions.streams import TableStream
from tests.support.bundles import make_bundle, publish
from tests.support.document import check_answer
from tests.support.event_files import csv_file, ndjson, purchase

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

type Drop = Callable[..., list[str]]
type Erase = Callable[[str], str]

SIGN_IN = {**purchase("889", 20), "anonymous_id": "phone of 889", "attributes": {"likes": "those of 889"}}
APPROACHED = {
    **purchase("889", 21),
    "event_type": "campaign_exposure",
    "campaign": "win 889 back",
    "arm": "treatment",
}
VISIT = {**purchase("phone", 1), "customer_id": None, "anonymous_id": "phone of 889"}
BROKEN = [
    {**purchase("889", 30), "price": -1},
    {**purchase("889", 31), "customer_id": 889},
    {**VISIT, "currency": "EUR"},
    {**purchase("890", 32), "price": -1},
]
FILES = {
    "events/all.ndjson": ndjson(
        [*(purchase(c, n, day=1 + n) for c in ("889", "890") for n in range(12)), SIGN_IN, APPROACHED, VISIT, *BROKEN]
    ),
    "events/broken.csv": csv_file([{**purchase("889", 40), "price": "many"}, {**purchase("890", 41), "price": 889}]),
}


class Clock:
    def __init__(self, app: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = app.erasing.now_ms()
        monkeypatch.setattr(app, "erasing", replace(app.erasing, now_ms=lambda: self.now))


@pytest.fixture
def queue(s3: "S3Client", monkeypatch: pytest.MonkeyPatch) -> str:
    url = boto3.client("sqs").create_queue(QueueName="erasures")["QueueUrl"]
    monkeypatch.setenv("ERASURE_QUEUE_URL", url)
    return url


@pytest.fixture
def worker(queue: str, dynamodb: "DynamoDBClient") -> ModuleType:
    return importlib.reload(importlib.import_module("functions.erase_customer.app"))


@pytest.fixture
def ask(queue: str) -> Erase:
    app = importlib.reload(importlib.import_module("functions.request_erasure.app"))

    def delete(customer: str) -> str:
        request = {
            "resource": "/customers/{customer_id}",
            "path": f"/customers/{customer}",
            "httpMethod": "DELETE",
            "headers": {},
            "queryStringParameters": None,
            "multiValueQueryStringParameters": None,
            "requestContext": {"requestId": "r", "stage": "v1"},
            "body": None,
            "isBase64Encoded": False,
        }
        answer = app.handler(request, Context())
        body = json.loads(answer["body"])
        check_answer("DELETE", "/customers/{customer_id}", answer["statusCode"], body)
        assert answer["statusCode"] == 202
        return str(body["receipt"])

    return delete


@pytest.fixture
def work(
    worker: ModuleType,
    queue: str,
    publisher: ModuleType,
    stream: TableStream,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., None]:
    """Does all steps that are queued, each twice; the delays of messages pass at once."""
    clock, sqs = Clock(worker, monkeypatch), boto3.client("sqs")
    waiting: list[str] = []
    monkeypatch.setattr(worker.sqs, "send_message", lambda **message: waiting.append(message["MessageBody"]))

    def until_done(*, before_the_last: Callable[[], object] = lambda: None) -> None:
        while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                waiting.append(message["Body"])
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        meanwhile = [before_the_last]
        while waiting:
            body = waiting.pop(0)
            if json.loads(body).get("again") and json.loads(body)["name"] == "erase":
                if meanwhile:
                    meanwhile.pop()()
                clock.now += 30_000
            worker.handler({"Records": [{"body": body}]}, Unhurried())
            publisher.handler({"Records": stream.records()}, Context())
        publisher.handler({"Records": stream.records()}, Context())

    return until_done


@pytest.fixture
def shop(s3: "S3Client", queue: str, drop: Drop, publisher: ModuleType, stream: TableStream) -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    publish(s3, make_bundle())
    drop(FILES)
    drop(FILES)
    s3.put_object(Bucket=BUCKET, Key="exports/members.csv", Body=b"customer_id,segment\n889,2\n890,2\n")
    publisher.handler({"Records": stream.records()}, Context())
