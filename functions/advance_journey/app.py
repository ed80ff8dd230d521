"""Lets customers travel: begins journeys of who enters an audience, and says what is next for who is on one."""

import os
import time
from typing import Any

import boto3
import msgspec
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.aws.message_text import message_text
from shared.aws.requests import UNCHECKED
from shared.clock import read_clock
from shared.destinations.messages import STEP
from shared.durations import DAY_SECONDS
from shared.events.event import parse_timestamp
from shared.features.time_zone import TimeZone
from shared.journeys.known_journeys import KnownJourneys
from shared.journeys.travellers import Traveller, Travellers
from shared.journeys.travelling import Moved, Step, Travelling
from shared.ledger.announcements import SOURCE
from shared.profiles.marks import secret
from shared.profiles.table import ProfileTable
from shared.telemetry.errors import AnonymousError, why
from shared.telemetry.logs import logger, metrics, watched

LONGEST_WAIT_SECONDS = DAY_SECONDS
"""The state machine looks once a day at who waits longer, so that who is to stop does not stand there for months."""

table_name = os.environ["TABLE_NAME"]
dynamodb, events, states = (
    boto3.client("dynamodb", config=UNCHECKED),
    boto3.client("events"),
    boto3.client("stepfunctions"),
)
known = KnownJourneys(boto3.client("s3"), os.environ["DATA_BUCKET"])


class NotTold(AnonymousError):
    """The bus refused a step; it is told again."""


def tell(step: Step) -> None:
    """Puts a step on the bus, which leads it to its destination. Raises NotTold."""
    entry: Any = {
        "EventBusName": os.environ["EVENT_BUS"],
        "Source": SOURCE,
        "DetailType": STEP,
        "Detail": message_text(msgspec.json.encode(step).decode()),
    }
    if events.put_events(Entries=[entry])["FailedEntryCount"]:
        raise NotTold("the bus refused a step of a journey")
    metrics.add_metric("JourneySteps", MetricUnit.Count, 1)


def start(name: str, traveller: Traveller) -> None:
    """Starts the execution of a name, unless there is or was one."""
    given = msgspec.json.encode({"pk": traveller.pk, "sk": traveller.sk}).decode()
    try:
        states.start_execution(stateMachineArn=os.environ["JOURNEYS_ARN"], name=name, input=given)
    except states.exceptions.ExecutionAlreadyExists:
        return


travelling = Travelling(
    Travellers(dynamodb, table_name, secret(os.environ["MARK_SECRET"])),
    known,
    ProfileTable(dynamodb, table_name),
    TimeZone.of(os.environ["TIME_ZONE"]),
    tell,
    start,
    lambda: read_clock().as_of_ms,
)


@watched()
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Takes messages that tell of moves between audiences, or one traveller of the state machine's.

    Of a traveller it says how many seconds to wait, or that they are at the end.
    """
    try:
        known.live(time.monotonic())
    finally:
        if known.problem:
            metrics.add_metric("JourneysRefused", MetricUnit.Count, 1)
            logger.error("The journeys cannot be used", extra={"reason": known.problem})
    if "Records" in event:
        return {"batchItemFailures": [{"itemIdentifier": one} for one in _failed(event["Records"])]}
    wait_ms = travelling.advance(event["pk"], event["sk"])
    if wait_ms is None:
        return {"state": "ended", "seconds": 0}
    return {"state": "waits", "seconds": min(-(-wait_ms // 1_000), LONGEST_WAIT_SECONDS)}


def _failed(records: list[dict[str, Any]]) -> list[str]:
    failed = []
    for record in records:
        try:
            begun = travelling.hear(_moved(msgspec.json.decode(record["body"])))
        except Exception as error:
            failed.append(record["messageId"])
            logger.error("A move was not heard", extra={"message_id": failed[-1], "reason": why(error)})
        else:
            metrics.add_metric("JourneysBegun", MetricUnit.Count, begun)
    return failed


def _moved(message: dict[str, Any]) -> Moved:
    detail = message["detail"]
    return Moved(
        message["detail-type"],
        detail["customer_id"],
        detail["audience"],
        detail["transition_id"],
        parse_timestamp(detail["at"]),
    )
