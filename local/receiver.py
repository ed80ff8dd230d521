"""A shop's own address on this machine, which takes what a destination sends as Standard Webhooks say."""

from __future__ import annotations

import hmac
import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local.emulator import LOOPBACK
from shared.destinations.vendors.webhook import signature


@dataclass
class Received:
    """What came, the latest of each customer."""

    url: str
    customers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Their fields, by id."""
    campaigns: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Whom a journey sent what, as the field `campaign` says."""
    latest: float = 0.0
    """When the last came, by a monotonic clock."""
    unsigned: int = 0
    """Calls whose signature was wrong, which were refused."""


@contextmanager
def receiving(secret: str) -> Iterator[Received]:
    """Listens throughout the body; calls are signed with the `secret`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            wanted = signature(secret, self.headers["webhook-id"], int(self.headers["webhook-timestamp"]), body)
            if not hmac.compare_digest(wanted, self.headers["webhook-signature"]):
                received.unsigned += 1
                self.send_error(401)
                return
            data = json.loads(body)["data"]
            received.customers[data["customer_id"]] = data["fields"]
            if campaign := data["fields"].get("campaign"):
                received.campaigns[campaign].add(data["customer_id"])
            received.latest = time.monotonic()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing of each call."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    received = Received(f"http://{LOOPBACK}:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
