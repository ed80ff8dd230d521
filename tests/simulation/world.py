"""The world of one seed: whose turn it is, what a call comes to, and what time it is."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

from shared.aws.versioned_document import current_key
from shared.durations import DAY_MS
from shared.journeys.publishing import PREFIX
from tests.simulation import journeys
from tests.simulation.cloud import Cloud
from tests.simulation.expressions import Item
from tests.simulation.faults import Faults, Killed
from tests.simulation.machines import backfill, export, journey, later, rescore
from tests.simulation.people import named
from tests.simulation.release import Release
from tests.simulation.sources import Process, QueueSource, Running, TableStream, kafka_partition, kinesis_shard
from tests.simulation.vendor import IN_WORLDS, NAME, Destination
from tests.simulation.workers import Context, Surroundings, Worker
from tests.support.template import template

BEGIN_MS = 1_509_494_400_000
"""1 November 2017, midnight UTC."""

EXPORTS_IN_WORLDS = 7
"""One of so many worlds exports its tables."""

type Done = Callable[[Any, BaseException | None], None]


class Source(Protocol):
    """Something that happens by itself."""

    def due_ms(self) -> int | None:
        """When it has something to do; None while there is nothing."""

    def act(self) -> None:
        """Does it."""


class Restless(Exception):
    """The world does not come to an end; the message says after how long."""


class Container:
    """A function's process, with its caches."""

    def __init__(self, release: Release, function: str) -> None:
        self.release = release
        self.function = function
        self.module: Any = None
        self.secrets: dict[str, str] = {}


