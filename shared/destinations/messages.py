"""What a destination's queue brings: moves and entries as the bus tells of them, and what we queue there ourselves.

A rule puts the destination's name around each event, so that a message means the same in whichever queue it waits:

    {"destination": "hubspot", "detail-type": "Customer Entered Audience", "detail": {"customer_id": "889", …}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from shared.aws.message_text import message_text
from shared.destinations.destination_file import NAME
from shared.destinations.steps import DAY_MINUTES, LEAVES, ORDERS, Conditions, Quiet
from shared.events.event import parse_timestamp
from shared.identity.keys import LONGEST_ID
from shared.telemetry.errors import AnonymousError

MOVED, ENTERED, LEFT = "Customer Segment Changed", "Customer Entered Audience", "Customer Left Audience"
WANTED, ERASED, JOB = "Customer Wanted", "Customer Erased", "Delivery Job"
"""Somebody is to be told of again; is to be erased there too; what a vendor took is to be asked for."""
STEP = "Customer Journey Step"
"""A journey sends somebody, under the name of a campaign."""
ABOUT = (MOVED, ENTERED, LEFT, WANTED, STEP)
LATEST_MS = 10**13
"""Times are written with as many digits."""
ROWS_A_JOB = 200
"""Deliveries in one message that asks for them, so that it fits the queue."""


class NoMessage(AnonymousError):
    """A queue holds what no rule and no code of this system puts there."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message. Times are UTC milliseconds."""

    id: str
    handle: str
    body: str
    sent_ms: int
    receives: int
    """How often it has been taken from the queue, this time included."""
    destination: str
    kind: str
    detail: Mapping[str, Any] = field(repr=False)

    @property
    def customer_id(self) -> str:
        """Whom it is about."""
        return str(self.detail["customer_id"])

    @property
    def transition_id(self) -> str:
        """The same whenever the same is told."""
        return str(self.detail["transition_id"])

    @property
    def at_ms(self) -> int:
        """When what it tells of happened."""
        return parse_timestamp(self.detail["at"])

    @property
    def audience(self) -> str | None:
        """The audience that was entered or left."""
        return self.detail.get("audience") if self.kind in (ENTERED, LEFT) else None

    @property
    def campaign(self) -> str | None:
        """What a journey sends."""
        return str(self.detail["campaign"]) if self.kind == STEP else None

    @property
    def conditions(self) -> Conditions:
        """Of what a journey sends."""
        quiet = self.detail["quiet"]
        return Conditions(
            self.detail["audience"],
            parse_timestamp(self.detail["entered_at"]),
            tuple(self.detail["stop_when"]),
            Quiet(*quiet) if quiet else None,
        )

    @property
    def is_held_back(self) -> bool:
        """Whether the customer is of the audience's control group."""
        return self.detail.get("arm") == "control"


def read(record: Mapping[str, Any]) -> Message:
    """A record of SQS. Raises NoMessage for what cannot be acted on, however often it comes."""
    try:
        document = msgspec.json.decode(record["body"])
        attributes = record["attributes"]
        message = Message(
            record["messageId"],
            record["receiptHandle"],
            record["body"],
            int(attributes["SentTimestamp"]),
            int(attributes["ApproximateReceiveCount"]),
            document["destination"],
            document["detail-type"],
            document["detail"],
        )
        ok = isinstance(message.detail, dict) and NAME.fullmatch(message.destination) and _is_whole(message)
    except (ArithmeticError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise NoMessage("this is no message of a destination") from error
    if not ok:
        raise NoMessage("this is no message of a destination")
    return message


def _is_whole(message: Message) -> bool:
    detail = message.detail
    if message.kind in ABOUT:
        texts = [detail["customer_id"], detail["transition_id"], detail.get("audience", ""), detail.get("arm", "")]
        if message.kind == STEP:
            texts.append(detail["campaign"])
            _check_conditions(message.conditions)
        whole = all(isinstance(text, str) and len(text.encode()) <= 4 * LONGEST_ID for text in texts)
        needs_audience = message.kind in (ENTERED, LEFT)
        return whole and 0 <= message.at_ms < LATEST_MS and bool(not needs_audience or detail.get("audience"))
    if message.kind == ERASED:
        return all(isinstance(detail[name], str) for name in ("customer_id", "id", "step"))
    rows = detail["rows"]
    return message.kind == JOB and isinstance(detail["job"], str) and all(len(row) == 4 for row in rows)


def _check_conditions(conditions: Conditions) -> None:
    """Raises ValueError and TypeError."""
    quiet = conditions.quiet
    is_a_day = quiet is None or all(0 <= minute < DAY_MINUTES for minute in (quiet.begin, quiet.end))
    if not is_a_day or not {*conditions.stops} <= {LEAVES, ORDERS}:
        raise ValueError("conditions that no journey has")


def body(destination: str, kind: str, detail: Mapping[str, Any]) -> str:
    """A message as the queue takes it."""
    document = {"destination": destination, "detail-type": kind, "detail": detail}
    return message_text(json.dumps(document, ensure_ascii=False))
