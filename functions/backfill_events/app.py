"""Takes in one batch of a history's files, as far as the time of an invocation goes."""

import os
import time
from typing import Any

import boto3
import msgspec
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.aws.requests import UNCHECKED
from shared.bulk.backfill import Batch, BatchProgress, FilesFailed, take_batch
from shared.bulk.run_parts import RunParts
from shared.clock import keep_days, now_ms, read_clock
from shared.erasure.receipts import asking
from shared.events import Rules
from shared.intake.deadlines import OutOfTime
from shared.intake.dropped_file import DroppedFiles, FileReport
from shared.intake.gathering import Intake
from shared.intake.mappings import Mappings
from shared.intake.object_parts import Part
from shared.intake.quarantine import Quarantine
from shared.models.bundle import Bundle
from shared.models.live_bundle import LiveBundle
from shared.profiles.kept_marks import KeptMarks
from shared.profiles.left_alone import report
from shared.profiles.marks import Admission, Marks, secret
from shared.profiles.places import Places
from shared.profiles.table import ProfileTable
from shared.profiles.unwritten import Unwritten
from shared.telemetry.logs import logger, metrics, watched

RESERVE_MS = 300_000
"""A file is begun only with as much time left: to read it, and to write what has gathered."""

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


@watched()
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, bool]:
    """Takes the `run` and a `batch` of its plan, goes on where the batch is, and says if it is done.

    Raises FilesFailed once all other files of the batch are in, and what tables and buckets raise; the same may always
    be given again.
    """
    batch = msgspec.convert(event["batch"], Batch)
    parts = RunParts(s3, bucket, "backfill", event["run"], BatchProgress)
    begun_ms = read_clock().scored_at_ms
    progress = parts.read(batch.number) or BatchProgress(batch.keys, begun_ms, begun_ms)
    counted = progress.counted
    capped = progress.capped
    not_taken: dict[str, Unwritten] = {}
    rules = Rules(currency=os.environ["CURRENCY"] or None, now_ms=read_clock().as_of_ms)
    files = DroppedFiles(quarantine, rules, int(os.environ["PART_BYTES"]))

    def bundle() -> Bundle | None:
        return live_bundle.watched(logger, metrics) if batch.decides else None

    def intake() -> Intake:
        return Intake(
            table,
            bundle(),
            read_clock(),
            admission=admission,
            waits=batch.decides,
            not_taken=not_taken,
            seconds_left=lambda: context.get_remaining_time_in_millis() / 1_000,
        )

    def take_in(part: Part, intake: Intake) -> FileReport:
        return files.take_in(part, intake, translator=mappings.translator(part.key, time.monotonic()))

    def keep(progress: BatchProgress) -> None:
        progress.updated_ms = read_clock().scored_at_ms
        parts.write(batch.number, progress)

    try:
        take_batch(
            progress,
            take_in,
            intake,
            keep,
            time.monotonic,
            lambda: context.get_remaining_time_in_millis() > RESERVE_MS,
        )
    except OutOfTime:
        return {"done": False}  # What was written stays, and the next invocation goes on.
    report(not_taken)
    metrics.add_metric("EventsCounted", MetricUnit.Count, progress.counted - counted)
    metrics.add_metric("QuarantineCapped", MetricUnit.Count, progress.capped - capped)
    metrics.add_metric("MappingsRefused", MetricUnit.Count, mappings.refused)
    metrics.add_metric("FilesFailed", MetricUnit.Count, len(progress.failed))
    state = {"run": event["run"], "batch": batch.number, "files": progress.files, "waiting": len(progress.todo)}
    logger.info("Files taken in", extra={**state, "failed": len(progress.failed)})
    if progress.failed and not progress.todo:
        raise FilesFailed(f"{len(progress.failed)} of {len(batch.keys)} files of batch {batch.number} failed")
    return {"done": progress.done}
