"""What goes wrong with calls, drawn from the seed."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from tests.simulation.cloud import changes
from tests.simulation.expressions import Item
from tests.simulation.table import Refused, cancelled

THROTTLED = {
    "dynamodb": "ProvisionedThroughputExceededException",
    "s3": "SlowDown",
    "sqs": "ThrottlingException",
    "events": "ThrottlingException",
    "stepfunctions": "ThrottlingException",
    "secretsmanager": "ThrottlingException",
}
BROKEN = {"dynamodb": "InternalServerError", "s3": "InternalError"}
OF_STATEMENTS = ("ThrottlingError", "ProvisionedThroughputExceeded", "TransactionConflict", "InternalServerError")


class Killed(BaseException):
    """The container is gone."""


@dataclass
class Faults:
    """Draws a fault for a call now and then, and counts them by kind."""

    rng: random.Random
    rate: float = 0.0
    kills: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)

    def draw(self, service: str, operation: str, request: Item) -> str | None:
        """The kind of fault that the call meets."""
        chance = self.rng.random()
        if chance < self.kills:
            return self._counted("killed before the call" if self.rng.random() < 0.5 else "killed after the call")
        if chance >= self.kills + self.rate:
            return None
        if service == "vendor":
            return None  # which fails by itself
        kinds = ["throttled", "no connection", "broken before the effect"]
        if changes(operation):
            kinds += ["broken after the effect", "answer lost after the effect", "done twice"]
        if _parts(operation, request) > 0:
            kinds += ["partial"] * 3
        if operation == "TransactWriteItems":
            kinds += ["conflict"] * 2
        if operation == "GetObject":
            kinds += ["body broken off"]
        return self._counted(self.rng.choice(kinds))

    def _counted(self, kind: str) -> str:
        self.counts[kind] += 1
        return kind

    def before(self, kind: str | None, service: str, operation: str, request: Item) -> None:
        """Raises where the fault comes before the effect."""
        match kind:
            case "killed before the call":
                raise Killed
            case "throttled":
                raise Refused(THROTTLED[service], "slow down", 400)
            case "no connection":
                raise EndpointConnectionError(endpoint_url=f"https://{service}.example")
            case "broken before the effect":
                raise Refused(BROKEN.get(service, "InternalFailure"), "broken", 500)
            case "conflict":
                codes = ["None"] * len(request["TransactItems"])
                codes[self.rng.randrange(len(codes))] = "TransactionConflict"
                raise cancelled(codes)

    def after(self, kind: str | None, service: str, operation: str, answer: Item) -> Item:
        """The answer that arrives. Raises where none does."""
        match kind:
            case "killed after the call":
                raise Killed
            case "broken after the effect":
                raise Refused(BROKEN.get(service, "InternalFailure"), "broken", 500)
            case "answer lost after the effect":
                raise ReadTimeoutError(endpoint_url=f"https://{service}.example")
            case "body broken off":
                answer["Body"] = _BrokenBody(answer["Body"], self.rng.randrange(answer["ContentLength"] + 1))
        return answer

    def split(self, operation: str, request: Item) -> tuple[Item | None, dict[Any, Any]]:
        """What of a batch is done, and what not: by key, or by number where answers come one by one."""
        if operation in ("BatchGetItem", "BatchWriteItem"):
            ((table, wanted),) = request["RequestItems"].items()
            parts = wanted["Keys"] if operation == "BatchGetItem" else wanted
            # By what they are, so that the order in a set of texts does not matter.
            left = [part for part in sorted(parts, key=repr) if self.rng.random() < 0.5]
            done = [part for part in parts if part not in left]
            shape = (lambda some: {**wanted, "Keys": some}) if operation == "BatchGetItem" else list
            return ({"RequestItems": {table: shape(done)}} if done else None), ({table: shape(left)} if left else {})
        parts = request["Statements"] if operation == "BatchExecuteStatement" else request["Entries"]
        return request, {i: self.rng.choice(OF_STATEMENTS) for i in range(len(parts)) if self.rng.random() < 0.5}


class _BrokenBody:
    """A body whose connection breaks off."""

    def __init__(self, body: Any, left: int) -> None:
        self._body = body
        self._left = left

    def read(self, size: int | None = None) -> bytes:
        if self._left <= 0:
            raise ReadTimeoutError(endpoint_url="https://s3.example")
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        content: bytes = self._body.read(wanted)
        self._left -= len(content)
        if size is None or size < 0 or not content:
            raise ReadTimeoutError(endpoint_url="https://s3.example")
        return content

    def close(self) -> None:
        self._body.close()


def _parts(operation: str, request: Item) -> int:
    match operation:
        case "BatchGetItem" | "BatchWriteItem":
            return len(request["RequestItems"])
        case "BatchExecuteStatement":
            return len(request["Statements"])
        case "PutEvents":
            return len(request["Entries"])
    return 0
