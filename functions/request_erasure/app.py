"""Takes the request to erase a customer: DELETE /customers/{customer_id}."""

import os
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import boto3
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.api.answers import Refused, resolver
from shared.clock import read_clock
from shared.erasure.receipts import asking, receipt_key
from shared.identity.keys import LONGEST_ID, customer_key
from shared.telemetry.logs import logger, metrics, watched

app = resolver(logger, "erase", "The erasure was not accepted, for a failure on our side; please ask for it again.")
ask = asking(boto3.client("sqs"), os.environ["ERASURE_QUEUE_URL"])


@watched(correlation_paths.API_GATEWAY_REST)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answers one request of the API; whatever goes wrong, the answer is the contract's JSON."""
    metrics.add_metric("ErasuresRequested", MetricUnit.Count, 1)
    return app.resolve(event, context)


@app.delete("/customers/<customer_id>")
def erase(customer_id: str) -> tuple[dict[str, Any], int]:
    """Queues the erasure, of a customer nobody knows as well: lines and late events of theirs may be about."""
    customer_id = unquote(customer_id)  # a REST API hands the path over as it was encoded
    if not 1 <= len(customer_id) <= LONGEST_ID:
        raise Refused(HTTPStatus.BAD_REQUEST, "invalid_customer_id", f"customer_id has 1 to {LONGEST_ID} characters.")
    step = ask(customer_key(customer_id), read_clock())
    return {"receipt_id": step.receipt_id, "receipt": receipt_key(step.receipt_id)}, HTTPStatus.ACCEPTED
