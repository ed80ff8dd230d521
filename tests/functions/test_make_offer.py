"""Offers over moto: bounds in the answer, the exposure in the queue before it."""

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from shared.audiences.audience import Audiences, Offer, Publication, encode_publication
from shared.audiences.live_audiences import CURRENT_KEY
from shared.decisions.decision import Membership
from shared.profiles.table import ProfileTable
from tests.audiences.test_audience import audience
from tests.conftest import BUCKET, TABLE
from tests.functions.conftest import Context, function
from tests.support.document import check_answer
from tests.support.stored_profiles import decision, profile

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

ROUTE = "/customers/{customer_id}/offer"


@pytest.fixture
def queue(aws: None) -> str:
    return str(boto3.client("sqs").create_queue(QueueName="live")["QueueUrl"])


@pytest.fixture
def app(s3: "S3Client", dynamodb: "DynamoDBClient", queue: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    some = Audiences(1, (audience("deal", offer=Offer(0.15)),))
    s3.put_object(Bucket=BUCKET, Key=CURRENT_KEY, Body=encode_publication(Publication(some, "", "", "")))
    inside = decision(audiences={"deal": Membership(5, "treatment")})
    for key, decided in (("in", inside), ("out", decision()), ("new", None)):
        ProfileTable(dynamodb, TABLE).save([profile(f"customer#{key}", version=1, decision=decided)])
    return function("make_offer", monkeypatch)


def ask(app: Any, customer: str) -> tuple[int, Any]:
    request = {
        "path": ROUTE.replace("{customer_id}", customer),
        "httpMethod": "GET",
        "headers": {},
        "queryStringParameters": None,
        "requestContext": {"requestId": "r", "stage": "v1"},
    }
    answer = app.handler(request, Context())
    status, body = answer["statusCode"], json.loads(answer["body"])
    check_answer("GET", ROUTE, status, body)
    return status, body


def queued(queue: str) -> list[Any]:
    messages = boto3.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in messages]


def test_the_page_is_told_the_bounds_and_the_exposure_is_queued(app: Any, queue: str) -> None:
    status, offer = ask(app, "in")

    assert (status, offer["arm"], offer["bounds"]["greatest_discount"]) == (200, "treatment", 0.15)
    (event,) = queued(queue)
    assert (event["event_type"], event["campaign"], event["arm"]) == ("campaign_exposure", "deal", "treatment")
    assert event["customer_id"] == "in"


def test_who_is_offered_nothing_is_not_exposed(app: Any, queue: str) -> None:
    assert ask(app, "out")[1]["bounds"] is None
    assert ask(app, "new")[0] == 404
    assert ask(app, "nobody")[0] == 404
    assert queued(queue) == []
