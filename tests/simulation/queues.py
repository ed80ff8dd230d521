"""SQS in memory: messages with visibility, delays and dead-letter queues."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.simulation.expressions import Item


@dataclass
class Message:
    """A message of a queue."""

    id: str
    body: str
    visible_ms: int
    sent_ms: int
    receives: int = 0


@dataclass
class Queue:
    """Messages wait, are received, and come again unless they are deleted."""

    name: str
    visibility_ms: int = 30_000
    most_receives: int = 1_000_000
    dead: "Queue | None" = None
    messages: list[Message] = field(default_factory=list)

    def visible(self, now_ms: int) -> list[Message]:
        """The messages that may be received."""
        return [message for message in self.messages if message.visible_ms <= now_ms]

    def received(self, message: Message, now_ms: int) -> bool:
        """Notes a receipt; False where the message goes to the dead-letter queue instead."""
        if message.receives >= self.most_receives and self.dead:
            self.messages.remove(message)
            self.dead.messages.append(Message(message.id, message.body, now_ms, message.sent_ms))
            return False
        message.receives += 1
        message.visible_ms = now_ms + self.visibility_ms
        return True

    def delete(self, message: Message) -> None:
        """Takes a message out, if it is still there."""
        if message in self.messages:
            self.messages.remove(message)


class Queues:
    """All queues by the last part of their addresses."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.queues: dict[str, Queue] = {}
        self._clock = clock
        self._ids = count(1)

    def add(self, queue: Queue) -> Queue:
        """Makes a queue known."""
        self.queues[queue.name] = queue
        return queue

    def send(self, name: str, body: str, delay_seconds: int = 0) -> Message:
        """Puts a message into a queue."""
        now = self._clock()
        message = Message(f"message-{next(self._ids):06d}", body, now + delay_seconds * 1_000, now)
        self.queues[name].messages.append(message)
        return message

    def send_message(self, request: Item) -> Item:
        sent = self.send(_name(request), request["MessageBody"], request.get("DelaySeconds", 0))
        return {"MessageId": sent.id}

    def send_message_batch(self, request: Item) -> Item:
        entries: list[dict[str, Any]] = request["Entries"]
        sent = [
            {
                "Id": entry["Id"],
                "MessageId": self.send(_name(request), entry["MessageBody"], entry.get("DelaySeconds", 0)).id,
            }
            for entry in entries
        ]
        return {"Successful": sent, "Failed": []}

    def get_queue_url(self, request: Item) -> Item:
        return {"QueueUrl": f"https://sqs.example/{request['QueueName']}"}

    def change_message_visibility_batch(self, request: Item) -> Item:
        hidden = {entry["ReceiptHandle"]: entry["VisibilityTimeout"] for entry in request["Entries"]}
        for message in self.queues[_name(request)].messages:
            if message.id in hidden:
                message.visible_ms = self._clock() + hidden[message.id] * 1_000
        return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]], "Failed": []}

    def receive_message(self, request: Item) -> Item:
        queue = self.queues[_name(request)]
        now = self._clock()
        some = [one for one in queue.visible(now)[: request["MaxNumberOfMessages"]] if queue.received(one, now)]
        messages = [
            {
                "MessageId": message.id,
                "ReceiptHandle": message.id,
                "Body": message.body,
                "Attributes": {
                    "ApproximateReceiveCount": str(message.receives),
                    "SentTimestamp": str(message.sent_ms),
                },
            }
            for message in some
        ]
        return {"Messages": messages} if messages else {}

    def delete_message_batch(self, request: Item) -> Item:
        queue = self.queues[_name(request)]
        handles = {entry["ReceiptHandle"] for entry in request["Entries"]}
        for message in [message for message in queue.messages if message.id in handles]:
            queue.delete(message)
        return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]], "Failed": []}

    def get_queue_attributes(self, request: Item) -> Item:
        messages = self.queues[_name(request)].messages
        now = self._clock()
        waiting = sum(message.visible_ms <= now for message in messages)
        hidden = sum(message.visible_ms > now and message.receives > 0 for message in messages)
        counts = {
            "ApproximateNumberOfMessages": waiting,
            "ApproximateNumberOfMessagesNotVisible": hidden,
            "ApproximateNumberOfMessagesDelayed": len(messages) - waiting - hidden,
        }
        return {"Attributes": {name: str(counts[name]) for name in request["AttributeNames"] if name in counts}}


def _name(request: Item) -> str:
    return str(request["QueueUrl"]).rsplit("/", 1)[-1]
