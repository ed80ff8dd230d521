"""Producers who deliver a shop's events at once, in files and live, all of it twice and in no order."""

import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import batched
from typing import Any

from local.stack import Stack
from tests.support.event_files import Event, csv_file, ndjson, ndjson_gz, parquet

FILES = 200
LIVE = 2_000
PRODUCERS = 8
CALLERS, AT_ONCE = 2, 5
"""Producers who use the API, and events of a call and of a message in the queue."""
ALSO_IN_FILES = 200
"""Live events that files hold too."""
WRITERS: list[tuple[str, Callable[[list[Event]], bytes]]] = [
    ("ndjson", ndjson),
    ("ndjson.gz", ndjson_gz),
    ("csv", csv_file),
    ("parquet", parquet),
]

type Delivery = Callable[[], None]


def deliver_twice(stack: Stack, events: list[Event]) -> None:
    """Every event in its ways in, by eight producers at once."""
    calls, others = deliveries(stack, events)
    producing = []
    with ThreadPoolExecutor(PRODUCERS) as producers:
        # Each caller who waits takes a worker of its own, of which a small machine has not many to give.
        for work in (*_shared_out(calls, CALLERS), *_shared_out(others, PRODUCERS - CALLERS)):
            producing.append(producers.submit(_do, work))
    assert [done.result() for done in producing] == [None] * PRODUCERS


def deliveries(stack: Stack, events: list[Event]) -> tuple[list[Delivery], list[Delivery]]:
    """Calls of the API, and all other ways in; every event is in a file, in a live message, or in both."""
    shuffled = random.Random(3).sample(events, len(events))
    live = shuffled[:LIVE]
    filed = shuffled[LIVE - ALSO_IN_FILES :]
    files = [
        partial(put_file, stack, f"{number}.{kind}", write(filed[number::FILES]))
        for number in range(FILES)
        for kind, write in [WRITERS[number % len(WRITERS)]]
    ]
    called, announced, queued = (live[way::3] for way in range(3))
    bus = stack.emulator.session.client("events", endpoint_url=stack.endpoint)
    calls: list[Delivery] = [partial(call_api, stack, some) for some in batched(called, AT_ONCE, strict=False)]
    messages = [partial(put_on_bus, bus, stack.bus, event) for event in announced]
    return calls, [
        *files,
        *messages,
        *(partial(queue_up, stack, some) for some in batched(queued, AT_ONCE, strict=False)),
    ]


def _shared_out(work: list[Delivery], among: int) -> list[list[Delivery]]:
    """All of it twice, in no order."""
    shuffled = random.Random(5).sample(2 * work, 2 * len(work))
    return [shuffled[number::among] for number in range(among)]


def _do(work: list[Delivery]) -> None:
    for deliver in work:
        deliver()


def put_file(stack: Stack, name: str, body: bytes) -> None:
    stack.s3.put_object(Bucket=stack.bucket, Key=f"events/{name}", Body=body)


def call_api(stack: Stack, events: tuple[Event, ...]) -> None:
    status, receipt = stack.api("POST", "/events", {"events": events})
    assert (status, receipt["accepted"]) == (202, len(events))


def put_on_bus(client: Any, bus: str, event: Event) -> None:
    entry = {"Source": "shop", "DetailType": "any", "Detail": json.dumps(event), "EventBusName": bus}
    assert client.put_events(Entries=[entry])["FailedEntryCount"] == 0


def queue_up(stack: Stack, events: tuple[Event, ...]) -> None:
    stack.sqs.send_message(QueueUrl=stack.live_queue_url, MessageBody=json.dumps(events))
