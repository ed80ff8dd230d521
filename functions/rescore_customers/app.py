"""Decides with the live model on everyone in one partition of the table, as far as the time of an invocation goes."""

import os
import time
from functools import partial
from typing import Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.aws.requests import UNCHECKED
from shared.bulk.partitions import PartitionProgress, published, rescore_partition, resumed, scan_page
from shared.bulk.rescore import Rescorer
from shared.bulk.run_parts import RunParts
from shared.clock import read_clock
from shared.events.event import parse_timestamp
from shared.models.live_bundle import LiveBundle
from shared.profiles.left_alone import report
from shared.profiles.table import ProfileTable
from shared.profiles.unwritten import Unwritten
from shared.telemetry.logs import logger, metrics, watched

RESERVE_MS = 60_000
"""A page is begun only with as much time left, for the races and waits it may come to."""

bucket = os.environ["DATA_BUCKET"]
table_name = os.environ["TABLE_NAME"]
s3, dynamodb = boto3.client("s3"), boto3.client("dynamodb", config=UNCHECKED)
table = ProfileTable(dynamodb, table_name)
# Asked before every page, so that a run ends soon after another model went live.
live_bundle = LiveBundle(s3, bucket, check_every=0, time_zone=os.environ["TIME_ZONE"])


@watched()
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, bool]:
    """Takes `run`, `since` (ISO 8601) and a partition, goes on where that is, and says if it is done.

    The partition is `segment` of `segments`, as DynamoDB calls them. Decisions that the live model made as of `since`
    or later stand. Raises NoBundle, and what tables and buckets raise; the same may always be given again.
    """
    partition = int(event["segment"])
    partitions = int(event["segments"])
    parts = RunParts(s3, bucket, "rescore", event["run"], PartitionProgress)
    begun = PartitionProgress.begin(partition, partitions, parse_timestamp(event["since"]), read_clock())
    before = resumed(parts.read(partition), begun)
    unreadable = dict[str, Unwritten]()
    progress = rescore_partition(
        before,
        partial(scan_page, dynamodb, table_name, partition, partitions),
        lambda: Rescorer(table, published(live_bundle, time.monotonic()), read_clock(), unreadable=unreadable),
        partial(parts.write, partition),
        lambda: context.get_remaining_time_in_millis() > RESERVE_MS,
    )
    report(unreadable)
    counts = {
        "ProfilesRead": progress.read - before.read,
        "ProfilesRescored": progress.decided - before.decided,
        "SegmentsChanged": progress.moved - before.moved,
    }
    for name, value in counts.items():
        metrics.add_metric(name, MetricUnit.Count, value)
    state = {"run": event["run"], "segment": partition, "done": progress.done, "superseded": progress.superseded}
    logger.info("Customers re-scored", extra={**state, "model_version": progress.model_version, **counts})
    return {"done": progress.done}
