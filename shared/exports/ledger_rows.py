"""Rows of the tables that the ledger's items, and those of deliveries, become."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from shared.decisions.audience_moves import AudienceMove
from shared.decisions.transitions import Transition
from shared.destinations.deliveries import PARTITION, Delivery, decode_delivery
from shared.exports.rows import Rows, numbers, predictions, texts
from shared.identity.keys import customer_id
from shared.ledger import audience_rows, rows
from shared.profiles.item import Item
from shared.profiles.members import MOVES

type Move = Transition | AudienceMove


def whose(item: Item) -> str:
    """The profile key of the customer that a row is of."""
    key: str = item["pk"]["S"]
    return key.removeprefix(MOVES).removeprefix(PARTITION)


def recorded_ms(item: Item) -> int:
    """The clock's time at which a row was written last; of moves that a release before kept, when they happened."""
    for name in (rows.RECORDED, "updated_ms", "at_ms"):
        if name in item:
            return int(item[name]["N"])
    raise KeyError("a row without a time")


def moves(items: Sequence[Item]) -> Rows:
    """The moves that items of the ledger are [n]."""
    made = [_move(item) for item in items]

    def of_segments(value: Callable[[Transition], Any]) -> list[Any]:
        return [value(one) if isinstance(one, Transition) else None for one in made]

    def of_audiences(value: Callable[[AudienceMove], Any]) -> list[Any]:
        return [value(one) if isinstance(one, AudienceMove) else None for one in made]

    return {
        "transition_id": texts(one.id for one in made),
        "customer_id": texts(customer_id(one.key) for one in made),
        "type": texts("segment" if isinstance(one, Transition) else "audience" for one in made),
        "happened_at": numbers(one.at_ms for one in made),
        "cause": texts(one.cause.value for one in made),
        "from_segment_id": numbers(of_segments(lambda one: one.left)),
        "to_segment_id": numbers(of_segments(lambda one: one.entered)),
        "audience": texts(of_audiences(lambda one: one.audience)),
        "audience_version": numbers(of_audiences(lambda one: one.audience_version)),
        "entered": numbers(of_audiences(lambda one: one.entered)),
        "arm": texts(of_audiences(lambda one: one.arm)),
        **predictions([one.predictions for one in made]),
        "intent": texts(one.intent for one in made),
        "action": texts(one.action for one in made),
        "reasons": texts(msgspec.json.encode(one.reasons).decode() for one in made),
        "model_version": texts(one.model_version for one in made),
        "recorded_at": numbers(int(item[rows.RECORDED]["N"]) if rows.RECORDED in item else None for item in items),
    }


def deliveries(items: Sequence[Item]) -> Rows:
    """The deliveries that items are [n]."""
    made: list[Delivery] = [decode_delivery(item) for item in items]
    return {
        "customer_id": texts(customer_id(one.key) for one in made),
        "destination": texts(one.destination for one in made),
        "transition_id": texts(one.transition_id for one in made),
        "audience": texts(one.audience for one in made),
        "arm": texts(one.arm for one in made),
        "happened_at": numbers(one.at_ms for one in made),
        "state": texts(one.state for one in made),
        "reason": texts(one.reason or None for one in made),
        "attempts": numbers(one.attempts for one in made),
        "updated_at": numbers(one.updated_ms for one in made),
    }


def _move(item: Item) -> Move:
    if item["sk"]["S"].startswith(audience_rows.PREFIX):
        return audience_rows.decode_move(item)
    return rows.decode_transition(item)
