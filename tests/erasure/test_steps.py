"""An erasure that is killed between any two of its calls and taken up again ends with the same receipt and remains."""

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from shared.clock import Moment
from shared.destinations.deliveries import ACCEPTED, Deliveries, Delivery
from shared.erasure.receipts import Receipts, Step, receipt_key
from shared.erasure.steps import Erasing
from shared.events import Rejection
from shared.intake.gathering import Intake
from shared.intake.quarantine import Quarantine
from shared.journeys.travellers import Traveller, Travellers
from shared.ledger.rows import Ledger
from shared.profiles.kept_marks import KeptMarks
from shared.profiles.marks import Marks
from shared.profiles.places import Places
from shared.profiles.table import ProfileTable
from tests.conftest import BUCKET, TABLE
from tests.simulation.objects import Objects
from tests.simulation.table import Table
from tests.support.event_files import chunks, purchase
from tests.support.memory_client import Client

NOW_MS = 1_520_000_000_000
SETTLE_MS = 960_000


class Killed(BaseException):
    """The function is gone."""


@dataclass
class World:
    """A table and a bucket in memory, and an erasure at work on them."""

    table: Table
    objects: Objects
    queue: list[Step] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    dies_at: int | None = None
    now_ms: int = NOW_MS
    told: list[tuple[str, str]] = field(default_factory=list)

    def turn(self, name: str) -> None:
        if len(self.calls) == self.dies_at:
            self.dies_at = None
            raise Killed
        self.calls.append(name)

    def erasing(self) -> Erasing:
        dynamodb: Any = Client(self.table, self.turn)
        s3: Any = Client(self.objects, self.turn)
        return Erasing(
            table=ProfileTable(dynamodb, TABLE),
            marks=Marks(dynamodb, TABLE, lambda: b"secret", KeptMarks(s3, BUCKET)),
            ledger=Ledger(dynamodb, TABLE),
            places=self.places(dynamodb),
            deliveries=Deliveries(dynamodb, TABLE),
            travellers=Travellers(dynamodb, TABLE, lambda: b"secret"),
            receipts=Receipts(s3, BUCKET),
            s3=s3,
            bucket=BUCKET,
            queue=self._queue,
            tell=self._tell,
            now_ms=lambda: self.now_ms,
            settle_ms=SETTLE_MS,
        )

    def _queue(self, step: Step, _wait_ms: int) -> None:
        self.turn("send_message")
        self.queue.append(step)

    def _tell(self, step: Step, names: Sequence[tuple[str, str]]) -> None:
        self.turn("put_events")
        self.told += names

    def places(self, dynamodb: Any) -> Places:
        return Places(dynamodb, TABLE, lambda: b"secret", lambda: self.now_ms)

    def work(self, go_on: Callable[[], bool] = lambda: True) -> dict[str, Any]:
        """Takes steps until there are none, those that were killed again; gives the receipt."""
        (first,) = self.queue
        while self.queue:
            step = self.queue.pop(0)
            if step.name == "erase" and step.again:
                self.now_ms = max(self.now_ms, step.marked_ms + 26 * 3_600_000)
            message = msgspec.json.encode(step)
            try:
                self.erasing().take(msgspec.json.decode(message, type=Step), go_on)
            except Killed:
                self.queue.append(step)
        receipt: dict[str, Any] = json.loads(self.objects.latest(receipt_key(first.receipt_id)) or b"{}")
        receipt.pop("updated_at", None)
        return receipt

    def left(self) -> dict[str, Any]:
        bodies = {key: [version.body for version in versions] for key, versions in self.objects.versions.items()}
        return {key: body for key, body in bodies.items() if key.startswith(("quarantine/", "exports/"))} | {
            repr(key): item for key, item in self.table.items.items()
        }


def visit(visitor: str, **fields: Any) -> dict[str, Any]:
    return {**purchase(f"{visitor}-{len(fields)}"), "customer_id": None, "anonymous_id": visitor, **fields}


