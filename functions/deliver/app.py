"""Sends customers to the destinations that are to know of them: one batch of one destination's queue."""

import os
import time
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import boto3
import msgspec
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.audiences.audience import Audiences
from shared.audiences.live_audiences import LiveAudiences
from shared.aws.requests import UNCHECKED
from shared.clock import now_ms, read_clock
from shared.destinations import jobs
from shared.destinations.calling import Calls
from shared.destinations.contract import BadAccount
from shared.destinations.deliveries import Deliveries
from shared.destinations.delivering import Delivering
from shared.destinations.erasing import erase, told_again
from shared.destinations.known_destinations import Destination, KnownDestinations
from shared.destinations.latest import Customers
from shared.destinations.loading import BATCH_OF_MANY, Loading
from shared.destinations.messages import ABOUT, ERASED, JOB, Message, NoMessage, read
from shared.destinations.open_jobs import OpenJobs
from shared.destinations.pacing import Pace
from shared.destinations.sending import ANSWER_SECONDS, CONNECT_SECONDS, Sender
from shared.destinations.waiting import Queues, delays
from shared.erasure.receipts import Step
from shared.features.time_zone import TimeZone
from shared.intake.live_events import packed
from shared.models.manifests import Manifests
from shared.profiles.table import ProfileTable
from shared.recommending.live_recommender import LiveRecommender
from shared.recommending.recommender import Recommender
from shared.telemetry.errors import why
from shared.telemetry.logs import logger, metrics, watched

SECONDS_AFTER_A_CALL = 15
"""For what is written once a vendor has answered."""
MILLISECONDS_A_CALL = (CONNECT_SECONDS + ANSWER_SECONDS + SECONDS_AFTER_A_CALL) * 1_000
MILLISECONDS_OF_A_JOB = 120_000
"""From the last message that is gathered for it to its end."""

bucket, table_name = os.environ["DATA_BUCKET"], os.environ["TABLE_NAME"]
s3, sqs, dynamodb = boto3.client("s3"), boto3.client("sqs"), boto3.client("dynamodb", config=UNCHECKED)


def secret(name: str) -> str:
    """The secret of a destination. Raises BadAccount."""
    try:
        return str(parameters.get_secret(os.environ["DESTINATION_SECRETS"] + name, max_age=60))
    except parameters.exceptions.GetParameterError as error:
        raise BadAccount(f"its secret {os.environ['DESTINATION_SECRETS']}{name} cannot be read") from error


def expose(events: Sequence[bytes]) -> None:
    """Queues exposures for the intake of live events."""
    for body in packed(events):
        sqs.send_message(QueueUrl=os.environ["LIVE_QUEUE_URL"], MessageBody=body)


def audiences() -> Audiences:
    """The live ones. Raises BadAccount where they cannot be read: who is to be sent is not known then, and waits."""
    live = live_audiences.get(time.monotonic())
    if live_audiences.problem:
        raise BadAccount(live_audiences.problem)
    return live


def recommender() -> Recommender | None:
    """The live one, where there is one."""
    return live_recommender.watched(logger, metrics)


known = KnownDestinations(s3, bucket, secret, is_local="AWS_ENDPOINT_URL" in os.environ)
deliveries = Deliveries(dynamodb, table_name, int(os.environ["DELIVERY_RETENTION_DAYS"]))
live_recommender = LiveRecommender(s3, bucket)
customers = Customers(
    ProfileTable(dynamodb, table_name), Manifests(s3, bucket), recommender, lambda: read_clock().as_of_ms
)
# Asked for with each batch: who enters an audience that was published a moment ago is not to be passed over.
live_audiences = LiveAudiences(s3, bucket, check_every=0.0)
loading = Loading(deliveries, OpenJobs(dynamodb, table_name), now_ms)
delivering = Delivering(customers, deliveries, expose, audiences, TimeZone.of(os.environ["TIME_ZONE"]), now_ms, loading)
pace = Pace(dynamodb, table_name, now_ms)
queues = Queues(sqs)
send = Sender()


