"""A destination of some worlds: HubSpot or Salesforce as their documentation has them, the queue that leads there, and
what goes wrong.

Its chance is its own, so that worlds without it play as if there were none.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import urllib3

from shared.destinations.contract import Answer, Request
from shared.destinations.messages import ERASED, MOVED
from tests.simulation.expressions import Item
from tests.simulation.queues import Queue, Queues
from tests.support.vendors.hubspot import HubSpot
from tests.support.vendors.salesforce import Salesforce

NAME = "crm"
SECRET = '{"token": "pat-test", "client_id": "app", "client_secret": "hush"}'
FILE = b"""
vendor = "hubspot"
identify = {email = "customer_id"}
fields = {tessera_segment = "segment.id"}
"""
OF_SALESFORCE = b"""
vendor = "salesforce"
base_url = "https://org.example"
identify = {Tessera_Id__c = "customer_id"}
fields = {Segment__c = "segment.id"}
"""
IN_WORLDS = 5
"""Of so many seeds one has it."""
SALESFORCE_IN_WORLDS = 20
"""Of so many seeds one has Salesforce in its place, which takes many by jobs."""


class Destination:
    """What the vendor knows, and how it fails."""

    def __init__(self, seed: int, clock: Callable[[], int], queues: Queues, refused: str) -> None:
        self._rng = random.Random(-seed)
        self._clock = clock
        self.hubspot = HubSpot(refuses={refused: "Email address is invalid"})
        self.salesforce: Salesforce | None = None
        if seed % SALESFORCE_IN_WORLDS == SALESFORCE_IN_WORLDS - 6:
            refuses = {refused: ("INVALID_EMAIL_ADDRESS", "Email address is invalid")}
            self.salesforce = Salesforce(refuses=refuses, works_at_once=False)
            self._haste = self._rng.choice([0.03, 0.1, 0.5])
        self.rate = self._rng.choice([0.0, 0.2, 0.6])
        self._faults_left = 1_000_000
        self.down_until_ms = clock() + 1_000 * self._rng.choice([0, 0, 0, 3_600, 86_400])
        self.faults = Counter[str]()
        dead = queues.add(Queue(f"{NAME}-dead"))
        self.queue = queues.add(Queue(NAME, 1_080_000, 80, dead))

    @property
    def file(self) -> bytes:
        """The destination's file."""
        return OF_SALESFORCE if self.salesforce else FILE

    @property
    def segments(self) -> dict[str, str | None]:
        """Who is in which segment, as the vendor has it in the end, when nothing is under way any more."""
        if self.salesforce is None:
            return {name: contact.get("tessera_segment") for name, contact in self.hubspot.contacts.items()}
        for name in self.salesforce.jobs:
            self.salesforce.work(name)
        return {name: str(record.get("Segment__c")) for name, record in self.salesforce.records.items()}

    @property
    def refuses(self) -> set[str]:
        """Whom the vendor does not take."""
        return {*(self.salesforce or self.hubspot).refuses}

    def told(self, entries: Iterable[Item], queues: Queues) -> None:
        """What its rule on the bus puts into its queue: at least once, and in no order."""
        for entry in entries:
            detail = json.loads(entry["Detail"])
            if entry["DetailType"] != MOVED and NAME not in detail.get("destinations", ()):
                continue
            body = json.dumps({"destination": NAME, "detail-type": entry["DetailType"], "detail": detail})
            for _ in range(1 + (self._rng.random() < 0.1)):
                queues.send(NAME, body, self._rng.choice([0, 0, 0, 1, 30]))

    def answered(self, request: Item) -> Item:
        """The vendor's answer. Raises urllib3's error where none arrives."""
        asked = Request(request["method"], request["url"], request["headers"], request["body"])
        if self._clock() < self.down_until_ms:
            return _shown(self._counted("down", Answer(503)))
        vendor = self.salesforce or self.hubspot
        if self.salesforce:
            self._work(self.salesforce)
        if self._rng.random() >= self.rate or not self._faults_left:
            return _shown(vendor(asked))
        self._faults_left -= 1
        match self._rng.randrange(6):
            case 0:
                waits = {"retry-after": str(self._rng.choice([1, 30, 7_200]))}
                return _shown(self._counted("429", Answer(429, waits)))
            case 1:
                return _shown(self._counted("500 before the effect", Answer(500)))
            case 2:
                vendor(asked)
                return _shown(self._counted("500 after the effect", Answer(500)))
            case 3:
                self._counted("no answer", Answer(0))
            case 4:
                vendor(asked)
                self._counted("no answer after the effect", Answer(0))
            case _:
                return _shown(self._counted("a part", self._partly(asked)))
        raise urllib3.exceptions.ProtocolError("broken off")

    def _partly(self, asked: Request) -> Answer:
        """Takes some of a batch, and says of the others that they may come again."""
        if "/batch/" not in asked.url or self.salesforce:
            return (self.salesforce or self.hubspot)(asked)
        inputs = json.loads(asked.body)["inputs"]
        some = [one for one in inputs if self._rng.random() < 0.5]
        others = [one for one in inputs if one not in some]
        taken: Any = {"results": [], "errors": []}
        if some:
            part = Request(asked.method, asked.url, asked.headers, json.dumps({"inputs": some}).encode())
            taken |= json.loads(self.hubspot(part).body)
        errors = [
            {
                "category": "RATE_LIMITS",
                "message": "later",
                "context": {"objectWriteTraceId": [one["objectWriteTraceId"]]},
            }
            for one in others
        ]
        return Answer(207, {}, json.dumps({**taken, "errors": [*taken.get("errors", []), *errors]}).encode())

    def _work(self, salesforce: Salesforce) -> None:
        """Goes on with some jobs, in any order; now and then one fails."""
        for name in salesforce.jobs:
            if self._rng.random() < self._haste:
                salesforce.work(name, self._rng.randint(1, 4))
            elif self._faults_left and self._rng.random() < self.rate / 20:
                self._counted("a job failed", Answer(0))
                salesforce.fail(name)

    def settle(self) -> None:
        """It fails a few times more, which has to make no difference."""
        self._faults_left = 6
        self.down_until_ms = min(self.down_until_ms, self._clock() + 1_800_000)

    def _counted(self, kind: str, answer: Answer) -> Answer:
        self.faults[kind] += 1
        return answer


def _shown(answer: Answer) -> Item:
    return {"status": answer.status, "headers": {**answer.headers}, "body": answer.body}


def erasures(entries: Iterable[Item]) -> Iterable[Item]:
    """Entries of the bus that ask destinations to erase somebody."""
    return (entry for entry in entries if entry["DetailType"] == ERASED)