@pytest.fixture(scope="module")
def shop() -> World:
    """889 with a phone of their own and a device that others share, in an export and in quarantine."""
    world = World(Table(lambda: NOW_MS, lambda: False), Objects(lambda: NOW_MS))
    dynamodb: Any = Client(world.table, lambda _name: None)
    s3: Any = Client(world.objects, lambda _name: None)
    events = [purchase(c, n, day=n + 1) for c in ("889", "890") for n in range(3)]
    events += [visit("phone"), visit("phone", customer_id="889")]
    events += [visit("shared", customer_id=c, day=d) for d, c in enumerate(("890", "889", "891"))]
    intake = Intake(ProfileTable(dynamodb, TABLE), None, Moment(NOW_MS, NOW_MS))
    for chunk in chunks(events):
        intake.add(chunk, lambda _refused: None)
    intake.flush()
    folder = Quarantine(s3, BUCKET, world.places(dynamodb)).folder("events/a.csv", "e")
    folder.lines(
        [Rejection(1, "r", b"", ("customer#889", "visitor#shared")), Rejection(2, "r", b"", ("customer#890",))]
    )
    folder.lines([Rejection(3, "r", b"889,broken"), Rejection(4, "r", b"broken")])
    folder.lines([Rejection(5, "r", b"", ("customer#889",))])
    s3.put_object(Bucket=BUCKET, Key="exports/a.csv", Body=b"customer_id\n889\n890\n")
    s3.put_object(Bucket=BUCKET, Key="exports/a.csv", Body=b"customer_id\n889\n890\n889\n")
    s3.put_object(Bucket=BUCKET, Key="exports/b.txt", Body=b"889")
    travellers = Travellers(dynamodb, TABLE, lambda: b"secret")
    for key in ("customer#889", "customer#890"):
        on = Traveller(travellers.partition(key), key, "cart", 1, "abandoned", "t", NOW_MS, "treatment")
        travellers.decide(travellers.begin(on), ([], 0), NOW_MS)
    deliveries = Deliveries(dynamodb, TABLE)
    deliveries.note("crm", [("customer#889", "889@x.example"), ("customer#890", "890@x.example")])
    deliveries.put([Delivery(f"customer#{one}", "crm", "t", NOW_MS, ACCEPTED, NOW_MS) for one in ("889", "890")])
    s3.put_object(Bucket=BUCKET, Key="exports/c.ndjson", Body=b'{"customer_id":"889"}\n')
    return world


def begun(shop: World, dies_at: int | None = None) -> World:
    world = World(copy.deepcopy(shop.table), copy.deepcopy(shop.objects), dies_at=dies_at)
    world.queue.append(Step("receipt", "customer#889", NOW_MS, NOW_MS))
    return world


def test_the_receipt_says_what_was_removed(shop: World) -> None:
    world = begun(shop)
    receipt = world.work()
    assert {name: receipt[name] for name in ("state", "customers", "visitors", "links", "lines")} == {
        "state": "done",
        "customers": 1,
        "visitors": 1,
        "links": 1,
        "lines": 6,
    }
    assert receipt["not_searched"].keys() == {"exports/b.txt"} and receipt["objects_not_searched"] == 1
    left = world.left()
    assert "exports/c.ndjson" not in left and left["exports/a.csv"] == [b"customer_id\n890\n"]
    del left["exports/b.txt"]
    assert "889" not in repr(left)
    assert world.told == [("crm", "889@x.example")]
    assert receipt["destinations"] == {"crm": "asked to erase them; no answer yet"}
    assert "deliveries#customer#890" in repr(left)
    assert [*world.places(Client(world.table, lambda _name: None)).of("customer#889")] == []


def test_killed_between_any_two_calls_it_ends_the_same(shop: World) -> None:
    whole = begun(shop)
    receipt, left = whole.work(), whole.left()
    assert len(whole.calls) > 50
    for dies_at in range(len(whole.calls)):
        world = begun(shop, dies_at)
        resumed, rest = world.work(), world.left()
        assert resumed == receipt, (dies_at, whole.calls[dies_at - 1 : dies_at + 1])
        assert _without_versions(rest) == _without_versions(left), (dies_at, whole.calls[dies_at - 1 : dies_at + 1])


def test_what_a_destination_answers_stands_in_the_receipt_whenever_it_comes(shop: World) -> None:
    world = begun(shop)
    world.work()
    (step,) = [Step("receipt", "customer#889", NOW_MS, NOW_MS, name="told", destination="crm", result="deleted")]
    world.queue.append(step)
    receipt = world.work()
    assert (receipt["state"], receipt["destinations"]) == ("done", {"crm": "deleted"})


def test_a_step_that_comes_twice_counts_once(shop: World) -> None:
    once, world = begun(shop), begun(shop)
    take = world._queue

    def twice(step: Step, wait_ms: int) -> None:
        take(step, wait_ms)
        if len(world.calls) < 200:
            world.queue.append(step)

    world._queue = twice  # type: ignore[method-assign,assignment]
    assert world.work() == once.work()


def test_with_time_for_one_object_at_a_time_it_ends_the_same(shop: World) -> None:
    whole, world = begun(shop), begun(shop)
    turns = [0]

    def go_on() -> bool:
        turns[0] += 1
        return turns[0] % 9 > 0

    hurried, receipt = world.work(go_on), whole.work()
    assert {**hurried, "not_searched": 0, "objects_not_searched": 0} == {
        **receipt,
        "not_searched": 0,
        "objects_not_searched": 0,
    }
    assert "exports/b.txt" in hurried["not_searched"]


def _without_versions(left: dict[str, Any]) -> dict[str, Any]:
    """Of items of profiles, not how often they were written."""
    return {
        key: {**item, "version": 0} if isinstance(item, dict) and "version" in item else item
        for key, item in left.items()
    }