class World:
    """Everything there is. Some worlds begin with the code of an `older` release beside that of the `release`."""

    def __init__(self, seed: int, surroundings: Surroundings, release: Release, older: Release) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.now_ms = BEGIN_MS + self.rng.randrange(DAY_MS)
        self._release = release
        self._releases = [release, older] if self.rng.random() < 0.2 else [release]
        self.began_with_two = not self.is_one_release
        self.faults = Faults(self.rng)
        self.cloud = Cloud(lambda: self.now_ms, self.rng, self._start_run)
        self.exports = seed % EXPORTS_IN_WORLDS == EXPORTS_IN_WORLDS // 2 + 1
        """Whether tables are exported."""
        self.findings: list[str] = []
        self.failed_runs: list[tuple[str, str]] = []
        self.calls = Counter[str]()
        self.invocations = Counter[str]()
        self.errors: list[tuple[str, BaseException]] = []
        """What functions raised, by function."""
        self.trace: Callable[[str], None] = lambda line: None
        self._digest = hashlib.sha256()
        self.stalls = self.rng.choice([0.0, 0.01, 0.05])
        """How often an invocation stands still while others go on."""
        self._stickiness = self.rng.choice([0.0, 0.5, 0.9])
        self._workers: list[tuple[Worker, Container, Done]] = []
        self._idle: dict[str, list[Container]] = {}
        self._requests = self._runs = 0
        self._timeouts = _timeouts()
        self.stream = TableStream(self)
        self.kinesis = kinesis_shard(self)
        self.kafka = kafka_partition(self)
        queues = self.cloud.queues.queues
        self._sources: list[Source] = [
            QueueSource(self, queues["ingest"], "ingest_events"),
            QueueSource(self, queues["live"], "ingest_live_events"),
            QueueSource(self, queues["erasures"], "erase_customer", batch=1, at_once=2),
            QueueSource(self, queues["refresh"], "refresh_segments", batch=1, at_once=2),
            *self.stream.shards,
            self.kinesis,
            self.kafka,
        ]
        if seed % IN_WORLDS == IN_WORLDS - 1:
            self._connect(seed)
        surroundings.now_ms = lambda: self.now_ms
        surroundings.perform = self._perform
        surroundings.rng = self.rng
        surroundings.slots = random.Random(f"{seed} slots")

    def _connect(self, seed: int) -> None:
        """A destination that customers are sent to."""
        destination = Destination(seed, lambda: self.now_ms, self.cloud.queues, named("ben"))
        self.cloud.destination = destination
        self.cloud.objects.put_object({"Key": f"destinations/{NAME}.toml", "Body": destination.file})
        self._sources.append(QueueSource(self, destination.queue, "deliver", batch=20))
        # The code before this knows no exposures.
        if seed % journeys.IN_WORLDS == journeys.IN_WORLDS - 1 and self.is_one_release:
            self.cloud.objects.put_object({"Key": current_key(PREFIX), "Body": journeys.PUBLISHED})
            self.cloud.journey_started = self._travel
            self._sources.append(QueueSource(self, journeys.add_queues(self.cloud.queues), "advance_journey"))

    def _travel(self, given: Item) -> None:
        self.start(journey(self, given))

    # ---- What others start ----

    def start(self, process: Process) -> Running:
        """Begins a process."""
        running = Running(self, process)
        self._sources.append(running)
        return running

    def next_request(self) -> int:
        """A number that no request had before."""
        self._requests += 1
        return self._requests

    def next_run(self) -> str:
        """A name that no execution had before."""
        self._runs += 1
        return f"run-{self._runs}"

    def invoke(self, function: str, event: Any, done: Done) -> None:
        """Begins an invocation in some container; `done` hears of its end."""
        idle = self._idle.setdefault(function, [])
        if idle and self.rng.random() > 0.15:
            container = idle.pop(self.rng.randrange(len(idle)))
        else:
            container = Container(self.rng.choice(self._releases), function)
        self.invocations[function] += 1
        name = f"{function}-{self.invocations[function]}"
        deadline = self.now_ms + self._timeouts[function] * 1_000
        context = Context(function, name, lambda: deadline - self.now_ms)

        def job() -> Any:
            container.module = container.module or container.release.container(function)
            return container.module.handler(event, context)

        self._workers.append((Worker(name, job, deadline, container.secrets), container, done))

    def resume(self, kind: str, run: str) -> None:
        """Starts a failed execution again, as an operator does."""
        if kind == "journey":
            self._travel(json.loads(run))
            return
        resumed = {"rescore": rescore, "export": export}
        self.start(resumed[kind](self, run) if kind in resumed else backfill(self, run, {"run": run}))

    def _start_run(self, kind: str) -> None:
        # EventBridge starts an execution at least once, and not at once.
        for _ in range(1 + (self.rng.random() < 0.1)):
            self.start(later(self.rng.choice([0, 0, 1, 30]), rescore(self, self.next_run())))

    # ---- Turns ----

    @property
    def is_one_release(self) -> bool:
        """Whether all functions have the same code."""
        return len(self._releases) == 1

    def step(self, until_ms: int | None = None) -> bool:
        """One turn of whoever can go on, the clock moved on if that is nobody; False when nothing is left to do,
        or nothing before `until_ms`."""
        self.stream.take()
        ready = [entry for entry in self._workers if entry[0].wakes_ms <= self.now_ms]
        waiting = [(due, source) for source in self._sources if (due := source.due_ms()) is not None]
        due_now = [source for due, source in waiting if due <= self.now_ms]
        if not ready and not due_now:
            times = [entry[0].wakes_ms for entry in self._workers] + [due for due, _ in waiting]
            if not times or (until_ms is not None and min(times) > until_ms):
                return False
            self.move_clock(min(times))
            return True
        if ready and (not due_now or self.rng.random() < 0.7):
            entry = ready[-1] if self.rng.random() < self._stickiness else self.rng.choice(ready)
            self._step(entry)
        else:
            self.rng.choice(due_now).act()
            self._sources = [s for s in self._sources if not (isinstance(s, Running) and s.done)]
        return True

    def drain(self, most: int = 12_000) -> None:
        """Turns until nothing is left to do. Raises Restless.

        Days to come of those who travel take many, and so do runs over all items, one after the other, where rules are
        published as often as chance has it.
        """
        for _ in range(most):
            if not self.step():
                return
        raise Restless(f"after {most:,} turns there is still something to do")

    def move_clock(self, to_ms: int) -> None:
        """Moves the clock; invocations do not outlive their timeouts."""
        for entry in [*self._workers]:
            if entry[0].deadline_ms <= to_ms:
                self.now_ms = max(self.now_ms, entry[0].deadline_ms)
                self.faults.counts["timed out"] += 1
                entry[0].kill()
                self._ended(entry)
        self.now_ms = max(self.now_ms, to_ms)

    def deploy(self) -> None:
        """The release is all that begins from now on."""
        self._idle = {}
        self._releases = [self._release]

    def end(self) -> None:
        """Nothing goes on."""
        for worker, _, _ in self._workers:
            worker.kill()

    def _step(self, entry: tuple[Worker, Container, Done]) -> None:
        worker = entry[0]
        worker.step()
        if not worker.alive:
            self._ended(entry)
        elif self.rng.random() < self.stalls:
            self.faults.counts["stalled"] += 1
            worker.wakes_ms = max(worker.wakes_ms, self.now_ms + self.rng.choice([1_000, 20_000, 800_000]))

    def _ended(self, entry: tuple[Worker, Container, Done]) -> None:
        worker, container, done = entry
        self._workers.remove(entry)
        if not worker.killed:
            if container.release in self._releases:
                self._idle.setdefault(container.function, []).append(container)
            if worker.error is not None:
                self.errors.append((container.function, worker.error))
        self._note(f"{worker.name} ended: {'killed' if worker.killed else worker.error or worker.result!r}")
        done(worker.result, worker.error or (Killed() if worker.killed else None))

    # ---- Calls ----

    def _perform(self, service: str, operation: str, request: Item) -> Item:
        """What a call of an invocation comes to."""
        self.now_ms += self.rng.randint(1, 40)
        self.calls[f"{service}:{operation}"] += 1
        kind = self.faults.draw(service, operation, request)
        self._note(f"{service}:{operation} {_shown(request)}{f' !! {kind}' if kind else ''}")
        self.faults.before(kind, service, operation, request)
        if kind == "partial":
            return self._partial(service, operation, request)
        if kind == "done twice" and operation != "TransactWriteItems":
            self._quietly(service, operation, request)
        elif kind == "done twice":
            # Its token makes a repetition answer as the first did.
            return self.cloud.call(service, operation, request)
        return self.faults.after(kind, service, operation, self.cloud.call(service, operation, request))

    def _quietly(self, service: str, operation: str, request: Item) -> None:
        """The first of two attempts, whose answer was lost on the way to the client that then tried again."""
        try:
            self.cloud.call(service, operation, request)
        except Exception:
            return

    def _partial(self, service: str, operation: str, request: Item) -> Item:
        done, left = self.faults.split(operation, request)
        if operation == "BatchExecuteStatement":
            responses = []
            for i, statement in enumerate(request["Statements"]):
                # An error of DynamoDB's own does not say whether the statement took effect.
                took_effect = i not in left or (left[i] == "InternalServerError" and self.rng.random() < 0.5)
                answer = self.cloud.table.execute(statement) if took_effect else {}
                responses.append({"Error": {"Code": left[i], "Message": ""}} if i in left else answer)
            return {"Responses": responses}
        if operation == "PutEvents":
            entries = [entry for i, entry in enumerate(request["Entries"]) if i not in left]
            if entries:
                self.cloud.call(service, operation, {"Entries": entries})
            answers = [
                {"ErrorCode": "InternalFailure"} if i in left else {"EventId": "1"}
                for i in range(len(request["Entries"]))
            ]
            return {"FailedEntryCount": len(left), "Entries": answers}
        answer = self.cloud.call(service, operation, done) if done else {"Responses": {}}
        return {**answer, "UnprocessedKeys" if operation == "BatchGetItem" else "UnprocessedItems": left}

    # ---- What is kept for a replay ----

    def _note(self, line: str) -> None:
        self._digest.update(line.encode())
        self.trace(f"{self.now_ms - BEGIN_MS:>12,} {line}")

    @property
    def digest(self) -> str:
        """The same for two plays that made the same calls with the same outcomes."""
        return self._digest.hexdigest()[:16]


def _shown(request: Item) -> str:
    """A request without what hangs on the order in sets."""
    if "RequestItems" in request:
        ((_, wanted),) = request["RequestItems"].items()
        keys = wanted["Keys"] if isinstance(wanted, dict) else wanted
        return str(sorted(repr(key) for key in keys))
    return " ".join(f"{name}={value if name != 'Body' else '…'!r}" for name, value in sorted(request.items()))


@cache
def _timeouts() -> dict[str, int]:
    resources = template()["Resources"]
    functions = [one["Properties"] for one in resources.values() if one["Type"] == "AWS::Serverless::Function"]
    return {one["CodeUri"].removeprefix("functions/"): one["Timeout"] for one in functions}
