"""What tells destinations that a customer is to be erased there too: events on the bus, which rules lead to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import batched
from typing import TYPE_CHECKING, Any

import msgspec

from shared.aws.message_text import message_text
from shared.destinations.messages import ERASED
from shared.erasure.receipts import Step
from shared.identity.keys import customer_id
from shared.ledger.announcements import ENTRIES_A_CALL, SOURCE
from shared.telemetry.errors import AnonymousError

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient


class NotTold(AnonymousError):
    """The bus refused events; the step that sends them comes again."""


def telling(events: EventBridgeClient, bus: str) -> Callable[[Step, Sequence[tuple[str, str]]], None]:
    """What publishes an event for each destination and the name that it knows a customer by. Raises NotTold."""

    def tell(step: Step, names: Sequence[tuple[str, str]]) -> None:
        for some in batched(names, ENTRIES_A_CALL, strict=False):
            entries = [_entry(bus, step, destination, name) for destination, name in some]
            if events.put_events(Entries=entries)["FailedEntryCount"]:
                raise NotTold("the bus refused to tell destinations of an erasure")

    return tell


def _entry(bus: str, step: Step, destination: str, name: str) -> Any:
    detail = {
        "destinations": [destination],
        "customer_id": customer_id(step.key),
        "id": name,
        "step": step.message,
    }
    return {
        "EventBusName": bus,
        "Source": SOURCE,
        "DetailType": ERASED,
        "Detail": message_text(msgspec.json.encode(detail).decode()),
    }
