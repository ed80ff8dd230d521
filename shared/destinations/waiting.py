"""Messages that come again, later each time."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from itertools import batched
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.destinations.messages import Message

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

FIRST_SECONDS = 30
LONGEST_SECONDS = 3_600
"""Between two times of a message, but where a vendor asks for more."""
MOST_SECONDS = 39_600
"""SQS hides a message for twelve hours since it was taken, at most."""
ENTRIES_A_CALL = 10
EMPTY_AT_MOST = 3
"""Answers without a message one after the other, which a queue that holds many may give now and then."""


def delay_seconds(receives: int, wait_ms: int = 0) -> int:
    """How long a message waits that has been taken so often, of a vendor who asks for `wait_ms`.

    The wait doubles each time up to an hour, and is spread by a fifth, so that not all come back at once.
    """
    own = min(FIRST_SECONDS << min(receives - 1, 10), LONGEST_SECONDS)
    return min(round(max(own, wait_ms / 1_000) * random.uniform(1, 1.2)), MOST_SECONDS)


class Queues:
    """The queues of destinations, by the names that their ARNs end with."""

    def __init__(self, sqs: SQSClient) -> None:
        self._sqs = sqs
        self.url = cache(lambda arn: str(sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]))

    def hide(self, arn: str, delays: Mapping[str, int]) -> None:
        """Lets messages, by their handles, come again after so many seconds; what fails comes when its queue says."""
        entries: Iterator[Any] = (
            {"Id": str(i), "ReceiptHandle": handle, "VisibilityTimeout": seconds}
            for i, (handle, seconds) in enumerate(delays.items())
        )
        for some in batched(entries, ENTRIES_A_CALL, strict=False):
            with suppress(ClientError):
                self._sqs.change_message_visibility_batch(QueueUrl=self.url(arn), Entries=[*some])

    def waiting(self, arn: str) -> int:
        """About how many messages could be taken."""
        name: Any = "ApproximateNumberOfMessages"
        answer = self._sqs.get_queue_attributes(QueueUrl=self.url(arn), AttributeNames=[name])
        return int(answer["Attributes"][name])

    def take(self, arn: str, most: int, go_on: Callable[[], bool]) -> Iterator[dict[str, Any]]:
        """At most so many messages, as Lambda would bring them. Whoever takes them deletes those that are done."""
        empty = 0
        while most > 0 and empty < EMPTY_AT_MOST and go_on():
            messages = self._sqs.receive_message(
                QueueUrl=self.url(arn),
                MaxNumberOfMessages=min(most, ENTRIES_A_CALL),
                AttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
            ).get("Messages", [])
            empty = 0 if messages else empty + 1
            most -= len(messages)
            for message in messages:
                yield {
                    "messageId": message["MessageId"],
                    "receiptHandle": message["ReceiptHandle"],
                    "body": message["Body"],
                    "attributes": message["Attributes"],
                }

    def delete(self, arn: str, handles: Iterable[str]) -> None:
        """Takes messages out for good; what fails comes again and is known to be settled by its row."""
        entries: Iterator[Any] = ({"Id": str(i), "ReceiptHandle": handle} for i, handle in enumerate(handles))
        for some in batched(entries, ENTRIES_A_CALL, strict=False):
            with suppress(ClientError):
                self._sqs.delete_message_batch(QueueUrl=self.url(arn), Entries=[*some])

    def ask(self, arn: str, bodies: Iterable[str], seconds: int) -> None:
        """Puts messages into a queue that come after so many seconds."""
        for body in bodies:
            self._sqs.send_message(QueueUrl=self.url(arn), MessageBody=body, DelaySeconds=seconds)


def delays(messages: Iterable[Message], wait_ms: int) -> dict[str, int]:
    """How long each of these messages waits, by its handle."""
    return {message.handle: delay_seconds(message.receives, wait_ms) for message in messages}
