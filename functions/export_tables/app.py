"""Writes one partition of the table as Parquet, as far as the time of an invocation goes."""

import os
import time
from functools import partial
from typing import Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.aws.requests import UNCHECKED
from shared.bulk.run_parts import RunParts
from shared.clock import now_ms, read_clock
from shared.exports.objects import ExportObjects
from shared.exports.partitions import Exporter, PartitionProgress
from shared.exports.plan import Plan, Plans
from shared.exports.reading import Counts, Reader, scan_page
from shared.features.time_zone import TimeZone
from shared.models.manifests import Manifests
from shared.profiles.kept_marks import KeptMarks
from shared.profiles.left_alone import report
from shared.profiles.marks import Marks, secret
from shared.profiles.table import ProfileTable
from shared.profiles.unwritten import Unwritten
from shared.recommending.live_recommender import LiveRecommender
from shared.telemetry.logs import logger, metrics, watched

RESERVE_MS = 180_000
"""Objects are written with as much time left, and a page is begun only with more."""

bucket = os.environ["DATA_BUCKET"]
table_name = os.environ["TABLE_NAME"]
s3, dynamodb = boto3.client("s3"), boto3.client("dynamodb", config=UNCHECKED)
zone = TimeZone.of(os.environ["TIME_ZONE"])
table = ProfileTable(dynamodb, table_name)
epoch = int(os.environ["TABLE_EPOCH"] or 0)
marks = Marks(dynamodb, table_name, secret(os.environ["MARK_SECRET"]), KeptMarks(s3, bucket), epoch)
manifests = Manifests(s3, bucket)
live_recommender = LiveRecommender(s3, bucket)
plans = Plans(s3, bucket, zone, settle_ms=int(os.environ["SETTLE_SECONDS"]) * 1_000)
objects = ExportObjects(s3, bucket)


@watched()
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, bool]:
    """Takes a `run` and a partition (`segment` of `segments`), goes on where that is, and says if it is done.

    Raises what tables and buckets raise; the same may always be given again.
    """
    partition = int(event["segment"])
    partitions = int(event["segments"])
    plan = plans.of(event["run"], read_clock())
    if plan is None:
        logger.warning("Another run of the date is at work", extra={"run": event["run"]})
        return {"done": True}
    parts = RunParts(s3, bucket, "exports", event["run"], PartitionProgress)
    before = parts.read(partition) or PartitionProgress.begin(partition, partitions, now_ms())
    unreadable = dict[str, Unwritten]()
    exporter = Exporter(
        plan=plan,
        scan=partial(scan_page, dynamodb, table_name, partition, partitions),
        reader=lambda counts: _reader(plan, counts, unreadable),
        objects=objects,
        is_superseded=lambda: not plans.hold(plan.run, plan.date, now_ms()),
        now_ms=now_ms,
        go_on=lambda: context.get_remaining_time_in_millis() > RESERVE_MS,
    )
    progress, counts = exporter.export(before, partial(parts.write, partition))
    report(unreadable)
    metrics.add_metric("ProfilesExported", MetricUnit.Count, counts.read - counts.erased - counts.unreadable)
    logger.info("Tables exported", extra={"run": event["run"], "segment": partition, "done": progress.done})
    return {"done": progress.done}


def _reader(plan: Plan, counts: Counts, unreadable: dict[str, Unwritten]) -> Reader:
    recommender = live_recommender.watched(logger, metrics)
    return Reader(table, marks, _segment_name, zone, plan, counts, unreadable, recommender)


def _segment_name(bundle_id: str, segment: int) -> str | None:
    return _names(bundle_id).get(segment)


def _names(bundle_id: str) -> dict[int, str]:
    manifest = manifests.get(bundle_id, time.monotonic())
    return {one["id"]: one["name"] for one in manifest.get("segments", ())}
