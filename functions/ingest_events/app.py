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

from shared.aws.requests import UNCHECKED
from shared.clock import keep_days, now_ms, read_clock
from shared.erasure.receipts import asking
from shared.events import Rules
from shared.identity.keys import anonymous
from shared.intake.deadlines import OutOfTime
from shared.intake.dropped_file import DroppedFiles, announced, as_message
from shared.intake.gathering import Intake
from shared.intake.mappings import Mappings
from shared.intake.object_parts import Part
from shared.intake.quarantine import Quarantine
from shared.models.live_bundle import LiveBundle
from shared.profiles.kept_marks import KeptMarks
from shared.profiles.left_alone import report
from shared.profiles.marks import Admission, Marks, secret
from shared.profiles.places import Places
from shared.profiles.table import ProfileTable
from shared.telemetry.logs import logger, metrics, watched

bucket = os.environ["DATA_BUCKET"]
s3, sqs, dynamodb = boto3.client("s3"), boto3.client("sqs"), boto3.client("dynamodb", config=UNCHECKED)
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
    """Takes a batch of SQS messages, each an "Object Created" event of EventBridge or a part of a large file.

    A file that cannot be fetched fails its own message, and so does one with events of a profile that may take them
    later. A failing write raises, so that every message comes again: what the files of a batch have in common is
    written once, and only after they were read. What there is no time for goes back into the queue.
    """
    moment = read_clock()

    def seconds_left() -> float:
        return context.get_remaining_time_in_millis() / 1_000

    bundle = live_bundle.watched(logger, metrics)
    intake = Intake(table, bundle, moment, admission=admission, seconds_left=seconds_left)
    rules = Rules(currency=os.environ["CURRENCY"] or None, now_ms=moment.as_of_ms)
    files = DroppedFiles(quarantine, rules, int(os.environ["PART_BYTES"]), cuts=True)
    left: dict[str, tuple[Part, ...]] = {}

    def read(record: SQSRecord) -> None:
        left[record.message_id] = _read_announced_file(record, files, intake)

    with processor(event["Records"], read):
        processor.process()
    try:
        _write(intake)
    except OutOfTime:
        _count(**intake.counts)
        # At once, rather than when messages that failed are visible again; what was written is not written twice.
        _queue([record["body"] for record in event["Records"]])
        return {"batchItemFailures": []}
    answer = processor.response()
    for message_id in intake.again:
        answer["batchItemFailures"].append({"itemIdentifier": message_id})
    failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
    parts = [as_message(part) for message_id, rest in left.items() if message_id not in failed for part in rest]
    _queue(parts)
    _count(PartsQueued=len(parts))
    return answer


def _queue(messages: list[str]) -> None:
    # Not before all of what these follow is written: a message that comes again would bring them again each time.
    for message in dict.fromkeys(messages):
        sqs.send_message(QueueUrl=os.environ["INGEST_QUEUE_URL"], MessageBody=message)


def _read_announced_file(record: SQSRecord, files: DroppedFiles, intake: Intake) -> tuple[Part, ...]:
    """What is left of it for other invocations."""
    part = announced(record.body)
    if part.key.endswith("/"):
        return ()  # the S3 console marks a new folder with an empty object
    if not intake.has_time() and intake.accepted:
        return (part,)
    translator = mappings.translator(part.key, time.monotonic())
    file_report = files.take_in(part, intake, record.message_id, translator)
    _count(
        EventsQuarantined=file_report.quarantined,
        FilesUnreadable=int(file_report.unreadable is not None),
        FilesMissing=int(file_report.missing),
        QuarantineCapped=file_report.capped,
        MappingsRefused=mappings.refused,
    )
    logger.info(
        "File read" if part.is_whole else "Part of a file read",
        extra={
            "file": anonymous(part.key),
            "line": part.begin.line,
            "accepted": file_report.accepted,
            "quarantined": file_report.quarantined,
            "unreadable": file_report.unreadable is not None,
            "missing": file_report.missing,
            "parts": len(file_report.rest),
        },
    )
    return file_report.rest


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
