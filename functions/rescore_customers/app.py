"""Decides with the live model on everyone in one segment of the table, as far as the time of an invocation goes."""

import os
import time
from functools import partial
from typing import Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.bulk.rescore import NoBundle, SegmentProgress, rescore_segment, scan_page
from shared.bulk.run_parts import RunParts
from shared.clock import read_clock
from shared.events.event import parse_timestamp
from shared.models.bundle import Bundle
from shared.models.live_bundle import LiveBundle
from shared.profiles.left_alone import report
from shared.profiles.table import ProfileTable
from shared.profiles.unwritten import Unwritten
from shared.telemetry.logs import logger, metrics, watched

RESERVE_MS = 60_000
"""A page is begun only with as much time left, for the races and waits it may come to."""

bucket, table_name = os.environ["DATA_BUCKET"], os.environ["TABLE_NAME"]
s3, dynamodb = boto3.client("s3"), boto3.client("dynamodb")
table = ProfileTable(dynamodb, table_name)
# Asked before every page, so that a run ends soon after another model went live.
live_bundle = LiveBundle(s3, bucket, check_every=0)


@watched()
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, bool]:
    """Takes `run`, `since` (ISO 8601), `segment` and `segments`, goes on where the segment is, and says if it is done.

    Decisions that the live model made as of `since` or later stand. Raises NoBundle, and what tables and buckets raise;
    the same may always be given again.
    """
    segment, segments = int(event["segment"]), int(event["segments"])
    parts = RunParts(s3, bucket, "rescore", event["run"], SegmentProgress)
    progress = parts.read(segment)
    if progress is None or progress.segments != segments:
        progress = _begin(segment, segments, parse_timestamp(event["since"]))
    before, unreadable = progress, dict[str, Unwritten]()
    progress = rescore_segment(
        progress,
        partial(scan_page, dynamodb, table_name, segment, segments),
        table,
        _live,
        read_clock,
        partial(parts.write, segment),
        lambda: context.get_remaining_time_in_millis() > RESERVE_MS,
        unreadable=unreadable,
    )
    report(unreadable)
    counts = {
        "ProfilesRead": progress.read - before.read,
        "ProfilesRescored": progress.decided - before.decided,
        "SegmentsChanged": progress.moved - before.moved,
    }
    for name, value in counts.items():
        metrics.add_metric(name, MetricUnit.Count, value)
    told = {"run": event["run"], "segment": segment, "done": progress.done, "superseded": progress.superseded}
    logger.info("Customers re-scored", extra={**told, "model_version": progress.model_version, **counts})
    return {"done": progress.done}


def _begin(segment: int, segments: int, since_ms: int) -> SegmentProgress:
    moment = read_clock()
    # Where past data is replayed, the instant that stands for now lies before the run's.
    since_ms = min(since_ms, moment.as_of_ms)
    return SegmentProgress(segment, segments, since_ms, moment.scored_at_ms, moment.scored_at_ms)


def _live() -> Bundle:
    bundle = live_bundle.get(time.monotonic())
    # A bundle that still works is not the one that was published, and deciding with it again is of no use.
    if bundle is None or live_bundle.problem:
        raise NoBundle(live_bundle.problem or "no bundle is published")
    return bundle
