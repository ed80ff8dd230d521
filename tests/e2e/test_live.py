"""Live events in, and moves out, on a local AWS."""

import pytest

from local.stack import Stack
from tests.e2e.conftest import wait_until
from tests.e2e.journeys import Journeys
from tests.event_files import ndjson, purchase

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def journeys(stack: Stack) -> Journeys:
    return Journeys(stack)


def test_a_dropped_file_ends_on_the_bus(stack: Stack, journeys: Journeys) -> None:
    orders = [purchase("mover", number, day=number + 1) for number in range(12)]
    stack.s3.put_object(Bucket=stack.bucket, Key="events/mover-1.ndjson", Body=ndjson(orders[:2]))
    wait_until(lambda: len(journeys.of("mover")) == 1)
    stack.s3.put_object(Bucket=stack.bucket, Key="events/mover-2.ndjson", Body=ndjson(orders))
    wait_until(lambda: len(journeys.of("mover")) == 2)
    assert [(moved["from"], moved["to"], moved["cause"]) for moved in journeys.of("mover")] == [
        (None, 1, "events"),
        (1, 2, "events"),
    ]
