"""What acts on a stack's events: a queue that a rule on the bus fills."""

import json
from dataclasses import dataclass, field
from typing import Any

from local.stack import Stack


@dataclass
class Journeys:
    """Collects all that is published on the bus from its making on."""

    stack: Stack
    details: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        events = self.stack.emulator.session.client("events", endpoint_url=self.stack.endpoint)
        self._queue = self.stack.sqs.create_queue(QueueName="journeys")["QueueUrl"]
        arn = self.stack.sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])["Attributes"]
        events.put_rule(
            Name="moves",
            EventBusName=self.stack.bus,
            EventPattern=json.dumps({"source": ["tessera"], "detail-type": ["Customer Segment Changed"]}),
        )
        target: Any = {"Id": "journeys", "Arn": arn["QueueArn"]}
        events.put_targets(Rule="moves", EventBusName=self.stack.bus, Targets=[target])

    def of(self, customer: str) -> list[dict[str, Any]]:
        """The moves of a customer published so far."""
        while messages := self.stack.sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self.details.append(json.loads(message["Body"])["detail"])
                self.stack.sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        return [detail for detail in self.details if detail["customer_id"] == customer]
