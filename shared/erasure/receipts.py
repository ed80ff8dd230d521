"""The steps of an erasure as messages of its queue, and the receipt that it leaves."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from botocore.exceptions import ClientError

from shared.aws.fresh_object import CHANGED, is_absent
from shared.aws.message_text import message_text
from shared.decisions.decision import iso
from shared.erasure.profiles import Removed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

    from shared.clock import Moment

RECEIPTS = "reports/erasures/"
LONGEST_DELAY_MS = 900_000
"""Of a message of SQS."""


class Step(msgspec.Struct, frozen=True):
    """What is to be done next of one erasure. Times are UTC milliseconds."""

    receipt_id: str
    key: str
    """Profile key of who is erased."""
    at_ms: int
    """From when on no event counts."""
    requested_ms: int
    """The clock's time of the request."""
    name: Literal["find", "erase", "search", "told"] = "find"
    """`told` is no step, but the answer of a destination, whenever it comes."""
    people: list[str] = []
    """Profile keys of all that goes: the customer's own, and those of their visitors."""
    after: str = ""
    """The last object that was searched."""
    marked_ms: int = 0
    """The clock's time by which the mark stood; 0 before."""
    foreseen: Removed = Removed()
    """What was there of them when it was looked for."""
    searched_ms: int = 0
    """The clock's time when the first search began; 0 before."""
    again: bool = False
    """The second time, when everybody who may not have seen the mark has ended."""
    destination: str = ""
    """Who was told to erase them too, of a step that brings the answer."""
    result: str = ""
    """That answer."""

    @property
    def message(self) -> str:
        """As the queue takes it."""
        return message_text(msgspec.json.encode(self).decode())


def asking(sqs: SQSClient, queue: str) -> Callable[[str, Moment], Step]:
    """What asks for the erasure of a profile as of a moment, and gives the first step of it."""

    def ask(key: str, moment: Moment) -> Step:
        step = Step(str(uuid.uuid4()), key, moment.as_of_ms, moment.scored_at_ms)
        sqs.send_message(QueueUrl=queue, MessageBody=step.message)
        return step

    return ask


def queueing(sqs: SQSClient, queue: str) -> Callable[[Step, int], None]:
    """What queues a step that is to wait so many milliseconds: rounded up to a second, and as long as SQS can."""

    def wait(step: Step, wait_ms: int) -> None:
        delay_ms = min(max(wait_ms, 0), LONGEST_DELAY_MS)
        delay_s = min(delay_ms // 1_000 + 1, LONGEST_DELAY_MS // 1_000) if delay_ms else 0
        sqs.send_message(QueueUrl=queue, MessageBody=step.message, DelaySeconds=delay_s)

    return wait


class Progress(msgspec.Struct):
    """What a step that breaks off leaves for its repetition, so that nothing is counted twice or not at all."""

    again: bool = False
    """Of the second time."""
    erasing: bool = False
    """Profiles are being erased, rather than objects searched."""
    searched: str = ""
    """The last object that was searched to its end."""
    changing: str | None = None
    """The object that lines are being taken out of."""
    lines: int = 0
    """How many these are."""
    links: int = 0
    """Mentions of the customer that are found by these lines."""


class Receipt(msgspec.Struct):
    """What was removed, and nothing of whom."""

    receipt_id: str
    requested_at: str
    state: Literal["under way", "done"] = "under way"
    updated_at: str = ""
    customers: int = 0
    """1 for a customer who was known, more only where others brought them back meanwhile."""
    visitors: int = 0
    """Profiles of visitors who were the customer."""
    links: int = 0
    """Mentions of the customer on devices that are not theirs alone."""
    lines: int = 0
    """Lines taken out of `quarantine/`, and rows out of `exports/`."""
    objects_not_searched: int = 0
    """Objects below both that may still hold something of theirs."""
    not_searched: dict[str, str] = {}
    """Which these are, and why; of very many the first."""
    destinations: dict[str, str] = {}
    """Where the customer had been sent to, and what became of them there."""
    removed: list[Removed] = []
    """Of the first time and of the second; their sums stand above."""
    progress: Progress | None = None


HEARD_AT_MOST = 20
"""Times that destinations may be heard of while one receipt is written."""


class ReceiptChanged(Exception):
    """Another function works at the same erasure; doing the step again goes on from there."""


class Receipts:
    """Receipts under `reports/erasures/`, each read and written as one, so that of two writers one starts anew."""

    def __init__(self, s3: S3Client, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._etags: dict[str, str | None] = {}
        self._stored: dict[str, bytes] = {}
        """As each was when it was read or written here last."""

    def read(self, step: Step) -> Receipt:
        """The receipt as it is, or a new one. Raises ClientError."""
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=receipt_key(step.receipt_id))
        except ClientError as error:
            if is_absent(self._s3, self._bucket, receipt_key(step.receipt_id), error):
                self._etags[step.receipt_id] = None
                return Receipt(step.receipt_id, iso(step.requested_ms))
            raise
        self._etags[step.receipt_id] = answer["ETag"]
        self._stored[step.receipt_id] = answer["Body"].read()
        return msgspec.json.decode(self._stored[step.receipt_id], type=Receipt)

    def write(self, receipt: Receipt, now_ms: int) -> None:
        """Keeps a receipt that was read here, with what destinations were heard of since then.

        Raises ReceiptChanged where anything else was written since, and ClientError.
        """
        receipt.updated_at = iso(now_ms)
        for name in ("customers", "visitors", "links"):
            setattr(receipt, name, sum(getattr(removed, name) for removed in receipt.removed))
        for _ in range(HEARD_AT_MOST):
            if self._put(receipt):
                return
            self._hears(receipt)
        raise ReceiptChanged

    def _put(self, receipt: Receipt) -> bool:
        """Whether the receipt is kept, rather than changed since it was read."""
        etag = self._etags[receipt.receipt_id]
        as_read: Any = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        body = msgspec.json.format(msgspec.json.encode(receipt), indent=2)
        try:
            answer = self._s3.put_object(
                Bucket=self._bucket,
                Key=receipt_key(receipt.receipt_id),
                Body=body,
                ContentType="application/json",
                **as_read,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in CHANGED:
                return False
            raise
        self._etags[receipt.receipt_id] = answer["ETag"]
        self._stored[receipt.receipt_id] = body
        return True

    def _hears(self, receipt: Receipt) -> None:
        """Takes over what destinations were heard of meanwhile. Raises ReceiptChanged where that is not all."""
        before = self._stored.get(receipt.receipt_id)
        answer = self._s3.get_object(Bucket=self._bucket, Key=receipt_key(receipt.receipt_id))
        body = answer["Body"].read()
        if before is None or _but_destinations(body) != _but_destinations(before):
            raise ReceiptChanged
        known = msgspec.json.decode(before, type=Receipt).destinations
        heard = msgspec.json.decode(body, type=Receipt).destinations
        receipt.destinations |= {name: result for name, result in heard.items() if known.get(name) != result}
        self._etags[receipt.receipt_id] = answer["ETag"]
        self._stored[receipt.receipt_id] = body


def _but_destinations(body: bytes) -> Receipt:
    return msgspec.structs.replace(msgspec.json.decode(body, type=Receipt), destinations={}, updated_at="")


def receipt_key(receipt_id: str) -> str:
    """Where a receipt stands in the data bucket."""
    return f"{RECEIPTS}{receipt_id}.json"
