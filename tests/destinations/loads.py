"""Salesforce with customers who are enough for a job, whose load is made small."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from shared.destinations import vendors
from shared.destinations.messages import Message
from shared.destinations.vendors.salesforce import LOAD, VENDOR
from tests.destinations.worlds import World, message
from tests.support.vendors.salesforce import Salesforce

FILE = b"""
vendor = "salesforce"
base_url = "https://o.example"
identify = {Tessera_Id__c = "customer_id"}
fields = {Segment__c = "segment.id"}
"""
SECRET = '{"client_id": "app", "client_secret": "hush"}'
MANY = [f"c{number}" for number in range(8)]


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    few = replace(VENDOR, load=replace(LOAD, fewest=4, most=10))
    monkeypatch.setattr(vendors, "VENDORS", {**vendors.VENDORS, "salesforce": few})
    yield


@pytest.fixture
def salesforce() -> Salesforce:
    return Salesforce(works_at_once=False)


@pytest.fixture
def world(salesforce: Salesforce) -> World:
    made = World(vendor=salesforce, file=FILE, secret=SECRET)
    made.store(*MANY)
    return made


def everybody(receives: int = 1) -> list[Message]:
    return [message(customer, receives=receives) for customer in MANY]


def paths(world: World) -> list[str]:
    return [f"{request.method} {request.url.rpartition('/services/data/v66.0/')[2]}" for request in world.requests]


def segments(salesforce: Salesforce) -> set[str]:
    return {segment(salesforce, customer) for customer in salesforce.records}


def segment(salesforce: Salesforce, customer: str) -> str:
    """As a job and a call alike leave it: a number there, a text here."""
    return str(salesforce.records[customer]["Segment__c"])


def come_again(world: World, seconds: int = 90) -> set[str]:
    world.now_ms += seconds * 1_000
    return world.deliver(*everybody(2)).again
