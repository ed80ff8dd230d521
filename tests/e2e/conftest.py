import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from local.emulator import LOOPBACK
from local.stack import Stack, local_stack
from tests.support.bundles import make_bundle, publish

FOLD_SECONDS = 60
STACK_CLOCK = "2018-01-01T00:00:00Z"


@contextmanager
def deployed_with_model(host: str = LOOPBACK, **parameters: str) -> Iterator[Stack]:
    """The template deployed to a local AWS, its clock at the start of 2018, with a small model published."""
    given: dict[str, Any] = {"KinesisStream": "new", "RefreshMinutes": "60", **parameters}
    with local_stack(clock=STACK_CLOCK, host=host, **given) as deployed:
        publish(deployed.s3, make_bundle())
        yield deployed


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    with deployed_with_model() as deployed:
        yield deployed


def wait_until(condition: Callable[[], bool], seconds: float = FOLD_SECONDS) -> None:
    """Fails if the condition does not come true within a minute, or as many `seconds`."""
    deadline = time.monotonic() + seconds
    asked = time.monotonic()
    while not condition():
        now = time.monotonic()
        assert now < deadline, f"it did not happen within {seconds} seconds"
        # Asking is work too, such as reading the whole table, and must not take the time of what it waits for.
        time.sleep(max(0.1, 3 * (now - asked)))
        asked = time.monotonic()


def members(stack: Stack, segment: int, a_page: int = 17) -> list[str]:
    """Who is in a segment, as the API tells it page by page."""
    customers: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        status, page = stack.api_get(f"/segments/{segment}/customers?limit={a_page}&cursor={cursor}")
        assert status == 200
        customers += [member["customer_id"] for member in page["customers"]]
        cursor = page["cursor"]
    return customers
