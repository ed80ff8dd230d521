"""Decides anew on customers whose segment or intent is due to change by time alone, and on nobody else."""

import os
from functools import partial
from typing import Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.aws.requests import UNCHECKED
from shared.bulk.refresh import Refreshed, due_page, refresh_shards
from shared.bulk.rescore import Rescorer
from shared.clock import Moment, read_clock
from shared.models.live_bundle import LiveBundle
from shared.profiles.due import due_shards
from shared.profiles.left_alone import report
from shared.profiles.table import ProfileTable
from shared.telemetry.errors import why
from shared.telemetry.logs import logger, metrics, watched

RESERVE_MS = 60_000
"""A page is begun only with as much time left, for the races and waits it may come to."""

bucket = os.environ["DATA_BUCKET"]
table_name = os.environ["TABLE_NAME"]
queue = os.environ["REFRESH_QUEUE_URL"]
s3, dynamodb, sqs = boto3.client("s3"), boto3.client("dynamodb", config=UNCHECKED), boto3.client("sqs")
table = ProfileTable(dynamodb, table_name)
live_bundle = LiveBundle(s3, bucket, time_zone=os.environ["TIME_ZONE"])


@watched()
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Takes a tick of the schedule, or a message of its queue that names one shard of the index, and says what it did.

    A tick does the first page of every shard and queues the shards that have more, unless some are still queued; a
    message's shard is worked on as long as the invocation has time, and what is left then waits for the next tick.
    """
    messages = event.get("Records", ())
    shards = [message["body"] for message in messages] or due_shards()
    bundle = live_bundle.watched(logger, metrics)
    moment = read_clock()
    if bundle is None:
        return {}
    rescorer = Rescorer(table, bundle, moment)
    total, waiting = refresh_shards(
        shards,
        lambda shard, after: due_page(dynamodb, table_name, shard, moment.as_of_ms, after),
        rescorer,
        partial(_has_time, context) if messages else lambda: False,
        _broke_off,
    )
    if waiting and not messages and not _is_queued():
        for shard in waiting:
            sqs.send_message(QueueUrl=queue, MessageBody=shard)
    report(rescorer.unreadable)
    return _counts(total, waiting, moment)


def _broke_off(shard: str, error: Exception) -> None:
    logger.error("A shard of due customers broke off", extra={"shard": shard, "reason": why(error)})
    metrics.add_metric("RefreshFailures", MetricUnit.Count, 1)


def _counts(total: Refreshed, waiting: list[str], moment: Moment) -> dict[str, int]:
    counts = {"DueRead": total.read, "DueDecided": total.decided, "SegmentsChanged": total.moved}
    for name, count in counts.items():
        metrics.add_metric(name, MetricUnit.Count, count)
    late = 0 if total.first_due_ms is None else (moment.as_of_ms - total.first_due_ms) // 1_000
    metrics.add_metric("DueSince", MetricUnit.Seconds, late)
    counts |= {"DueSince": late, "ShardsWaiting": len(waiting)}
    logger.info("Due customers decided on", extra=counts)
    return counts


def _is_queued() -> bool:
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return any(int(attributes[name]) for name in names)


def _has_time(context: LambdaContext) -> bool:
    return context.get_remaining_time_in_millis() > RESERVE_MS
