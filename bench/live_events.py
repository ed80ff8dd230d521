"""What live events cost the function that takes them in, and what the same costs by a client of DynamoDB event by
event. One stub answers both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import batched
from typing import Any

from bench.aws_stub import TABLE, AwsStub, metered
from bench.containers import MARKS, Container, publish
from bench.reasons import bundle_folder
from bench.shop_day import shop_day
from bench.work import Inputs, Work
from shared.identity.keys import customer_key
from shared.intake.live_events import packed
from shared.profiles.item import encode_profile
from shared.profiles.stored_profile import item_key

MESSAGES_A_BATCH = 10
"""What the live queue hands to one invocation where enough are waiting, as template.yaml says."""

type Event = dict[str, Any]


class Live:
    """The function that takes live events in, with the made-up shop's last ones waiting in its queue."""

    def __init__(self, inputs: Inputs, events_a_message: int) -> None:
        self.day = shop_day(inputs)
        self.aws = AwsStub({MARKS: "a secret of marks"})
        publish(self.aws, bundle_folder(inputs.purchases))
        self.aws.store(map(encode_profile, self.day.stored))
        self._batches = [*_batches(self.day.lines, events_a_message)]
        self._function = Container("ingest_live_events", self.aws)
        self.run()  # what is asked for once in a container's life

    def run(self) -> list[Any]:
        """The answers of all invocations, over the table as it was before."""
        self.aws.table.restore()
        with self._function.awake():
            return [self._function(batch) for batch in self._batches]


class Naive:
    """Each event by itself: its customer's item is read, and written with the event in it."""

    def __init__(self, inputs: Inputs) -> None:
        self.day = shop_day(inputs)
        self.aws = AwsStub()
        self._client = self.aws.client("dynamodb")
        self._batches = [*_batches(self.day.lines, MESSAGES_A_BATCH)]
        for line in self.day.earlier:
            self._add(line)
        self.aws.table.keep()

    def run(self) -> None:
        """All events, over the table as it was before."""
        self.aws.table.restore()
        for batch in self._batches:
            for record in batch["Records"]:
                for event in json.loads(record["body"])["events"]:
                    self._add(event)

    def _add(self, event: Event) -> None:
        key = item_key(customer_key(event["customer_id"]))
        empty = {**key, "count": {"N": "0"}, "spent": {"N": "0"}, "events": {"L": []}}
        item = self._client.get_item(TableName=TABLE, Key=key).get("Item", empty)
        spent = event.get("price", 0) * event.get("quantity", 1) if event["event_type"] == "purchase" else 0
        item["count"]["N"] = str(int(item["count"]["N"]) + 1)
        item["spent"]["N"] = str(round(float(item["spent"]["N"]) + spent, 2))
        item["events"]["L"].append({"S": json.dumps(event)})
        self._client.put_item(TableName=TABLE, Item=item)


def ingest_live_1(inputs: Inputs) -> Work:
    """Take live events in, ten messages of one event to an invocation."""
    return _live(inputs, 1)


def ingest_live_10(inputs: Inputs) -> Work:
    """The same of ten events a message."""
    return _live(inputs, 10)


def ingest_live_100(inputs: Inputs) -> Work:
    """The same of a hundred events a message."""
    return _live(inputs, 100)


def ingest_live_naive(inputs: Inputs) -> Work:
    """Get, add and put for each of the same events; nothing is checked, told apart or decided."""
    naive = Naive(inputs)
    return metered(naive.run, len(naive.day.lines), naive.aws)


def _live(inputs: Inputs, events_a_message: int) -> Work:
    live = Live(inputs, events_a_message)
    return metered(live.run, len(live.day.lines), live.aws)


def _batches(lines: Sequence[Event], events_a_message: int) -> Iterator[Event]:
    """What SQS hands over, of messages as the API puts them into the queue."""
    texts = [json.dumps(line).encode() for line in lines]
    bodies = [body for some in batched(texts, events_a_message, strict=False) for body in packed(some)]
    records = [_record(number, body) for number, body in enumerate(bodies)]
    for some in batched(records, MESSAGES_A_BATCH, strict=False):
        yield {"Records": [*some]}


def _record(number: int, body: str) -> Event:
    return {
        "messageId": f"message-{number}",
        "receiptHandle": "handle",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1514764790000"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:live",
        "awsRegion": "us-east-1",
    }
