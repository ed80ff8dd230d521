"""Folds live events into customer profiles and decides their segments, whatever brought them: SQS, Kinesis, Kafka."""

import os
import time
from collections.abc import Sequence
from typing import Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.aws.requests import UNCHECKED
from shared.clock import keep_days, now_ms, read_clock
from shared.erasure.receipts import asking
from shared.events import Rules
from shared.intake.archive import Archive
from shared.intake.gathering import Intake
from shared.intake.given_up import reader, received
from shared.intake.halving import take_in_or_refuse
from shared.intake.live_events import Message, can_fail_alone, folder_of, refusals, take_in
from shared.intake.mappings import Mappings
from shared.intake.quarantine import Quarantine
from shared.models.live_bundle import LiveBundle
from shared.profiles.kept_marks import KeptMarks
from shared.profiles.left_alone import report
from shared.profiles.marks import Admission, Marks, secret
from shared.profiles.places import Places
from shared.profiles.table import ProfileTable
from shared.profiles.unwritten import Unwritten, check
from shared.telemetry.errors import why
from shared.telemetry.logs import logger, metrics, watched

bucket = os.environ["DATA_BUCKET"]
s3, sqs, dynamodb = boto3.client("s3"), boto3.client("sqs"), boto3.client("dynamodb", config=UNCHECKED)
table = ProfileTable(dynamodb, os.environ["TABLE_NAME"])
epoch = int(os.environ["TABLE_EPOCH"] or 0)
marks = Marks(dynamodb, os.environ["TABLE_NAME"], secret(os.environ["MARK_SECRET"]), KeptMarks(s3, bucket), epoch)
admission = Admission(marks, asking(sqs, os.environ["ERASURE_QUEUE_URL"]))
places = Places(dynamodb, os.environ["TABLE_NAME"], secret(os.environ["MARK_SECRET"]), now_ms, keep_days)
quarantine = Quarantine(s3, bucket, places)
mappings = Mappings(s3, bucket)
archive = Archive(s3, bucket, places, marks)
live_bundle = LiveBundle(s3, bucket, time_zone=os.environ["TIME_ZONE"])
read = reader(s3, bucket)


@watched()
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Takes a batch of messages in, so that a profile that several of them share is written once.

    What breaks a rule is quarantined, and so is what can never be taken, whatever the reason: nothing that fails each
    time holds up what comes after it. Messages with events of a profile that may take them later fail alone. Other
    failures that may pass raise, and the batch comes again. A notice of a batch that was given up brings its records;
    one that does not fails alone.
    """
    moment = read_clock()
    bundle = live_bundle.watched(logger, metrics)
    batch, missing = received(event, read)
    batch = [message.read_by(lambda name: mappings.named(name, time.monotonic())) for message in batch]
    if mappings.refused:
        metrics.add_metric("MappingsRefused", MetricUnit.Count, mappings.refused)
    again: dict[str, str] = {}
    not_taken: dict[str, Unwritten] = {}

    def take_in(some: Sequence[Message]) -> None:
        _take_in(some, Intake(table, bundle, moment, admission=admission, again=again, not_taken=not_taken))

    if batch:
        take_in_or_refuse(batch, take_in, _refuse)
    report(not_taken)
    if again and not can_fail_alone(again, event):
        check({key: each for key, each in not_taken.items() if each.passes})
    for message_id, error in missing.items():
        logger.error("A notice brings no records", extra={"message_id": message_id, "reason": why(error)})
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in (*missing, *again)]}


def _refuse(message: Message, error: Exception) -> None:
    folder_of(message, quarantine).lines(refusals(message, f"it can never be taken in: {why(error)}"), kind="unwritten")
    _count(EventsQuarantined=len(message.lines))
    logger.error("A message can never be taken in", extra={"message_id": message.id, "reason": why(error)})


def _take_in(batch: Sequence[Message], intake: Intake) -> None:
    rules = Rules(currency=os.environ["CURRENCY"] or None, now_ms=intake.moment.as_of_ms)
    taken_in = [take_in(message, quarantine, rules, intake) for message in batch]
    # Before anything is folded: of what is in the archive, a table that was lost can be made anew.
    archived = archive.keep(taken_in)
    intake.flush()
    quarantined = intake.unwritten + sum(taken.quarantined for taken in taken_in)
    counts = intake.counts | {"EventsQuarantined": quarantined, "EventsArchived": archived}
    _count(**counts)
    logger.info("Live events folded", extra={"messages": len(batch), **counts})


def _count(**values: int) -> None:
    for name, value in values.items():
        metrics.add_metric(name, MetricUnit.Count, value)
