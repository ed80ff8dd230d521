"""Erases customers: their profiles and links, their moves and journeys, their lines in quarantine and in exports."""

import os
from typing import Any

import boto3
import msgspec
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.aws.requests import UNCHECKED
from shared.clock import keep_days, now_ms
from shared.destinations.deliveries import Deliveries
from shared.erasure.elsewhere import telling
from shared.erasure.receipts import Receipts, Step, queueing
from shared.erasure.steps import Erasing
from shared.journeys.travellers import Travellers
from shared.ledger.rows import Ledger
from shared.profiles.kept_marks import KeptMarks
from shared.profiles.marks import Marks, secret
from shared.profiles.places import Places
from shared.profiles.table import ProfileTable
from shared.telemetry.logs import logger, metrics, watched

RESERVE_MS = 60_000
"""Left when reading ends, to write what is left of an object."""

bucket = os.environ["DATA_BUCKET"]
table_name = os.environ["TABLE_NAME"]
s3, sqs, dynamodb = boto3.client("s3"), boto3.client("sqs"), boto3.client("dynamodb", config=UNCHECKED)
epoch = int(os.environ["TABLE_EPOCH"] or 0)
mark_secret = secret(os.environ["MARK_SECRET"])
erasing = Erasing(
    table=ProfileTable(dynamodb, table_name),
    marks=Marks(dynamodb, table_name, mark_secret, KeptMarks(s3, bucket), epoch),
    ledger=Ledger(dynamodb, table_name),
    places=Places(dynamodb, table_name, mark_secret, now_ms, keep_days),
    deliveries=Deliveries(dynamodb, table_name),
    travellers=Travellers(dynamodb, table_name, mark_secret),
    receipts=Receipts(s3, bucket),
    s3=s3,
    bucket=bucket,
    queue=queueing(sqs, os.environ["ERASURE_QUEUE_URL"]),
    tell=telling(boto3.client("events"), os.environ["EVENT_BUS"]),
    now_ms=now_ms,
    settle_ms=int(os.environ["SETTLE_SECONDS"]) * 1_000,
)


@watched()
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Takes one step of an erasure and queues the next; a step that fails raises, and comes again."""
    for record in event["Records"]:
        step = msgspec.json.decode(record["body"], type=Step)
        logger.append_keys(receipt_id=step.receipt_id, step=step.name, again=step.again)
        done = erasing.take(step, lambda: context.get_remaining_time_in_millis() > RESERVE_MS)
        metrics.add_metric("ErasuresDone", MetricUnit.Count, int(done))
        logger.info("Erasure done" if done else "Step of an erasure taken")
