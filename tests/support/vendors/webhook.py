"""A receiver that checks and takes messages as Standard Webhooks tell receivers to."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

from shared.destinations.contract import Answer, Request
from tests.support.vendors.answers import answered

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


@dataclass
class Receiver:
    customers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What is known of each, the newest version."""
    effects: list[str] = field(default_factory=list)
    """Ids of the messages that did anything."""
    erased: list[str] = field(default_factory=list)
    calls: int = 0

    def __call__(self, request: Request) -> Answer:
        self.calls += 1
        headers = request.headers
        signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), request.body])
        expected = "v1," + base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        if expected not in headers["webhook-signature"].split():
            return answered(401, {"message": "no signature of it is right"})
        if headers["webhook-id"] in self.effects:
            return answered(200)
        self.effects.append(headers["webhook-id"])
        message = json.loads(request.body)
        if message["type"] == "customer.erased":
            self.erased.append(message["data"]["id"])
            self.customers.pop(message["data"]["id"], None)
        elif message["data"]["version"] > self.customers.get(message["data"]["id"], {"version": -1})["version"]:
            self.customers[message["data"]["id"]] = message["data"]
        return answered(204)
