"""Folds live events into customer profiles and decides their segments, whatever brought them: SQS, Kinesis, Kafka."""

import os
from collections.abc import Sequence
from typing import Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.archive import Archive
from shared.clock import keep_days, now_ms, read_clock
from shared.erasure_steps import asking
from shared.errors import why
from shared.events import Rejection, Rules, people_of
from shared.ingest import Intake
from shared.kept_marks import KeptMarks
from shared.live_bundle import LiveBundle
from shared.live_events import Message, folder_of, messages, take_in
from shared.logs import logger, metrics, watched
from shared.marks import Admission, Marks, secret
from shared.places import Places
from shared.profile_table import ProfileNotWritten, ProfileTable
from shared.quarantine import Quarantine
from shared.update import ProfileTooLarge

bucket = os.environ["DATA_BUCKET"]
s3, sqs, dynamodb = boto3.client("s3"), boto3.client("sqs"), boto3.client("dynamodb")
table = ProfileTable(dynamodb, os.environ["TABLE_NAME"])
kept, epoch = KeptMarks(s3, bucket), int(os.environ["TABLE_EPOCH"] or 0)
marks = Marks(dynamodb, os.environ["TABLE_NAME"], secret(os.environ["MARK_SECRET"]), kept, epoch)
admission = Admission(marks, asking(sqs, os.environ["ERASURE_QUEUE_URL"]))
places = Places(dynamodb, os.environ["TABLE_NAME"], secret(os.environ["MARK_SECRET"]), now_ms, keep_days)
quarantine, archive = Quarantine(s3, bucket, places), Archive(s3, bucket, places, marks)
live_bundle = LiveBundle(s3, bucket)


@watched()
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Takes a batch of messages in, so that a profile that several of them share is written once.

    What breaks a rule is quarantined, and so are messages that the table will never take; anything else that fails
    raises, and the batch comes again.
    """
    moment, bundle = read_clock(), live_bundle.watched(logger, metrics)
    batch = messages(event)
    try:
        _take_in(batch, Intake(table, bundle, moment, admission=admission))
    except (ProfileTooLarge, ProfileNotWritten):
        for message in batch:
            _take_in_alone(message, Intake(table, bundle, moment, admission=admission))
    return {"batchItemFailures": []}


def _take_in_alone(message: Message, intake: Intake) -> None:
    try:
        _take_in([message], intake)
    except (ProfileTooLarge, ProfileNotWritten) as error:
        lines = [Rejection(number, str(error), line, people_of(line)) for number, line in enumerate(message.lines, 1)]
        folder_of(message, quarantine).lines(lines, kind="unwritten")
        _count(EventsQuarantined=len(lines))
        logger.error("The table did not take a message", extra={"message_id": message.id, "reason": why(error)})


def _take_in(batch: Sequence[Message], intake: Intake) -> None:
    rules = Rules(currency=os.environ["CURRENCY"] or None, now_ms=intake.moment.as_of_ms)
    found = [take_in(message, quarantine, rules, intake) for message in batch]
    # Before anything is folded: of what is in the archive, a table that was lost can be made anew.
    archived = archive.keep(found)
    intake.flush()
    quarantined = sum(taken.quarantined for taken in found)
    counts = intake.counts | {"EventsQuarantined": quarantined, "EventsArchived": archived}
    _count(**counts)
    logger.info("Live events folded", extra={"messages": len(batch), **counts})


def _count(**values: int) -> None:
    for name, value in values.items():
        metrics.add_metric(name, MetricUnit.Count, value)
