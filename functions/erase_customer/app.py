"""Erases customers: their profiles and links, their moves, their lines in quarantine and in exports."""

import os
import time
from typing import Any

import boto3
import msgspec
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from msgspec.structs import replace

from shared.erasure import Eraser
from shared.erasure_steps import Receipts, Step
from shared.kept_marks import KeptMarks
from shared.keys import is_visitor
from shared.ledger import Ledger
from shared.logs import logger, metrics, watched
from shared.marks import Marks, secret
from shared.profile_table import ProfileTable
from shared.searched_objects import SearchedObjects

RESERVE_MS = 60_000
"""An object is begun only with as much time left."""
LONGEST_DELAY_SECONDS = 900
"""Of a message of SQS."""
STREAM_MS = 25 * 3_600_000
"""By then the table's stream has forgotten what it had to tell."""

bucket, table_name, queue = os.environ["DATA_BUCKET"], os.environ["TABLE_NAME"], os.environ["ERASURE_QUEUE_URL"]
settle_ms = int(os.environ["SETTLE_SECONDS"]) * 1_000
s3, sqs, dynamodb = boto3.client("s3"), boto3.client("sqs"), boto3.client("dynamodb")
table, ledger, receipts = ProfileTable(dynamodb, table_name), Ledger(dynamodb, table_name), Receipts(s3, bucket)
kept, epoch = KeptMarks(s3, bucket), int(os.environ["TABLE_EPOCH"] or 0)
marks = Marks(dynamodb, table_name, secret(os.environ["MARK_SECRET"]), kept, epoch)


@watched()
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Takes one step of an erasure and queues the next; a step that fails raises, and comes again."""
    for record in event["Records"]:
        step = msgspec.json.decode(record["body"], type=Step)
        logger.append_keys(receipt_id=step.receipt_id, step=step.name, again=step.again)
        match step.name:
            case "find":
                _find(step)
            case "erase":
                _erase(step)
            case "search":
                _search(step, context)


def _find(step: Step) -> None:
    """Marks first: whoever reads after it does not store the customer any more."""
    marks.refuse(step.key, step.at_ms)
    people = Eraser(table, marks).people(step.key)
    _queue(replace(step, name="erase", people=people, marked_ms=_now_ms()))


def _erase(step: Step) -> None:
    wait_ms = step.marked_ms + settle_ms - _now_ms() if step.again else 0
    if wait_ms > 0:
        return _queue(step, wait_ms)
    eraser = Eraser(table, marks)
    for key in step.people:
        eraser.erase(key, step.at_ms)
    if step.again and not _forget_moves(step):
        return _queue(step, LONGEST_DELAY_SECONDS * 1_000)
    receipts.write(receipts.read(step), eraser.removed, 0, _now_ms())
    logger.info("Profiles erased", extra={"customers": eraser.removed.customers, "visitors": eraser.removed.visitors})
    return _queue(replace(step, name="search"))


def _forget_moves(step: Step) -> bool:
    """Whether the ledger holds none of the moves before the erasure; those that the stream still has come first."""
    mark = marks.load([step.key])[step.key]
    if mark.told < mark.ended and not is_visitor(step.key) and _now_ms() < step.marked_ms + STREAM_MS:
        return False
    ledger.forget(step.key, mark.ended)
    return True


def _search(step: Step, context: LambdaContext) -> None:
    objects, eraser, receipt = SearchedObjects(s3, bucket, step.people), Eraser(table, marks), receipts.read(step)
    last, lines, whole = step.after, 0, True
    for key in objects.keys(step.after):
        found = objects.search(key)
        eraser.forget(found.visitors, step.key)
        lines, last = lines + found.lines, key
        receipt.objects_not_searched += int(found.unsearched and not step.again)
        if context.get_remaining_time_in_millis() < RESERVE_MS:
            whole = False
            break
    receipt.state = "done" if whole and step.again else "under way"
    receipts.write(receipt, eraser.removed, lines, _now_ms())
    if not whole:
        _queue(replace(step, after=last))
    elif not step.again:
        _queue(replace(step, name="erase", after="", again=True), step.marked_ms + settle_ms - _now_ms())
    else:
        metrics.add_metric("ErasuresDone", MetricUnit.Count, 1)
        logger.info("Erasure done")


def _queue(step: Step, wait_ms: int = 0) -> None:
    delay = min(max(wait_ms // 1_000 + 1, 0), LONGEST_DELAY_SECONDS) if wait_ms > 0 else 0
    sqs.send_message(QueueUrl=queue, MessageBody=step.message, DelaySeconds=delay)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
