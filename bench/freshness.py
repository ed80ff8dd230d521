"""How soon a decision follows an event, on a local AWS: from the answer 202, or from the file put, to a look-up that
answers with the event counted. `make bench OPTIONS=--freshness` measures this alone.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from bench.row import Row
from bench.shop import AS_OF_MS, shop_events, shop_file
from bench.worker import Measurement
from local.emulator import LocalStackError, tail
from local.stack import Stack, local_stack
from shared.decisions.decision import iso
from shared.durations import MINUTE_MS
from shared.events.event import parse_timestamp
from shared.models.layout import POINTER_KEY, bundle_key

LIVE = 120
FILES = 30
PRODUCERS = 2
WARM_UP = 5
"""First ones of each producer that are not counted, in which functions start."""
AIM_SECONDS = 2.0
PATIENCE_SECONDS = 120
BETWEEN_LOOKS = 0.02

type Send = Callable[[Stack, str, int], None]


def measure_freshness(bundle: Path) -> dict[str, Measurement]:
    """Live events and files one after another from two producers at once, to customers with a year's history.

    `bundle` is the folder of a trained bundle. Raises LocalStackError where the stack does not come up or to an end.
    """
    customers = [key.partition("#")[2] for key in shop_events(LIVE + FILES).keys]
    with local_stack(clock=iso(AS_OF_MS)) as stack:
        publish_bundle(stack, bundle)
        stack.s3.put_object(
            Bucket=stack.bucket, Key="events/history.parquet", Body=shop_file(shop_events(len(customers)))
        )
        for customer in customers:
            wait_for(stack, customer, 0)
        return {
            "freshness_live": _measure(stack, send_live, customers[:LIVE]),
            "freshness_files": _measure(stack, _drop_file, customers[LIVE:]),
        }


def freshness_rows(measured: Mapping[str, Measurement]) -> Iterator[Row]:
    """The rows of the table."""
    for task, what in (("freshness_live", "Event accepted"), ("freshness_files", "File dropped")):
        yield median_row(task, f"{what} to decision visible, median", measured[task].facts, AIM_SECONDS)


def median_row(name: str, what: str, facts: Mapping[str, float], aim_seconds: float) -> Row:
    """A median of which the 95th percentile has an aim."""
    within = facts["within_seconds_95"]
    row = Row(name, what, facts["median_seconds"], "s", note=f"95 % within {within:.2f} s")
    return row.held(f"95 % within {aim_seconds:g} s", within <= aim_seconds)


def summary(seconds: list[float]) -> Measurement:
    """The times with their median and 95th percentile."""
    facts = {"median_seconds": np.median(seconds), "within_seconds_95": np.percentile(seconds, 95)}
    return Measurement(seconds, 1, {name: round(float(value), 4) for name, value in facts.items()}, 0)


def publish_bundle(stack: Stack, bundle: Path) -> None:
    """Makes a trained bundle the live one."""
    bundle_id = json.loads((bundle / "manifest.json").read_bytes())["bundle_id"]
    for file in bundle.iterdir():
        if file.is_file():
            stack.s3.upload_file(str(file), stack.bucket, bundle_key(bundle_id, file.name))
    pointer = {"bundle_id": bundle_id, "published_at": iso(AS_OF_MS), "previous": None}
    stack.s3.put_object(Bucket=stack.bucket, Key=POINTER_KEY, Body=json.dumps(pointer).encode())


def _measure(stack: Stack, send: Send, customers: list[str]) -> Measurement:
    shares = [customers[producer::PRODUCERS] for producer in range(PRODUCERS)]
    with ThreadPoolExecutor(PRODUCERS) as producers:
        times = producers.map(
            lambda share: [_seconds(stack, send, customer, i) for i, customer in enumerate(share)][WARM_UP:], shares
        )
        return summary([*chain(*times)])


def _seconds(stack: Stack, send: Send, customer: str, number: int) -> float:
    sent_ms = time.time_ns() // 1_000_000
    send(stack, customer, number)
    accepted = time.perf_counter()
    wait_for(stack, customer, sent_ms)
    return time.perf_counter() - accepted


def _event(customer: str, number: int) -> dict[str, Any]:
    """An order of the last minutes, as the stack's clock has it."""
    at = iso(AS_OF_MS - (number + 1) * MINUTE_MS)
    identity = {"event_id": f"{customer}-new-{number}", "order_id": f"{customer}-new-{number}"}
    return {
        "event_type": "purchase",
        "timestamp": at,
        "customer_id": customer,
        "price": 9.99,
        "category": "bench",
        **identity,
    }


def send_live(stack: Stack, customer: str, number: int) -> None:
    """Sends an order by the API. Raises LocalStackError where it is refused."""
    status, answer = stack.api("POST", "/events", {"events": [_event(customer, number)]})
    if status != 202 or answer["accepted"] != 1:
        raise LocalStackError(f"an event was refused: {answer}")


def _drop_file(stack: Stack, customer: str, number: int) -> None:
    body = json.dumps(_event(customer, number)).encode()
    stack.s3.put_object(Bucket=stack.bucket, Key=f"events/{customer}-{number}.ndjson", Body=body)


def wait_for(stack: Stack, customer: str, since_ms: int) -> None:
    """Until a look-up answers with a decision made at `since_ms` or later, which nothing but the event brings about."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        status, answer = stack.api_get(f"/customers/{customer}/segment")
        if status == 200 and parse_timestamp(answer["scored_at"]) >= since_ms:
            return
        time.sleep(BETWEEN_LOOKS)
    raise LocalStackError(f"no decision came of an event within {PATIENCE_SECONDS} s:\n\n{tail(stack.log)}")
