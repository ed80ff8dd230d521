"""Jobs and calls among kills, lost answers, copies of messages and customers who move meanwhile: the newest stands."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from shared.destinations import vendors
from shared.destinations.contract import Answer, Request
from shared.destinations.deliveries import PARTITION, ROW, SETTLED
from shared.destinations.erasing import erase
from shared.destinations.messages import ERASED, MOVED, Message, body, read
from shared.destinations.sending import Unanswered
from shared.destinations.vendors.salesforce import LOAD, VENDOR
from tests.destinations.loads import FILE, SECRET, segment
from tests.destinations.worlds import World, message, queued
from tests.support.vendors.salesforce import Salesforce

CUSTOMERS = [f"c{number}" for number in range(9)]
SEEDS = range(60)


class Killed(BaseException):
    """A function ends in the middle."""


@dataclass
class Waiting:
    """A message in the queue."""

    message: Message
    visible_ms: int
    receives: int = 0
    held: int = 0
    """Functions that have a copy."""


@dataclass
class Shop:
    """Functions that take from one queue, some of them while others wait for an answer."""

    seed: int
    queue: list[Waiting] = field(default_factory=list)
    depth: int = 0
    moves: int = 0
    faults: float = 0.25
    copied: set[str] = field(default_factory=set)
    """Moves of whose message two functions had a copy: whoever comes last has the last word on its row."""

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.salesforce = Salesforce(works_at_once=False)
        self.world = World(vendor=self.answered, file=FILE, secret=SECRET)
        self.segments = dict.fromkeys(CUSTOMERS, 1)
        self.versions = dict.fromkeys(CUSTOMERS, 1)
        self.world.store(*CUSTOMERS)
        self.world.before_answer = self.meanwhile
        for customer in CUSTOMERS:
            self.tell(customer)

    def tell(self, customer: str) -> None:
        """Queues a move, now and then twice."""
        self.moves += 1
        for _ in range(1 + (self.rng.random() < 0.2)):
            self.queue.append(Waiting(message(customer, self.moves), self.world.now_ms))

    def move(self) -> None:
        """A customer moves."""
        customer = self.rng.choice([*self.segments])
        self.segments[customer] = self.rng.randrange(9)
        self.versions[customer] += 1
        self.world.store(customer, segment=self.segments[customer], version=self.versions[customer])
        self.tell(customer)

    def erase(self) -> None:
        """A customer is erased: as of here, nobody reads them any more."""
        if self.depth or len(self.segments) < 6:
            return
        customer = self.rng.choice([*self.segments])
        names = self.world.deliveries.names(f"customer#{customer}")
        del self.segments[customer]
        del self.world.table.items[(f"customer#{customer}", "profile")]
        self.world.deliveries.forget(f"customer#{customer}")
        for _, name in names:
            record = queued(body("crm", ERASED, {"customer_id": customer, "id": name, "step": "{}"}), f"e-{customer}")
            record["attributes"]["SentTimestamp"] = str(self.world.now_ms)
            self.queue.append(Waiting(read(record), self.world.now_ms))

    def work(self) -> None:
        """Salesforce goes on with some job."""
        for name in self.rng.sample([*self.salesforce.jobs], min(2, len(self.salesforce.jobs))):
            if self.salesforce.jobs[name].state in ("UploadComplete", "InProgress"):
                if self.rng.random() < self.faults / 2:
                    self.salesforce.fail(name)
                else:
                    self.salesforce.work(name, self.rng.randint(1, 6))

    def deliver(self) -> None:
        """A function takes some of what waits, and may be killed."""
        now_ms = self.world.now_ms
        visible = [one for one in self.queue if one.visible_ms <= now_ms]
        some = self.rng.sample(visible, self.rng.choice([len(visible), min(3, len(visible))]))
        for one in some:
            one.receives += 1
            if one.held and one.message.kind == MOVED:
                self.copied.add(one.message.transition_id)
            one.held += 1
            # Another function may have a copy at the same time.
            one.visible_ms = now_ms + (0 if self.rng.random() < self.faults / 4 else 1_080_000)
        taken = [replace(one.message, receives=one.receives) for one in some]
        self.depth += 1
        try:
            again = self.world.deliver(*(each for each in taken if each.kind == MOVED)).again
            calls = self.world.calls()
            for asked in (each for each in taken if each.kind == ERASED):
                if erase(self.world.destination, asked, calls, self.world.loading, self.world.now_ms) is None:
                    again.add(asked.id)
        except Killed:
            return
        finally:
            self.depth -= 1
            for waiting in some:
                waiting.held -= 1
        for one in some:
            if one.message.id in again:
                one.visible_ms = self.world.now_ms + self.rng.choice([30_000, 120_000])
            elif one in self.queue:
                self.queue.remove(one)

    def meanwhile(self) -> None:
        """What happens while a function waits for an answer."""
        if self.rng.random() < self.faults:
            self.act()
        if self.rng.random() < self.faults / 5:
            raise Killed

    def act(self) -> None:
        """Anything."""
        acts = [self.move, self.work, self.work, self.pass_time, self.erase]
        if self.depth < 3:
            acts += [self.deliver, self.deliver]
        self.rng.choice(acts)()

    def pass_time(self) -> None:
        """Functions that wait for an answer end in time."""
        self.world.now_ms += self.rng.choice([1_000, 20_000] if self.depth else [1_000, 60_000, 400_000, 1_200_000])

    def answered(self, request: Request) -> Answer:
        """Salesforce, and what goes wrong on the way."""
        if self.rng.random() >= self.faults:
            return self.salesforce(request)
        match self.rng.randrange(5):
            case 0:
                return Answer(self.rng.choice([429, 503]), {"retry-after": str(self.rng.choice([1, 60]))})
            case 1:
                raise Unanswered("before the effect")
            case 2:
                self.salesforce(request)
                raise Unanswered("after the effect")
            case 3:
                self.salesforce(request)
                return Answer(500)
            case _:
                return Answer(500)

    def settle(self) -> None:
        """Nothing fails any more, and everything comes to its end."""
        self.faults = 0.0
        for _ in range(60):
            for name in self.salesforce.jobs:
                self.salesforce.work(name)
            self.world.now_ms += 1_200_000
            self.deliver()


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    few = replace(VENDOR, load=replace(LOAD, fewest=3, most=6))
    monkeypatch.setattr(vendors, "VENDORS", {**vendors.VENDORS, "salesforce": few})
    yield


def played(seed: int) -> Shop:
    shop = Shop(seed)
    for _ in range(60):
        shop.act()
    shop.settle()
    return shop


@pytest.mark.parametrize("seed", SEEDS)
def test_in_the_end_salesforce_has_what_is_stored_and_nobody_who_was_erased(seed: int) -> None:
    shop = played(seed)
    assert shop.queue == []
    assert {c: segment(shop.salesforce, c) for c in shop.salesforce.records} == {
        customer: str(number) for customer, number in shop.segments.items()
    }
    rows = {place: item for place, item in shop.world.table.items.items() if place[1].startswith(ROW)}
    states = {item["state"]["S"] for item in rows.values() if item["transition_id"]["S"] not in shop.copied}
    assert states <= SETTLED
    known = {
        place[0].removeprefix(f"{PARTITION}customer#") for place in shop.world.table.items if PARTITION in place[0]
    }
    assert known <= shop.segments.keys()


def test_these_stories_have_jobs_that_end_each_way() -> None:
    ends = {job.state for seed in SEEDS for job in played(seed).salesforce.jobs.values()}
    assert ends >= {"JobComplete", "Failed", "Aborted"}
