"""Large files through the deployed stack, whose function may take a minute: `python -m bench.large_files`.

Writes a CSV and a gzipped NDJSON of `--megabytes` of text each, drops each below `events/` of a stack on this machine,
and compares what is stored in the end with what is in them: the number of events of every customer, and the lines
refused. It needs as much disk twice, no account, and `make build`.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local.stack import Stack, local_stack

SECONDS = 60
"""That the function may take."""
CUSTOMERS = 5_000
"""In each file, so that none has more events than are kept of anybody."""
BROKEN_EVERY = 100_000
CLOCK = "2018-01-01T00:00:00Z"
QUIET_SECONDS = 15


def main() -> int:
    """Runs it; the exit status of a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=3_000, help="of text in each file")
    parser.add_argument("--note-bytes", type=int, default=45, help="of a column that no event has, on the average")
    parser.add_argument("--part-bytes", type=int, default=64 << 20, help="the stack's PartBytes")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, local_stack(clock=CLOCK, PartBytes=str(given.part_bytes)) as stack:
        _hurry(stack)
        for number, write in enumerate((write_csv, write_packed)):
            events = Events(given.megabytes << 20, given.note_bytes, f"{number}")
            path, expected = write(Path(folder), events), events.counts
            _drop(stack, path, expected)
            path.unlink()
    return 0


type Counts = dict[str, int]


class Events:
    """Events of so many bytes of text, each once; those of whom are counted."""

    def __init__(self, size: int, note_bytes: int, prefix: str) -> None:
        self._size, self._note_bytes, self._prefix = size, note_bytes, prefix
        self._chance = random.Random(prefix)
        self._words = " ".join(f"{self._chance.randrange(16**5):x}" for _ in range(200_000))
        self.counts: Counts = {}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        written = number = 0
        while written < self._size:
            event = self._event(number)
            written += text_bytes(event)
            customer = event["customer_id"]
            self.counts[customer] = self.counts.get(customer, 0) + (number % BROKEN_EVERY != 7)
            yield event
            number += 1

    def _event(self, number: int) -> dict[str, Any]:
        chance = self._chance
        customer = f"c{self._prefix}-{chance.randrange(CUSTOMERS)}"
        price: Any = round(chance.random() * 100, 2)
        note = chance.randrange(len(self._words) // 2)
        return {
            "event_id": f"{self._prefix}-{number}",
            "event_type": ("view_item", "purchase", "add_to_cart", "page_view")[number % 4],
            "timestamp": f"2017-{1 + number % 12:02d}-{1 + number % 28:02d}T{number % 24:02d}:{number % 60:02d}:00Z",
            "customer_id": customer,
            "session_id": f"s{chance.randrange(10**6)}",
            "category": f"Shelf {number % 50}, left" + ("\nbelow" if number % 1_000 == 0 else ""),
            "price": -1 if number % BROKEN_EVERY == 7 else price,
            "note": self._words[note : note + number % (2 * self._note_bytes)],
        }


def text_bytes(event: dict[str, Any]) -> int:
    """About the bytes of its line."""
    return sum(len(str(value)) + 3 for value in event.values())


def write_csv(folder: Path, events: Events) -> Path:
    """Quoted texts, some with line ends in them."""
    import csv

    path = folder / "large.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
        for number, event in enumerate(events):
            if number == 0:
                writer.writerow(event)
            writer.writerow(event.values())
    return path


def write_packed(folder: Path, events: Events) -> Path:
    """Lines of JSON in one member of gzip."""
    path = folder / "large.ndjson.gz"
    packer = zlib.compressobj(3, wbits=31)
    with path.open("wb") as file:
        for event in events:
            file.write(packer.compress(json.dumps(event).encode() + b"\n"))
        file.write(packer.flush())
    return path


def _hurry(stack: Stack) -> None:
    functions = stack.emulator.session.client("lambda", endpoint_url=stack.endpoint)
    names = [one["FunctionName"] for one in functions.list_functions()["Functions"]]
    (name,) = (name for name in names if "IngestEvents" in name)
    functions.update_function_configuration(FunctionName=name, Timeout=SECONDS)


def _drop(stack: Stack, path: Path, expected: Counts) -> None:
    stack.s3.upload_file(str(path), stack.bucket, f"events/{path.name}")
    began = time.monotonic()
    lines = sum(expected.values())
    worked = began
    while time.monotonic() - worked < QUIET_SECONDS:
        time.sleep(1)
        if waiting(stack, stack.queue_url):
            worked = time.monotonic()
    took = worked - began
    counted = stored(stack)
    refused = sum(1 for _ in quarantined(stack, path.name))
    dead = waiting(stack, stack.dlq_url)
    wrong = {key for key in expected if counted.get(f"customer#{key}", 0) != expected[key]}
    sys.stdout.write(
        f"{path.name}: {path.stat().st_size / 2**20:,.0f} MB, {lines:,} valid lines in {took:,.0f} s "
        f"({lines / took:,.0f} a second); {len(wrong)} of {len(expected)} customers differ, {refused} lines refused, "
        f"{dead} messages given up\n"
    )
    sys.stdout.flush()


def waiting(stack: Stack, queue: str) -> int:
    """Messages in a queue, those under way included."""
    names: list[Any] = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = stack.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return sum(map(int, attributes.values()))


def stored(stack: Stack) -> Counts:
    """Events of every profile ever counted, by its key."""
    pages = stack.dynamodb.get_paginator("scan").paginate(TableName=stack.table)
    items = (item for page in pages for item in page["Items"] if "events" in item)
    return {item["pk"]["S"]: int(item["events"]["N"]) for item in items}


def quarantined(stack: Stack, name: str) -> Iterator[str]:
    """Lines in quarantine of a file."""
    listed = stack.s3.list_objects_v2(Bucket=stack.bucket, Prefix=f"quarantine/events/{name}/").get("Contents", [])
    for entry in listed:
        yield from stack.s3.get_object(Bucket=stack.bucket, Key=entry["Key"])["Body"].read().decode().splitlines()


if __name__ == "__main__":
    sys.exit(main())