@watched()
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Takes a batch of messages. Those that are to come again fail alone and wait, longer each time.

    A vendor that is down, or that refuses us, holds up nothing but its own queue.
    """
    arn = event["Records"][0]["eventSourceARN"]
    messages, failed = _read(event["Records"])
    more = _gathered(messages, arn, context)
    again = set[str]()
    for name, some in groupby(sorted([*messages, *more], key=_destination), key=_destination):
        again |= _take(name, [*some], arn, context)
    queues.delete(arn, (message.handle for message in more if message.id not in again))
    failed += [message.id for message in messages if message.id in again]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _destination(message: Message) -> str:
    return message.destination


def _gathered(messages: Sequence[Message], arn: str, context: LambdaContext) -> list[Message]:
    """More messages of the same queue, where so many wait that the vendor takes them by a job."""
    names = {message.destination for message in messages}
    if len(messages) < BATCH_OF_MANY or len(names) > 1:
        return []
    try:
        load = known.get(names.pop(), time.monotonic()).vendor.load
    except BadAccount:
        return []
    if load is None or len(messages) + queues.waiting(arn) < load.fewest:
        return []
    is_time_left = lambda: context.get_remaining_time_in_millis() > MILLISECONDS_OF_A_JOB  # noqa: E731
    records = [*queues.take(arn, load.most - len(messages), is_time_left)]
    return _read(records)[0]


def _read(records: Sequence[dict[str, Any]]) -> tuple[list[Message], list[str]]:
    messages: list[Message] = []
    failed: list[str] = []
    for record in records:
        try:
            messages.append(read(record))
        except NoMessage as error:
            failed.append(record["messageId"])
            logger.error("A queue brings what no rule sends", extra={"message_id": failed[-1], "reason": why(error)})
    return messages, failed


def _take(name: str, messages: Sequence[Message], arn: str, context: LambdaContext) -> set[str]:
    """The ids of the messages that are to come again."""
    wait_ms = 0
    try:
        destination = known.get(name, time.monotonic())
        calls = Calls(
            destination, pace, send, now_ms, lambda: context.get_remaining_time_in_millis() > MILLISECONDS_A_CALL
        )
        done = delivering.deliver(destination, [message for message in messages if message.kind in ABOUT], calls)
    except BadAccount as error:
        _count(DestinationsRefused=1)
        logger.error("A destination cannot be used", extra={"reason": why(error)})
        again = {message.id for message in messages}
    else:
        queues.ask(arn, jobs.questions(name, done), jobs.ASK_AFTER_SECONDS)
        asked = [message for message in messages if message.kind == JOB]
        rows = {message.id: jobs.ask(destination, message, calls, deliveries, now_ms()) for message in asked}
        again = done.again | {message_id for message_id, settled in rows.items() if settled is None}
        asked = [message for message in messages if message.kind == ERASED]
        again |= {message.id for message in asked if not _erased(destination, message, calls)}
        # Whoever came back meanwhile is sent again; of anybody else nothing is known.
        queues.ask(arn, (told_again(message, now_ms()) for message in asked if message.id not in again), 0)
        states = Counter(row.state for row in [*done.rows, *(row for some in rows.values() for row in some or ())])
        _count(**{f"Deliveries{state.title().replace('_', '')}": number for state, number in states.items()})
        wait_ms = calls.wait_ms
    queues.hide(arn, delays((message for message in messages if message.id in again), wait_ms))
    return again


def _erased(destination: Destination, message: Message, calls: Calls) -> bool:
    """Whether an erasure's receipt can be told what became of a customer there; it is, then."""
    result = erase(destination, message, calls, loading, now_ms())
    if result is not None:
        step = msgspec.json.decode(message.detail["step"], type=Step)
        answer = msgspec.structs.replace(step, name="told", destination=destination.name, result=result)
        sqs.send_message(QueueUrl=os.environ["ERASURE_QUEUE_URL"], MessageBody=answer.message)
    return result is not None


def _count(**values: int) -> None:
    for name, value in values.items():
        metrics.add_metric(name, MetricUnit.Count, value)
