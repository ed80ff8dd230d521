"""Folds the event files that S3 announces into customer profiles and decides their segments."""

import os
import time
from typing import Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.clock import keep_days, now_ms, read_clock
from shared.erasure.receipts import asking
from shared.events import Rules
from shared.identity.keys import anonymous
from shared.intake.dropped_file import announced, take_in
from shared.intake.gathering import Intake
from shared.intake.mappings import Mappings
from shared.intake.quarantine import Quarantine
from shared.models.live_bundle import LiveBundle
from shared.profiles.kept_marks import KeptMarks
from shared.profiles.left_alone import report
from shared.profiles.marks import Admission, Marks, secret
from shared.profiles.places import Places
from shared.profiles.table import ProfileTable
from shared.telemetry.logs import logger, metrics, watched

bucket = os.environ["DATA_BUCKET"]
s3, sqs, dynamodb = boto3.client("s3"), boto3.client("sqs"), boto3.client("dynamodb")
table = ProfileTable(dynamodb, os.environ["TABLE_NAME"])
epoch = int(os.environ["TABLE_EPOCH"] or 0)
marks = Marks(dynamodb, os.environ["TABLE_NAME"], secret(os.environ["MARK_SECRET"]), KeptMarks(s3, bucket), epoch)
admission = Admission(marks, asking(sqs, os.environ["ERASURE_QUEUE_URL"]))
places = Places(dynamodb, os.environ["TABLE_NAME"], secret(os.environ["MARK_SECRET"]), now_ms, keep_days)
quarantine = Quarantine(s3, bucket, places, int(os.environ["QUARANTINE_MEGABYTES_A_FILE"]) << 20)
live_bundle = LiveBundle(s3, bucket, time_zone=os.environ["TIME_ZONE"])
mappings = Mappings(s3, bucket)
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False, logger=logger)  # type: ignore[arg-type]


@watched()
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Takes a batch of SQS messages, each an "Object Created" event of EventBridge.

    A file that cannot be fetched fails its own message, and so does one with events of a profile that may take them
    later. A failing write raises, so that every message comes again: what the files of a batch have in common is
    written once, and only after they were read.
    """
    moment = read_clock()
    intake = Intake(table, live_bundle.watched(logger, metrics), moment, admission=admission)
    rules = Rules(currency=os.environ["CURRENCY"] or None, now_ms=moment.as_of_ms)
    with processor(event["Records"], lambda record: _read_announced_file(record, rules, intake)):
        processor.process()
    _write(intake)
    answer = processor.response()
    for message_id in intake.again:
        answer["batchItemFailures"].append({"itemIdentifier": message_id})
    return answer


def _read_announced_file(record: SQSRecord, rules: Rules, intake: Intake) -> None:
    file = announced(record.body)
    if file.key.endswith("/"):
        return  # the S3 console marks a new folder with an empty object
    translator = mappings.translator(file.key, time.monotonic())
    file_report = take_in(file, quarantine, rules, intake, record.message_id, translator)
    _count(
        EventsQuarantined=file_report.quarantined,
        FilesUnreadable=int(file_report.unreadable is not None),
        FilesMissing=int(file_report.missing),
        QuarantineCapped=file_report.capped,
        MappingsRefused=mappings.refused,
    )
    logger.info(
        "File read",
        extra={
            "file": anonymous(file.key),
            "accepted": file_report.accepted,
            "quarantined": file_report.quarantined,
            "unreadable": file_report.unreadable is not None,
            "missing": file_report.missing,
        },
    )


def _write(intake: Intake) -> None:
    intake.flush()
    _count(**intake.counts)
    if intake.unwritten:
        _count(EventsQuarantined=intake.unwritten)
    report(intake.not_taken)
    logger.info("Events folded", extra=intake.counts)


def _count(**values: int) -> None:
    for name, value in values.items():
        metrics.add_metric(name, MetricUnit.Count, value)
