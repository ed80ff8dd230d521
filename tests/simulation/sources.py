"""What invokes functions as Lambda's event sources do: queues, the table's stream, streams of live events."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zlib import crc32

from tests.functions.streams import passes
from tests.simulation.expressions import Item
from tests.simulation.queues import Message, Queue

if TYPE_CHECKING:
    from tests.simulation.world import World

BATCH = 10


class QueueSource:
    """A queue that a function works off, several batches at once."""

    def __init__(self, world: World, queue: Queue, function: str, batch: int = BATCH, at_once: int = 3) -> None:
        self._world = world
        self._queue = queue
        self._function = function
        self._batch = batch
        self._at_once = at_once
        self._running = 0

    def due_ms(self) -> int | None:
        """When there is something to do; None while there is nothing."""
        if self._running >= self._at_once or not self._queue.messages:
            return None
        return min(message.visible_ms for message in self._queue.messages)

    def act(self) -> None:
        """Receives some messages and invokes the function with them."""
        now = self._world.now_ms
        rng = self._world.rng
        visible = self._queue.visible(now)
        rng.shuffle(visible)
        some = [message for message in visible[: rng.randint(1, self._batch)] if self._queue.received(message, now)]
        if some:
            self._running += 1
            event = {"Records": [_queued(message, self._queue.name) for message in some]}
            self._world.invoke(self._function, event, lambda result, error: self._done(some, result, error))

    def _done(self, some: Sequence[Message], result: Any, error: BaseException | None) -> None:
        self._running -= 1
        failures = result.get("batchItemFailures", ()) if isinstance(result, dict) else ()
        failed = {failure["itemIdentifier"] for failure in failures}
        for message in () if error else some:
            if message.id in failed:
                continue
            # A deletion may be lost, and the message come again.
            if self._world.faults.rate and self._world.rng.random() < 0.02:
                self._world.faults.counts["message delivered twice"] += 1
                continue
            self._queue.delete(message)


def _queued(message: Message, queue: str) -> dict[str, Any]:
    return {
        "messageId": message.id,
        "receiptHandle": message.id,
        "body": message.body,
        "attributes": {"ApproximateReceiveCount": str(message.receives), "SentTimestamp": str(message.sent_ms)},
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:{queue}",
        "awsRegion": "eu-west-1",
    }


@dataclass
class Shard:
    """Records that are worked off in order; a batch that fails comes again, by halves until it is one record."""

    world: World
    function: str
    event: Callable[[Sequence[Item]], Item]
    """Records as the function is given them."""
    number_of: Callable[[Item], str]
    records: list[Item] = field(default_factory=list)
    most: int = 20
    bisects: bool = True
    _position: int = 0
    _size: int = 0
    _running: bool = False
    _again_ms: int = 0

    def due_ms(self) -> int | None:
        """When there is something to do; None while there is nothing."""
        return None if self._running or self._position >= len(self.records) else self._again_ms

    def act(self) -> None:
        """Invokes the function with the next batch."""
        size = self._size or self.world.rng.randint(1, self.most)
        some = self.records[self._position : self._position + size]
        self._running = True
        self.world.invoke(self.function, self.event(some), lambda result, error: self._done(some, result, error))

    def _done(self, some: Sequence[Item], result: Any, error: BaseException | None) -> None:
        self._running = False
        failures = result.get("batchItemFailures", []) if isinstance(result, dict) else []
        if error:
            self._size = max(len(some) // 2, 1) if self.bisects else len(some)
            self._again_ms = self.world.now_ms + 1_000
        elif failures:
            first = min(i for i, one in enumerate(some) for f in failures if self.number_of(one) == f["itemIdentifier"])
            self._position += first
            self._again_ms = self.world.now_ms + 1_000
        else:
            self._position += len(some)
            self._size = 0
            # A checkpoint may be lost, and the whole batch come again.
            if self.world.faults.rate and self.world.rng.random() < 0.02:
                self.world.faults.counts["batch delivered twice"] += 1
                self._position -= len(some)


class TableStream:
    """The table's stream: the changes that the template's filter lets through, in order for each profile."""

    SHARDS = 3

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen = 0
        self.shards = [
            Shard(world, "publish_transitions", _records, lambda one: str(one["dynamodb"]["SequenceNumber"]))
            for _ in range(self.SHARDS)
        ]

    def take(self) -> None:
        """Hands new changes to the shards."""
        changes = self._world.cloud.table.changes
        for number in range(self._seen, len(changes)):
            record = _changed(changes[number], number)
            if passes(record):
                self.shards[crc32(changes[number]["key"][0].encode()) % self.SHARDS].records.append(record)
        self._seen = len(changes)


def _records(some: Sequence[Item]) -> Item:
    return {"Records": [*some]}


def _changed(change: Item, number: int) -> Item:
    images = {"OldImage": change["old"], "NewImage": change["new"]}
    pk, sk = change["key"]
    return {
        "eventID": str(number),
        "eventName": change["eventName"],
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "ApproximateCreationDateTime": change["at_ms"] // 1_000,
            "Keys": {"pk": {"S": pk}, "sk": {"S": sk}},
            "SequenceNumber": f"{number:09d}",
            **{name: _as_json(image) for name, image in images.items() if image is not None},
        },
    }


def _as_json(image: Item) -> Item:
    record: Item = json.loads(json.dumps(image, default=lambda data: base64.b64encode(data).decode()))
    return record


def kinesis_shard(world: World) -> Shard:
    """A shard of a Kinesis stream of live events."""

    def event(some: Sequence[Item]) -> Item:
        return {
            "Records": [
                {
                    "eventSource": "aws:kinesis",
                    "eventID": f"shardId-000000000000:{one['number']}",
                    "kinesis": {
                        "sequenceNumber": one["number"],
                        "partitionKey": "key",
                        "data": base64.b64encode(one["body"]).decode(),
                        "approximateArrivalTimestamp": 1.0,
                    },
                    "eventSourceARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/live",
                }
                for one in some
            ]
        }

    return Shard(world, "ingest_live_events", event, lambda one: str(one["number"]))


def kafka_partition(world: World) -> Shard:
    """A partition of a Kafka topic of live events, whose batches come again as a whole."""

    def event(some: Sequence[Item]) -> Item:
        records = [
            {
                "topic": "live",
                "partition": 0,
                "offset": int(one["number"]),
                "timestamp": 1,
                "timestampType": "CREATE_TIME",
                "value": base64.b64encode(one["body"]).decode(),
            }
            for one in some
        ]
        return {"eventSource": "aws:kafka", "eventSourceArn": "arn:kafka", "records": {"live-0": records}}

    return Shard(world, "ingest_live_events", event, lambda one: f"live-0-{one['number']}", bisects=False)


type Process = Generator[Any, Any]


@dataclass(frozen=True)
class Wait:
    """Of a process: so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Invoke:
    """Of a process: a function, whose result, or the error that it raised, comes back."""

    function: str
    event: Any


@dataclass(frozen=True)
class Failed:
    """An invocation that failed."""

    error: BaseException


class Running:
    """A process that goes on when what it waits for is there."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process
        self._next_ms: int | None = world.now_ms
        self._answer: Any = None
        self._others: list[Running] = []
        self.done = False

    def due_ms(self) -> int | None:
        """When it goes on; None while it waits for others, or is done."""
        if self.done:
            return None
        if self._others:
            return self._world.now_ms if all(other.done for other in self._others) else None
        return self._next_ms

    def act(self) -> None:
        """Goes on to the next thing that it waits for."""
        self._others = []
        answer = self._answer
        self._answer = None
        try:
            wanted = self._process.send(answer)
        except StopIteration:
            self.done = True
            return
        match wanted:
            case Wait(seconds):
                self._next_ms = self._world.now_ms + round(seconds * 1_000)
            case Invoke(function, event):
                self._next_ms = None
                self._world.invoke(function, event, self._answered)
            case list():
                self._others = wanted

    def _answered(self, result: Any, error: BaseException | None) -> None:
        self._answer = Failed(error) if error else result
        self._next_ms = self._world.now_ms
