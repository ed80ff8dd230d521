"""The end of the demo: an audience, who is in it, who is kept out, and what arrives at a shop's own address."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.clock import set_clock
from local.console import console, step
from local.emulator import LocalStackError
from local.receiver import Received, receiving
from local.stack import PACKED_TEMPLATE, Stack, redeploy
from operations.audiences import NAMES
from shared.audiences.publishing import Reason
from shared.decisions.decision import iso
from shared.destinations.vendors.webhook import PREFIX, SIGNING
from shared.durations import HOUR_MS
from shared.events.event import parse_timestamp
from shared.journeys.defining import read_journeys
from shared.journeys.publishing import publish

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
campaign = "campaign"
"""
JOURNEY = "come_back"
CAMPAIGN = "we_miss_you"
JOURNEYS = f"""
cap = {{sends = 1, days = 7}}
[[journey]]
key = "{JOURNEY}"
audience = "{AUDIENCE}"
steps = [
  {{wait = "1 hour"}},
  {{check = "audience"}},
  {{send = "{DESTINATION}", campaign = "{CAMPAIGN}"}},
]
"""
PATIENCE_SECONDS = 480
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
    waiting: dict[str, Any]
    """The journey as the API tells of it while all wait."""
    ended: dict[str, Any]


def act(stack: Stack, clock: str) -> Acted:
    """Publishes an audience with a control group and a journey of its members, and waits until all has arrived that is
    to.

    Raises LocalStackError where it does not.
    """
    secret = PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
    with receiving(secret) as received:
        file = FILE.format(url=received.url)
        stack.s3.put_object(Bucket=stack.bucket, Key=f"destinations/{DESTINATION}.toml", Body=file.encode())
        keep_secret(stack, DESTINATION, secret)
        stack = redeploy(stack, PACKED_TEMPLATE, clock, Destinations=DESTINATION)
        with step("Published an audience and waited for its members"):
            publish(stack.s3, stack.bucket, read_journeys(JOURNEYS, NAMES), JOURNEYS, Reason(clock, "demo", ""))
            preview = _asked(stack, "POST", "/audiences/preview", {"where": DEFINITION["where"]})
            began = time.monotonic()
            _asked(stack, "PUT", f"/audiences/{AUDIENCE}", DEFINITION)
            members = _settled(stack)
            arms = {member: _arm(stack, member) for member in members}
            treated = {member for member, arm in arms.items() if arm == "treatment"}
            _until(lambda: treated <= received.customers.keys(), "deliveries")
            seconds = received.latest - began
        with step("Let an hour pass for those who are on a journey"):
            waiting = _until(lambda: _on_the_journey(stack, len(members)), "journeys")
            set_clock(stack.emulator.session, stack.endpoint, iso(parse_timestamp(clock) + HOUR_MS))
            ended = _until(lambda: _at_its_end(stack, len(members)), "journeys")
            # An hour may be what somebody leaves for, whose journey ends with it.
            sent = received.campaigns[CAMPAIGN]
            _until(lambda: bool(sent) and treated & {*_members(stack)} <= sent, "journeys' steps")
        if (received.customers.keys() | sent) - treated or received.unsigned:
            raise LocalStackError("somebody was approached who is in the control group, or without a signature")
    return Acted(preview, len(members), len(members) - len(treated), received, seconds, waiting, ended)


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
    sent = len(acted.received.campaigns[CAMPAIGN])
    done = sum(acted.ended["ended"].values())
    console.print(
        f"\nA journey of theirs: {', then '.join(one['does'] for one in acted.waiting['steps'])}\n"
        f"  {acted.waiting['customers']:,} waited; an hour later it had ended for {done:,}:"
        f" {sent:,} were sent {CAMPAIGN}, and the control group nothing.",
        soft_wrap=True,
    )
    for customer, fields in sorted(acted.received.customers.items())[:EXAMPLES]:
        console.print(f"  {customer}: {json.dumps(fields)}", soft_wrap=True, markup=False)


def keep_secret(stack: Stack, destination: str, secret: str) -> None:
    """Keeps what calls of a webhook are signed with."""
    client = stack.emulator.session.client("secretsmanager", endpoint_url=stack.endpoint)
    name = f"tessera/destinations/{destination}"
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


def _on_the_journey(stack: Stack, members: int) -> Any:
    journey = _asked(stack, "GET", f"/journeys/{JOURNEY}")
    return journey if journey["customers"] == members else None


def _at_its_end(stack: Stack, members: int) -> Any:
    journey = _asked(stack, "GET", f"/journeys/{JOURNEY}")
    return journey if sum(journey["ended"].values()) >= members else None


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
        if value := looked_for():
            return value
        time.sleep(0.5)
    raise LocalStackError(f"the audience's {what} are not there after {PATIENCE_SECONDS} s")
