"""Takes live events from the API: POST /events."""

import os
import time
from http import HTTPStatus
from typing import Any

import boto3
import msgspec
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.api.answers import Refused, resolver
from shared.aws.requests import UNCHECKED
from shared.clock import keep_days, now_ms, read_clock
from shared.events import Rules
from shared.intake.accepting import rejections
from shared.intake.live_events import Message, folder_of, packed
from shared.intake.mappings import Mappings
from shared.intake.quarantine import Quarantine
from shared.profiles.kept_marks import KeptMarks
from shared.profiles.marks import Marks, keepable, secret
from shared.profiles.places import Places
from shared.telemetry.logs import logger, metrics, watched

EVENTS_A_CALL = 500

app = resolver(logger, "write", "The events were not accepted, for a failure on our side; please send them again.")
bucket = os.environ["DATA_BUCKET"]
queue = os.environ["LIVE_QUEUE_URL"]
s3, sqs, dynamodb = boto3.client("s3"), boto3.client("sqs"), boto3.client("dynamodb", config=UNCHECKED)
epoch = int(os.environ["TABLE_EPOCH"] or 0)
marks = Marks(dynamodb, os.environ["TABLE_NAME"], secret(os.environ["MARK_SECRET"]), KeptMarks(s3, bucket), epoch)
places = Places(dynamodb, os.environ["TABLE_NAME"], secret(os.environ["MARK_SECRET"]), now_ms, keep_days)
quarantine = Quarantine(s3, bucket, places)
mappings = Mappings(s3, bucket)


class Delivery(msgspec.Struct, frozen=True):
    """The body of a request."""

    events: list[msgspec.Raw]
    mapping: str = ""
    """The name of the one in the bucket by which they are read; without, they have the contract's columns."""


@watched(correlation_paths.API_GATEWAY_REST)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answers one request of the API; whatever goes wrong, the answer is the contract's JSON."""
    metrics.add_metric("Deliveries", MetricUnit.Count, 1)
    return app.resolve(event, context)


@app.post("/events")
def accept() -> tuple[dict[str, Any], int]:
    """Queues the events that keep the rules and keeps the others in quarantine, each with its reason.

    Those of people who were erased are kept nowhere.
    """
    delivery = _delivery()
    lines = [bytes(event) for event in delivery.events]
    if len(lines) > EVENTS_A_CALL:
        raise Refused(
            HTTPStatus.BAD_REQUEST, "too_many_events", f"At most {EVENTS_A_CALL} events a call, not {len(lines)}."
        )
    message = Message(app.current_event.request_context.request_id, "api", lines, mapping=delivery.mapping)
    message = message.read_by(lambda name: mappings.named(name, time.monotonic()))
    if message.problem:
        raise Refused(HTTPStatus.NOT_FOUND, "mapping_not_found", f"Nothing was taken: {message.problem}.")
    rules = Rules(os.environ["CURRENCY"] or None, read_clock().as_of_ms)
    refused = rejections(message, rules, takes_consent=os.environ["CONSENT_BY_API"] != "refuse")
    if kept := keepable(refused, marks):
        folder_of(message, quarantine).lines(kept)
    refused_lines = {rejection.line for rejection in refused}
    accepted = [line for number, line in enumerate(lines, 1) if number not in refused_lines]
    for body in packed(accepted, message.mapping):
        sqs.send_message(QueueUrl=queue, MessageBody=body)
    metrics.add_metric("EventsAccepted", MetricUnit.Count, len(accepted))
    metrics.add_metric("EventsQuarantined", MetricUnit.Count, len(kept))
    reasons = [{"index": rejection.line - 1, "reason": rejection.reason} for rejection in refused]
    return {"accepted": len(accepted), "rejected": len(reasons), "reasons": reasons}, HTTPStatus.ACCEPTED


def _delivery() -> Delivery:
    try:
        return msgspec.json.decode(app.current_event.decoded_body or "", type=Delivery)
    except (ValueError, RecursionError) as error:
        # Of the parser, which says where and quotes nothing; not of what failed before it.
        detail = error if isinstance(error, msgspec.MsgspecError) else "it is no JSON in UTF-8"
        message = f'The body must be {{"events": [ … ]}}: {detail}'
        raise Refused(HTTPStatus.BAD_REQUEST, "invalid_body", message) from error
