"""Answers what a page may offer to a customer, and notes that it asked: GET /customers/{customer_id}/offer."""

import os
import time
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import boto3
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.api.answers import Refused, resolver
from shared.api.offers import exposure, offer
from shared.audiences.live_audiences import CHECK_EVERY_SECONDS, LiveAudiences
from shared.aws.requests import UNCHECKED
from shared.clock import read_clock
from shared.identity.keys import LONGEST_ID, customer_key
from shared.profiles.table import ProfileTable
from shared.telemetry.logs import logger, metrics, watched

app = resolver(logger, "read", "The answer failed on our side; please try again.")
table = ProfileTable(boto3.client("dynamodb", config=UNCHECKED), os.environ["TABLE_NAME"])
live_audiences = LiveAudiences(boto3.client("s3"), os.environ["DATA_BUCKET"], CHECK_EVERY_SECONDS)
sqs = boto3.client("sqs")


@watched(correlation_paths.API_GATEWAY_REST)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answers one request of the API; whatever goes wrong, the answer is the contract's JSON."""
    metrics.add_metric("Offers", MetricUnit.Count, 1)
    return app.resolve(event, context)


@app.get("/customers/<customer_id>/offer")
def offer_of(customer_id: str) -> dict[str, Any]:
    """The bounds of an offer, and the arm; the exposure is queued before the page knows of it."""
    customer_id = unquote(customer_id)  # a REST API hands the path over as it was encoded
    profile = table.get(customer_key(customer_id)) if len(customer_id) <= LONGEST_ID else None
    if profile is None or profile.decision is None:
        raise Refused(HTTPStatus.NOT_FOUND, "customer_not_found", "Nothing has been decided of this customer.")
    now = read_clock().as_of_ms  # what is in the future of decisions would be refused
    answer, audience = offer(profile.decision, live_audiences.get(time.monotonic()), now)
    if audience:
        event = exposure(customer_id, profile.decision, audience, now).decode()
        sqs.send_message(QueueUrl=os.environ["LIVE_QUEUE_URL"], MessageBody=event)
    return {"customer_id": customer_id, **answer}
