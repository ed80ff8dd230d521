"""What leaves the table: its stream as Lambda hands it over, and the events that reach the bus."""

import json
from base64 import b64encode
from functools import cache
from typing import Any

import boto3
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends

from tests.conftest import BUS, TABLE
from tests.support.template import template


class TableStream:
    """The records that the template's filters let through, each handed out once."""

    def __init__(self) -> None:
        self._seen = 0

    def records(self) -> list[dict[str, Any]]:
        # Looked up each time: a cancelled transaction gives moto another table.
        table: Any = dynamodb_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"].tables[TABLE]
        first = table.stream_shard.starting_sequence_number
        records = table.stream_shard.get(first + self._seen, 1_000_000)
        self._seen += len(records)
        return [record for record in map(_as_lambda_gives_it, records) if passes(record)]


class Bus:
    """The stack's bus, with a queue that a rule on it fills."""

    def __init__(self) -> None:
        events, self._sqs = boto3.client("events"), boto3.client("sqs")
        events.create_event_bus(Name=BUS)
        self._queue = self._sqs.create_queue(QueueName="journeys")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])["Attributes"]
        events.put_rule(Name="moves", EventBusName=BUS, EventPattern=json.dumps({"source": ["tessera"]}))
        events.put_targets(Rule="moves", EventBusName=BUS, Targets=[{"Id": "journeys", "Arn": arn["QueueArn"]}])

    def details(self) -> list[dict[str, Any]]:
        """What was published since it was last asked, all of it of moves between segments."""
        events = self.events()
        assert {kind for kind, _ in events} <= {"Customer Segment Changed"}
        return [detail for _, detail in events]

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """What was published since it was last asked, with what it is."""
        events = []
        while messages := self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                event = json.loads(message["Body"])
                assert event["source"] == "tessera"
                events.append((event["detail-type"], event["detail"]))
                self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        return events


def _as_lambda_gives_it(record: Any) -> Any:
    change = {**record["dynamodb"]}
    change["ApproximateCreationDateTime"] = change["ApproximateCreationDateTime"].timestamp()
    return json.loads(json.dumps({**record, "dynamodb": change}, default=lambda b: b64encode(b).decode()))


def passes(record: Any) -> bool:
    """Whether the template's filters let a record through to the function."""
    return any(_matches(record, pattern) for pattern in _patterns())


@cache
def _patterns() -> list[Any]:
    source = template()["Resources"]["PublishTransitionsFunction"]["Properties"]["Events"]["ChangedProfiles"]
    return [json.loads(one["Pattern"]) for one in source["Properties"]["FilterCriteria"]["Filters"]]


def _matches(value: Any, pattern: Any) -> bool:
    """As https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html has it, for what is used here."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(_matches(value.get(name), inner) for name, inner in pattern.items())
    return any(str(value).startswith(one["prefix"]) if isinstance(one, dict) else value == one for one in pattern)
