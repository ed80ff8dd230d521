"""The end of the demo: an audience, who is in it, who is kept out, and what arrives at a shop's own address."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.console import console, step
from local.emulator import LocalStackError
from local.receiver import Received, receiving
from local.stack import PACKED_TEMPLATE, Stack, redeploy
from shared.destinations.vendors.webhook import PREFIX, SIGNING

DESTINATION = "shop"
AUDIENCE = "slipping_away"
DEFINITION = {
    "name": "Worth keeping, and staying away",
    "where": "expected_ltv > 200 and days_since_order > 7",
    "holdout": 0.2,
    "action": "win_back_offer",
    "destinations": [DESTINATION],
    "why": "the demo",
}
FILE = """
vendor = "webhook"
moves = false
identify = {{customer_id = "customer_id"}}
base_url = "{url}"
[fields]
segment = "segment.name"
churn = "predictions.churn_probability"
value = "predictions.expected_ltv"
audiences = "audiences"
"""
PATIENCE_SECONDS = 240
SETTLED_SECONDS = 10
"""Without another member, after which all have come."""
EXAMPLES = 3


@dataclass(frozen=True)
class Acted:
    """What came of an audience."""

    preview: dict[str, Any]
    members: int
    held_back: int
    received: Received
    seconds: float


def act(stack: Stack, clock: str) -> Acted:
    """Publishes an audience with a control group, and waits until all of it has arrived that is to.

    Raises LocalStackError where it does not.
    """
    secret = PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
    with receiving(secret) as received:
        file = FILE.format(url=received.url)
        stack.s3.put_object(Bucket=stack.bucket, Key=f"destinations/{DESTINATION}.toml", Body=file.encode())
        _keep(stack, secret)
        stack = redeploy(stack, PACKED_TEMPLATE, clock, Destinations=DESTINATION)
        with step("Published an audience and waited for its members"):
            preview = _asked(stack, "POST", "/audiences/preview", {"where": DEFINITION["where"]})
            began = time.monotonic()
            _asked(stack, "PUT", f"/audiences/{AUDIENCE}", DEFINITION)
            members = _settled(stack)
            arms = {member: _arm(stack, member) for member in members}
            treated = {member for member, arm in arms.items() if arm == "treatment"}
            _until(lambda: treated <= received.customers.keys(), "deliveries")
            seconds = received.latest - began
        if received.customers.keys() - treated or received.unsigned:
            raise LocalStackError("somebody was approached who is in the control group, or without a signature")
    return Acted(preview, len(members), len(members) - len(treated), received, seconds)


def show(acted: Acted) -> None:
    """Print what came of it."""
    about = "about " if acted.preview["estimated"] else ""
    console.print(
        f"\nAn audience with a rule of its own: {DEFINITION['where']}\n"
        f"  tried out before: {about}{acted.preview['size']:,} of {acted.preview['of']:,} households;"
        f" published: {acted.members:,} members, {acted.held_back:,} of whom are held back as a control group.\n"
        f"  {len(acted.received.customers):,} were sent to the shop's own address, signed, {acted.seconds:.0f} s after"
        " the rule was published; nobody of the control group was.",
        soft_wrap=True,
    )
    for customer, fields in sorted(acted.received.customers.items())[:EXAMPLES]:
        console.print(f"  {customer}: {json.dumps(fields)}", soft_wrap=True, markup=False)


def _keep(stack: Stack, secret: str) -> None:
    client = stack.emulator.session.client("secretsmanager", endpoint_url=stack.endpoint)
    name = f"tessera/destinations/{DESTINATION}"
    client.create_secret(Name=name, SecretString=json.dumps({SIGNING: secret}))


def _asked(stack: Stack, method: str, path: str, body: Any = None) -> Any:
    status, answer = stack.api(method, path, body)
    if status != 200:
        raise LocalStackError(f"{method} {path} answered {status}: {answer}")
    return answer


def _settled(stack: Stack) -> list[str]:
    """All members, once there are some and none have come for a while."""
    size = 0
    since = time.monotonic()

    def settled() -> list[str] | None:
        nonlocal size, since
        (audience,) = _asked(stack, "GET", "/audiences")["audiences"]
        if audience["size"] != size:
            size = audience["size"]
            since = time.monotonic()
        if not size or time.monotonic() - since < SETTLED_SECONDS:
            return None
        members = _members(stack)
        return members if len(members) == size else None

    return _until(settled, "members")


def _members(stack: Stack) -> list[str]:
    members: list[str] = []
    cursor = ""
    while True:
        page = _asked(stack, "GET", f"/audiences/{AUDIENCE}/customers?limit=100{cursor}")
        members += [each["customer_id"] for each in page["customers"]]
        if page["cursor"] is None:
            return members
        cursor = f"&cursor={page['cursor']}"


def _arm(stack: Stack, customer: str) -> str:
    (membership,) = _asked(stack, "GET", f"/customers/{customer}/segment")["audiences"]
    return str(membership["arm"])


def _until[T](looked_for: Callable[[], T | None], what: str) -> T:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if found := looked_for():
            return found
        time.sleep(0.5)
    raise LocalStackError(f"the audience's {what} are not there after {PATIENCE_SECONDS} s")
