"""Batches of a stream that Lambda gave up: it keeps them in the bucket, records and all, and a notice of each waits in
the dead-letter queue. Moved back, the notice brings the batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ClientError

from shared.aws.fresh_object import is_absent
from shared.intake.live_events import Message, messages
from shared.telemetry.errors import AnonymousError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX = "aws/lambda/"
"""Where Lambda puts what it gives up: docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html."""
BATCHES = ("KinesisBatchInfo", "KafkaBatchInfo", "DDBStreamBatchInfo")


class RecordsMissing(AnonymousError):
    """A notice of a batch whose records are not to be had; the message says why."""


def received(event: Mapping[str, Any], read: Callable[[str], bytes]) -> tuple[list[Message], dict[str, RecordsMissing]]:
    """The messages of an invocation, and those of the batches that its notices tell of.

    Also the notices that could not be followed, by their ids in SQS: they go back to where they were. `read` gives an
    object's bytes, and raises RecordsMissing. Raises NoBatch and what `read` raises.
    """
    batch: list[Message] = []
    missing: dict[str, RecordsMissing] = {}
    records = event.get("Records")
    if not isinstance(records, list):
        return messages(event), missing
    for record in records:
        notice = _notice(record)
        if notice is None:
            batch += messages({"Records": [record]})
            continue
        try:
            batch += messages(_batch(notice, read))
        except RecordsMissing as error:
            missing[record["messageId"]] = error
    return batch, missing


def reader(s3: S3Client, bucket: str) -> Callable[[str], bytes]:
    """What reads batches from the bucket."""

    def read(key: str) -> bytes:
        try:
            return s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            if is_absent(s3, bucket, key, error):
                raise RecordsMissing("the batch that was given up is not in the bucket any more") from error
            raise

    return read


def _notice(record: Any) -> dict[str, Any] | None:
    """What a message of SQS says, if it is of S3 or of Lambda: nobody else's looks like that on this queue."""
    body = record.get("body") if isinstance(record, dict) else None
    # A shop's event stands below `detail` on the bus and below `events` from the API.
    if not isinstance(body, str) or not (PREFIX in body or "BatchInfo" in body):
        return None
    with suppress(ValueError, RecursionError):
        notice = msgspec.json.decode(body)
        if isinstance(notice, dict) and (notice.get("source") == "aws.s3" or not notice.keys().isdisjoint(BATCHES)):
            return notice
    return None


def _batch(notice: Mapping[str, Any], read: Callable[[str], bytes]) -> Mapping[str, Any]:
    """The invocation that was given up. Raises RecordsMissing."""
    try:
        if notice.get("source") == "aws.s3":
            notice = msgspec.json.decode(read(notice["detail"]["object"]["key"]))
        payload = notice["payload"]
        given = msgspec.json.decode(payload) if isinstance(payload, str) else payload
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise RecordsMissing("the notice tells of a batch that was given up, and does not hold its records") from error
    if not isinstance(given, dict):
        raise RecordsMissing("the batch that was given up is no batch of Kinesis or Kafka")
    return given
