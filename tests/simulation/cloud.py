"""The services together: calls find their way, new objects are announced, the bus remembers what was published."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from typing import Any

from tests.simulation import journeys
from tests.simulation.expressions import Item
from tests.simulation.objects import Objects, Version
from tests.simulation.queues import Queue, Queues
from tests.simulation.table import Refused, Table
from tests.simulation.vendor import SECRET, Destination

MARK_SECRET = "a secret of marks"
READS = ("Get", "BatchGet", "Query", "Scan", "List", "Head", "Describe")

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Cloud:
    """What the functions' calls change."""

    def __init__(self, clock: Callable[[], int], rng: random.Random, started: Callable[[str], None]) -> None:
        self._clock = clock
        self._rng = rng
        self._started = started
        self.table = Table(clock, lambda: rng.random() < 0.3, page=rng.choice([3, 5, 1_000]))
        self.objects = Objects(clock, page=rng.choice([2, 1_000]), created=self._announce)
        self.queues = Queues(clock)
        self.published: list[dict[str, Any]] = []
        """What reached the bus, in order, each entry with its time."""
        self.asked: dict[str, set[int]] = {}
        """Of whose erasure a queue was told, by profile key, and from when on they are not to count."""
        dead = {name: self.queues.add(Queue(f"{name}-dead")) for name in ("ingest", "live", "erasures", "transitions")}
        self.queues.add(Queue("ingest", 5_400_000, 5, dead["ingest"]))
        self.queues.add(Queue("live", 360_000, 5, dead["live"]))
        self.queues.add(Queue("erasures", 1_800_000, 5, dead["erasures"]))
        self.queues.add(Queue("refresh", 360_000))
        self.exposed: list[Item] = []
        """Events by which the stack itself said who was approached."""
        self.executions: dict[str, str] = {}
        """What executions of journeys were given, by name."""
        self.journey_started: Callable[[Item], None] | None = None
        """Hears of each of them, in worlds that have journeys."""
        self.destination: Destination | None = None
        """Where customers are sent to, in some worlds."""

    def call(self, service: str, operation: str, request: Item) -> Item:
        """The effect of a call, and its answer. Raises Refused."""
        name = _WORDS.sub("_", operation).lower()
        match service:
            case "dynamodb":
                answer: Item = getattr(self.table, name)(request)
            case "s3":
                answer = getattr(self.objects, name)(request)
            case "sqs":
                self._hear(request)
                answer = getattr(self.queues, name)(request)
            case "events":
                answer = self._put_events(request)
            case "stepfunctions":
                answer = self._start_execution(request)
            case "secretsmanager":
                answer = {"SecretString": SECRET if "destinations" in request["SecretId"] else MARK_SECRET}
            case "cloudwatch":
                answer = {"MetricAlarms": [], "MetricDataResults": []}
            case "vendor":
                assert self.destination
                answer = self.destination.answered(request)
            case _:
                raise AssertionError(f"no {operation} of {service} here")
        return answer

    def _hear(self, request: Item) -> None:
        if "campaign_exposure" in (body := str(request.get("MessageBody"))) and '"exposure-' in body:
            self.exposed += [event for event in json.loads(body)["events"] if event not in self.exposed]
        if str(request.get("QueueUrl")).endswith("/erasures"):
            step = json.loads(request["MessageBody"])
            if "at_ms" in step and step.get("name", "find") == "find":
                self.asked.setdefault(step["key"], set()).add(step["at_ms"])

    def _put_events(self, request: Item) -> Item:
        entries = request["Entries"]
        if not 0 < len(entries) <= 10:
            raise Refused("ValidationException", "1 to 10 entries")
        self.published += [{**entry, "at_ms": self._clock()} for entry in entries]
        if self.destination:
            self.destination.told(entries, self.queues)
        if self.journey_started:
            journeys.told(entries, self.queues)
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"} for _ in entries]}

    def _start_execution(self, request: Item) -> Item:
        name = request["name"]
        if name in self.executions:
            raise Refused("ExecutionAlreadyExists", "there is one", 400)
        self.executions[name] = request["input"]
        assert self.journey_started
        self.journey_started(json.loads(request["input"]))
        return {"executionArn": name}

    def _announce(self, key: str, version: Version) -> None:
        if key in ("models/current.json", "audiences/current.json"):
            self._started("rescore")
        if not key.startswith("events/"):
            return
        detail = {
            "version": "0",
            "bucket": {"name": "tessera-data"},
            "object": {
                "key": key,
                "size": len(version.body or b""),
                "etag": version.etag.strip('"'),
                "version-id": version.id,
                "sequencer": f"{version.at_ms:016X}",
            },
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": "123456789012",
            "reason": "PutObject",
        }
        event = {
            "version": "0",
            "id": version.id,
            "detail-type": "Object Created",
            "source": "aws.s3",
            "detail": detail,
        }
        # Announcements come at least once, and in no order.
        for _ in range(1 + (self._rng.random() < 0.1)):
            self.queues.send("ingest", json.dumps(event), delay_seconds=self._rng.choice([0, 0, 0, 1, 5, 60]))


def changes(operation: str) -> bool:
    """Whether an operation has an effect."""
    return not operation.startswith(READS)
