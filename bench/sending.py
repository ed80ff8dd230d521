"""How soon a shop's tool hears of a change, on a local AWS, and whether another tool that is dead makes it later.

From the answer 202 to an event by which its customer enters an audience, to the request that tells the tool; first with
two tools that answer, then with one of them dead: it takes calls and never answers. `make bench OPTIONS=--sending`
measures this alone.
"""

import base64
import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.freshness import PATIENCE_SECONDS, WARM_UP, median_row, publish_bundle, send_live, summary, wait_for
from bench.row import Row
from bench.shop import AS_OF_MS, shop_events, shop_file
from bench.worker import Measurement
from local.acting import keep_secret
from local.emulator import LOOPBACK, LocalStackError
from local.receiver import Received, receiving
from local.stack import Stack, local_stack
from shared.decisions.decision import iso
from shared.destinations.known_destinations import CHECK_EVERY_SECONDS
from shared.destinations.vendors.webhook import PREFIX

CUSTOMERS = 60
"""For each of the two measurements."""
ALIVE, OTHER = "alive", "other"
AUDIENCE = "bought"
AIM_SECONDS = 5.0
AIM_RATIO = 1.25
FILE = """
vendor = "webhook"
moves = false
identify = {{customer_id = "customer_id"}}
base_url = "{url}"
fields = {{audiences = "audiences"}}
"""


def measure_sending(bundle: Path) -> dict[str, Measurement]:
    """Events one after another, each of a customer who enters an audience by it.

    `bundle` is the folder of a trained bundle. Raises LocalStackError where the stack does not come up or to an end.
    """
    customers = [key.partition("#")[2] for key in shop_events(2 * CUSTOMERS).keys]
    secret = PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
    with (
        receiving(secret) as alive,
        receiving(secret) as other,
        dead_server() as dead,
        local_stack(clock=iso(AS_OF_MS), Destinations=f"{ALIVE},{OTHER}") as stack,
    ):
        for name, received in ((ALIVE, alive), (OTHER, other)):
            keep_secret(stack, name, secret)
            _connect(stack, name, received.url)
        publish_bundle(stack, bundle)
        body = shop_file(shop_events(len(customers)))
        stack.s3.put_object(Bucket=stack.bucket, Key="events/history.parquet", Body=body)
        for customer in customers:
            wait_for(stack, customer, 0)
        definition = {"where": "orders('bench', 30) > 0", "destinations": [ALIVE, OTHER]}
        if stack.api("PUT", f"/audiences/{AUDIENCE}", definition)[0] != 200:
            raise LocalStackError("the audience was refused")
        healthy = _measure(stack, alive, customers[:CUSTOMERS])
        _connect(stack, OTHER, dead)
        time.sleep(CHECK_EVERY_SECONDS)
        beside = _measure(stack, alive, customers[CUSTOMERS:])
        if other.customers.keys() & {*customers[CUSTOMERS:]}:
            raise LocalStackError("the other tool was not dead")
        return {"sending": healthy, "sending_beside_a_dead_one": beside}


def sending_rows(measured: Mapping[str, Measurement]) -> Iterator[Row]:
    """The rows of the table."""
    before, beside = (measured[task].facts for task in ("sending", "sending_beside_a_dead_one"))
    for name, what, facts in (
        ("sending", "Event accepted to request received, median", before),
        ("sending_beside_dead", "The same beside a dead tool", beside),
    ):
        yield median_row(name, what, facts, AIM_SECONDS)
    yield Row(
        "sending_beside_dead_95",
        "95th percentile beside a dead tool",
        beside["within_seconds_95"],
        "s",
        "without one",
        before["within_seconds_95"],
    ).of_peer(AIM_RATIO)


def _measure(stack: Stack, received: Received, customers: list[str]) -> Measurement:
    return summary([_seconds(stack, received, customer, i) for i, customer in enumerate(customers)][WARM_UP:])


def _seconds(stack: Stack, received: Received, customer: str, number: int) -> float:
    send_live(stack, customer, number)
    accepted = time.perf_counter()
    deadline = accepted + PATIENCE_SECONDS
    while AUDIENCE not in received.customers.get(customer, {}).get("audiences", ()):
        if time.perf_counter() > deadline:
            raise LocalStackError(f"nothing was sent within {PATIENCE_SECONDS} s")
        time.sleep(0.002)
    return time.perf_counter() - accepted


def _connect(stack: Stack, name: str, url: str) -> None:
    stack.s3.put_object(Bucket=stack.bucket, Key=f"destinations/{name}.toml", Body=FILE.format(url=url).encode())


@contextmanager
def dead_server() -> Iterator[str]:
    """The address of one that takes connections and never says anything."""
    with socket.create_server((LOOPBACK, 0), backlog=1_000) as server:
        yield f"http://{LOOPBACK}:{server.getsockname()[1]}"
