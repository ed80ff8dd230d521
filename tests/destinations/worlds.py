"""A table in memory with customers, a vendor, and messages about them, to be delivered."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from shared.audiences.audience import Audience, Audiences
from shared.audiences.rules import Comparison, Literal
from shared.decisions.decision import iso
from shared.destinations.calling import Calls
from shared.destinations.contract import Answer, Request
from shared.destinations.deliveries import Deliveries, Delivery
from shared.destinations.delivering import Delivered, Delivering
from shared.destinations.known_destinations import Destination, KnownDestinations, destination_key
from shared.destinations.latest import Customers
from shared.destinations.loading import Loading
from shared.destinations.messages import MOVED, STEP, Message, body, read
from shared.destinations.open_jobs import OpenJobs
from shared.destinations.pacing import Pace
from shared.features.time_zone import UTC_TIME
from shared.identity.keys import customer_key
from shared.models.manifests import Manifests
from shared.profiles.item import encode_profile
from shared.profiles.table import ProfileTable
from shared.recommending.recommender import Recommender
from tests.destinations.accounts import NOW_MS
from tests.simulation.table import Table
from tests.support.memory_client import Client
from tests.support.stored_profiles import decision, profile
from tests.support.vendors.hubspot import HubSpot

ALWAYS = Comparison("=", Literal(1.0), Literal(1.0))
WIN_BACK = Audiences(
    1,
    tuple(
        Audience(key, key, "", ALWAYS, 1, 0.1, None, named) for key, named in (("win_back", ("crm",)), ("quiet", ()))
    ),
)
"""Of two audiences one is for this destination."""
HUBSPOT = b"""
vendor = "hubspot"
identify = {email = "customer_id"}
fields = {tessera_segment = "segment.id"}
"""


class Bucket:
    """S3, as far as one reads objects of it."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects = objects

    def get_object(self, *, Bucket: str, Key: str, **_: Any) -> Any:
        from io import BytesIO

        from botocore.exceptions import ClientError

        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        stored = self.objects[Key]
        return {"Body": BytesIO(stored), "ContentLength": len(stored), "ETag": str(hash(stored))}


def message(customer: str, number: int = 1, kind: str = MOVED, receives: int = 1, **detail: Any) -> Message:
    content = {"customer_id": customer, "transition_id": f"t-{customer}-{number}", "at": iso(NOW_MS + number), **detail}
    return read(queued(body("crm", kind, content), f"m-{customer}-{number}", receives))


def step(customer: str, number: int = 1, campaign: str = "hello", arm: str = "treatment", **changes: Any) -> Message:
    """What a journey sends, whatever happens, but for `changes`."""
    conditions: dict[str, Any] = {"audience": "cart", "entered_at": iso(NOW_MS), "stop_when": [], "quiet": None}
    return message(customer, number, STEP, **{"campaign": campaign, "arm": arm, **conditions, **changes})


def queued(text: str, message_id: str = "m", receives: int = 1) -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": str(receives), "SentTimestamp": str(NOW_MS)}
    arn = "arn:aws:sqs:eu-west-1:123456789012:crm"
    return {
        "messageId": message_id,
        "receiptHandle": f"h-{message_id}",
        "body": text,
        "attributes": attributes,
        "eventSourceARN": arn,
    }


@dataclass
class World:
    """Everything in memory; `vendor` takes the calls."""

    vendor: Callable[[Request], Answer] = field(default_factory=HubSpot)
    file: bytes = HUBSPOT
    secret: str = '{"token": "pat-test"}'
    now_ms: int = NOW_MS
    table: Table = field(init=False)
    exposed: list[dict[str, Any]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    before_answer: Callable[[], object] = lambda: None
    time_left: bool = True
    audiences: Audiences = WIN_BACK
    recommender: Recommender | None = None

    def __post_init__(self) -> None:
        self.table = Table(lambda: self.now_ms, lambda: False)
        client: Any = Client(self.table)
        bucket: Any = Bucket({destination_key("crm"): self.file})
        self.known = KnownDestinations(bucket, "bucket", lambda name: self.secret)
        self.deliveries = Deliveries(client, "table", 400, self._sleep)
        self.customers = Customers(
            ProfileTable(client, "table", self._sleep), Manifests(bucket, "bucket"),
            lambda: self.recommender, lambda: self.now_ms,
        )  # fmt: skip
        self.pace = Pace(client, "table", lambda: self.now_ms, self._sleep)
        self.loading = Loading(self.deliveries, OpenJobs(client, "table"), lambda: self.now_ms)
        self.delivering = Delivering(
            self.customers, self.deliveries, self._expose, lambda: self.audiences, UTC_TIME, lambda: self.now_ms,
            self.loading,
        )  # fmt: skip

    def store(self, *customers: str, segment: int = 1, version: int = 1, **changes: Any) -> None:
        """Customers with a decision, as they are stored from now on."""
        for customer in customers:
            made = {"decision": decision(segment=segment), **changes}
            item = encode_profile(profile(customer_key(customer), version, **made))
            self.table.put_item({"Item": item})

    @property
    def destination(self) -> Destination:
        return self.known.get("crm", 0.0)

    def calls(self) -> Calls:
        return Calls(self.destination, self.pace, self._send, lambda: self.now_ms, lambda: self.time_left, self._sleep)

    def deliver(self, *messages: Message) -> Delivered:
        return self.delivering.deliver(self.destination, messages, self.calls())

    def rows(self, customer: str) -> list[Delivery]:
        return self.deliveries.page(customer_key(customer), 100)[0]

    def states(self, customer: str) -> list[tuple[str, str]]:
        return [(row.state, row.reason) for row in self.rows(customer)]

    def _send(self, request: Request) -> Answer:
        self.requests.append(request)
        answer = self.vendor(request)
        self.before_answer()
        return answer

    def _expose(self, events: Any) -> None:
        self.exposed += [json.loads(event) for event in events]

    def _sleep(self, seconds: float) -> None:
        self.now_ms += max(1, round(seconds * 1_000))
