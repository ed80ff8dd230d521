"""What the table's requests and look-ups cost a function, and what they cost a bare client of DynamoDB. One stub
answers both.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterable
from itertools import batched
from typing import Any

import numpy as np

from bench.aws_stub import TABLE, AwsStub, metered
from bench.containers import Container, publish
from bench.imports import ROOT
from bench.reasons import bundle_folder
from bench.shop import shop_events
from bench.shop_day import shop_day, stored_profiles
from bench.work import Inputs, Work
from shared.aws.requests import UNCHECKED
from shared.features import fold
from shared.identity.keys import customer_id, customer_key
from shared.models.bundle import Bundle
from shared.profiles.item import encode_profile
from shared.profiles.stored_profile import item_key
from shared.profiles.table import READS_A_CALL, ProfileTable

_LOOKED_UP = 300
_PUTS_A_CALL = 25
"""What DynamoDB takes at the most."""


class Requests:
    """The profiles that the made-up shop's last events touch, before and after them."""

    def __init__(self, inputs: Inputs) -> None:
        self.day = shop_day(inputs)
        self.aws = AwsStub()
        self.aws.store(map(encode_profile, self.day.stored))
        self._client = self.aws.client("dynamodb")
        self._unchecked = self.aws.client("dynamodb", config=UNCHECKED)
        self._table = ProfileTable(self._unchecked, TABLE)
        self._items = {profile.key: encode_profile(profile) for profile in self.day.updated}
        self._touched = [customer_key(line["customer_id"]) for line in self.day.lines]

    def together(self) -> None:
        """Loads and saves them, as many at once as a function does."""
        self.aws.table.restore()
        for some in batched(self.day.updated, READS_A_CALL, strict=False):
            self._table.load(profile.key for profile in some)
            self._table.save(some)

    def bare(self) -> None:
        """Gets and puts the items as they are, by as few requests as take them; no condition is kept."""
        self.aws.table.restore()
        for some in batched(self.day.updated, READS_A_CALL, strict=False):
            wanted: Any = {"Keys": [item_key(profile.key) for profile in some]}
            self._unchecked.batch_get_item(RequestItems={TABLE: wanted})
            for few in batched(some, _PUTS_A_CALL, strict=False):
                puts: Any = [{"PutRequest": {"Item": self._items[profile.key]}} for profile in few]
                self._unchecked.batch_write_item(RequestItems={TABLE: puts})

    def one_by_one(self) -> None:
        """Gets and puts such an item for each event."""
        self.aws.table.restore()
        for key in self._touched:
            self._client.get_item(TableName=TABLE, Key=item_key(key))
            self._client.put_item(TableName=TABLE, Item=self._items[key])


def store_requests(inputs: Inputs) -> Work:
    """Load and save the profiles that events touch, and nothing else."""
    requests = Requests(inputs)
    return metered(requests.together, len(requests.day.lines), requests.aws)


def store_requests_bare(inputs: Inputs) -> Work:
    """Only get and put the items that these profiles are, many at once."""
    requests = Requests(inputs)
    return metered(requests.bare, len(requests.day.lines), requests.aws)


def store_requests_naive(inputs: Inputs) -> Work:
    """Get and put for each of the same events; the items are there already."""
    requests = Requests(inputs)
    return metered(requests.one_by_one, len(requests.day.lines), requests.aws)


class LookUps:
    """Customers of the made-up shop, looked up one after the other."""

    def __init__(self, inputs: Inputs) -> None:
        profiles = fold(shop_events(min(inputs.customers, _LOOKED_UP)))
        stored = stored_profiles(profiles, Bundle.load(bundle_folder(inputs.purchases)))
        self.keys = [profile.key for profile in stored]
        self.aws = AwsStub()
        publish(self.aws, bundle_folder(inputs.purchases))
        self.aws.store(map(encode_profile, stored))
        self._function = Container("lookup_customer", self.aws)
        asked = json.loads((ROOT / "events/lookup_customer.json").read_text())
        self._events = [_of_customer(asked, customer_id(key)) for key in self.keys]
        self.facts: dict[str, float] = {}
        self.run()

    def run(self) -> list[Any]:
        """The answers of the function."""
        with self._function.awake():
            return _timed_each(self._function, self._events, self.facts)


def lookup(inputs: Inputs) -> Work:
    """Answer one request of the API after the other, without reasons."""
    ups = LookUps(inputs)
    return Work(ups.run, len(ups.keys), ups.facts)


def bare_get_item(inputs: Inputs) -> Work:
    """Only get the same items."""
    ups = LookUps(inputs)
    client = ups.aws.client("dynamodb")
    facts: dict[str, float] = {}

    def get(key: str) -> Any:
        return client.get_item(TableName=TABLE, Key=item_key(key))

    return Work(lambda: _timed_each(get, ups.keys, facts), len(ups.keys), facts)


def _of_customer(asked: dict[str, Any], customer: str) -> dict[str, Any]:
    """A request of the API for another customer."""
    event = copy.deepcopy(asked)
    event["path"] = f"/customers/{customer}/segment"
    event["pathParameters"]["customer_id"] = customer
    event["requestContext"]["path"] = f"/v1{event['path']}"
    return event


def _timed_each[Asked](of: Callable[[Asked], Any], asked: Iterable[Asked], facts: dict[str, float]) -> list[Any]:
    answers = []
    milliseconds = []
    for one in asked:
        began = time.perf_counter()
        answers.append(of(one))
        milliseconds.append((time.perf_counter() - began) * 1_000)
    median = round(float(np.median(milliseconds)), 4)
    facts["median_ms"] = min(facts.get("median_ms", median), median)
    return answers
