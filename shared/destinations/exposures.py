"""Exposures as events: that somebody was to be approached, and whether they were, said before anything is sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence

from shared.decisions.decision import iso
from shared.destinations.destination_file import DestinationFile
from shared.destinations.messages import ENTERED, MOVED, STEP, Message

EVENT_TYPE = "campaign_exposure"
type Expose = Callable[[Sequence[bytes]], object]
"""Hands events to the intake that all live events go through."""


def exposures(messages: Iterable[Message], file: DestinationFile) -> list[bytes]:
    """An event for each who is to be approached, or would be but for being in the control group.

    The same message always makes the same event, whose id makes it count once.
    """
    campaigns = ((message, campaign_of(message, file)) for message in messages)
    return [_event(message, campaign) for message, campaign in campaigns if campaign]


def campaign_of(message: Message, file: DestinationFile) -> str | None:
    """What a message begins for its customer: what a journey sends, the audience they enter, or the campaign that the
    file says moves are."""
    if message.kind == ENTERED:
        return message.audience
    if message.kind == STEP:
        return message.campaign
    return file.campaign or None if message.kind == MOVED else None


def _event(message: Message, campaign: str) -> bytes:
    unique = f"{message.destination} {message.transition_id}"
    event = {
        "event_id": "exposure-" + hashlib.blake2b(unique.encode(), digest_size=16).hexdigest(),
        "event_type": EVENT_TYPE,
        "timestamp": iso(message.at_ms),
        "customer_id": message.customer_id,
        "campaign": campaign,
        "arm": "control" if message.is_held_back else "treatment",
    }
    return json.dumps(event).encode()
