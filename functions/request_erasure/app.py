"""Takes the request to erase a customer: DELETE /customers/{customer_id}."""

import os
import time
import uuid
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import boto3
import msgspec
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.erasure_steps import Step, receipt_key
from shared.events.event import LONGEST_ID, parse_timestamp
from shared.failures import Refused, failure, refusal
from shared.keys import customer_key

logger, tracer, metrics = Logger(), Tracer(), Metrics()
origin = os.environ.get("ALLOWED_ORIGIN")
app = APIGatewayRestResolver(cors=CORSConfig(allow_origin=origin) if origin else None)
queue, sqs = os.environ["ERASURE_QUEUE_URL"], boto3.client("sqs")


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
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
    now_ms = time.time_ns() // 1_000_000
    frozen = os.environ.get("FROZEN_TIME")
    at_ms = parse_timestamp(frozen) if frozen else now_ms
    step = Step(str(uuid.uuid4()), customer_key(customer_id), at_ms, now_ms)
    sqs.send_message(QueueUrl=queue, MessageBody=msgspec.json.encode(step).decode())
    return {"receipt_id": step.receipt_id, "receipt": receipt_key(step.receipt_id)}, HTTPStatus.ACCEPTED


@app.exception_handler(Refused)  # type: ignore[untyped-decorator]
def _refused(error: Refused) -> Response[str]:
    return refusal(error)


@app.not_found
def _no_such_route(_error: NotFoundError) -> Response[str]:
    return failure(HTTPStatus.NOT_FOUND, "route_not_found", "There is nothing at this address.")


@app.exception_handler(Exception)  # type: ignore[untyped-decorator]
def _broken(_error: Exception) -> Response[str]:
    logger.exception("An erasure was not accepted")
    message = "The erasure was not accepted, for a failure on our side; please ask for it again."
    return failure(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", message)
