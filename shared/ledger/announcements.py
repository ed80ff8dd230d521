"""Moves as events on the stack's bus."""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import batched
from typing import TYPE_CHECKING, Any

import msgspec

from shared.aws.backoff import Sleep, attempts
from shared.aws.message_text import message_text
from shared.decisions import audience_moves, transitions
from shared.decisions.audience_moves import AudienceMove
from shared.decisions.transitions import Transition
from shared.identity.keys import customer_id

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

type Move = Transition | AudienceMove

SOURCE = "tessera"
DETAIL_TYPE = "Customer Segment Changed"
ENTERED, LEFT = "Customer Entered Audience", "Customer Left Audience"
ENTRIES_A_CALL = 10
CALLS_AT_MOST = 5


class Announcer:
    """Publishes moves at least once each."""

    def __init__(self, client: EventBridgeClient, bus: str, sleep: Sleep = time.sleep) -> None:
        self._client = client
        self._bus = bus
        self._sleep = sleep

    def publish(self, transitions: Iterable[Move]) -> set[str]:
        """Returns the ids of those that the bus refused in every attempt, entry by entry; all others are published."""
        refused: set[str] = set()
        for some in batched(transitions, ENTRIES_A_CALL, strict=False):
            refused |= {moved.id for moved in self._publish(some)}
        return refused

    def _publish(self, waiting: tuple[Move, ...]) -> tuple[Move, ...]:
        for _ in attempts(CALLS_AT_MOST, self._sleep):
            entries = self._client.put_events(Entries=[*map(self._entry, waiting)])["Entries"]
            waiting = tuple(moved for moved, entry in zip(waiting, entries, strict=True) if entry.get("ErrorCode"))
            if not waiting:
                break
        return waiting

    def _entry(self, moved: Move) -> Any:
        detail = {"customer_id": customer_id(moved.key), **_answer(moved)}
        return {
            "EventBusName": self._bus,
            "Source": SOURCE,
            "DetailType": _detail_type(moved),
            # Rules lead it into queues.
            "Detail": message_text(msgspec.json.encode(detail).decode()),
        }


def _detail_type(moved: Move) -> str:
    if isinstance(moved, Transition):
        return DETAIL_TYPE
    return ENTERED if moved.entered else LEFT


def _answer(moved: Move) -> dict[str, Any]:
    return transitions.answer(moved) if isinstance(moved, Transition) else audience_moves.answer(moved)
