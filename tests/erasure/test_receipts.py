"""Steps as messages, and receipts that two may write."""

from typing import Any

import msgspec
import pytest

from shared.clock import Moment
from shared.erasure.profiles import Removed
from shared.erasure.receipts import ReceiptChanged, Receipts, Step, asking, queueing, receipt_key
from tests.conftest import BUCKET
from tests.simulation.objects import Objects
from tests.support.memory_client import Client

STEP = Step("r", "customer#889", 1_000, 2_000)


class Sqs:
    def __init__(self) -> None:
        self.sent = list[dict[str, Any]]()

    def send_message(self, **message: Any) -> None:
        self.sent.append(message)


@pytest.fixture
def sqs() -> Any:
    return Sqs()


@pytest.fixture
def s3() -> Any:
    return Client(Objects(lambda: 0))


def test_asking_queues_the_first_step_and_gives_it(sqs: Any) -> None:
    step = asking(sqs, "queue")("customer#889", Moment(1_000, 2_000))
    assert (step.key, step.at_ms, step.requested_ms, step.name) == ("customer#889", 1_000, 2_000, "find")
    assert msgspec.json.decode(sqs.sent[0]["MessageBody"], type=Step) == step


@pytest.mark.parametrize(
    ("wait_ms", "delay_s"), [(-5, 0), (0, 0), (1, 1), (999, 1), (1_000, 2), (899_999, 900), (10**9, 900)]
)
def test_a_step_waits_at_least_as_long_as_it_is_to_and_as_long_as_sqs_can(sqs: Any, wait_ms: int, delay_s: int) -> None:
    queueing(sqs, "queue")(STEP, wait_ms)
    assert sqs.sent == [{"QueueUrl": "queue", "MessageBody": STEP.message, "DelaySeconds": delay_s}]


def test_a_receipt_is_read_as_it_was_written_with_its_sums(s3: Any) -> None:
    receipts = Receipts(s3, BUCKET)
    receipt = receipts.read(STEP)
    receipt.removed = [Removed(customers=1, links=2), Removed(links=1)]
    receipts.write(receipt, 5_000)
    again = Receipts(s3, BUCKET).read(STEP)
    assert (again.customers, again.links, again.updated_at) == (1, 3, "1970-01-01T00:00:05Z")


def test_of_two_who_read_the_same_receipt_one_starts_anew(s3: Any) -> None:
    first, second = Receipts(s3, BUCKET), Receipts(s3, BUCKET)
    mine, theirs = first.read(STEP), second.read(STEP)
    first.write(mine, 0)
    mine.lines = 1
    first.write(mine, 0)
    with pytest.raises(ReceiptChanged):
        second.write(theirs, 0)


def test_what_destinations_were_heard_of_meanwhile_starts_nobody_anew(s3: Any) -> None:
    begun = Receipts(s3, BUCKET)
    receipt = begun.read(STEP)
    receipt.destinations = {"crm": "asked", "mail": "asked"}
    begun.write(receipt, 0)
    for name in ("crm", "mail"):
        heard = Receipts(s3, BUCKET)
        same = heard.read(STEP)
        same.destinations[name] = "erased"
        heard.write(same, 1)
    receipt.lines = 3
    begun.write(receipt, 2)
    kept = Receipts(s3, BUCKET).read(STEP)
    assert (kept.lines, kept.destinations) == (3, {"crm": "erased", "mail": "erased"})


def test_a_receipt_says_nothing_of_whom(s3: Any) -> None:
    receipts = Receipts(s3, BUCKET)
    receipts.write(receipts.read(STEP), 0)
    assert b"889" not in s3.get_object(Bucket=BUCKET, Key=receipt_key("r"))["Body"].read()
