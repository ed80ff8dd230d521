"""Records as other tools write them, which are read as events of the contract.

A dialect is a value in a file of its own, and a line of the table here.
"""

from collections.abc import Callable, Collection, Mapping

from shared.events.dialects.dialect import Dialect, LineBroken, Record, translated
from shared.events.dialects.ga4 import GA4
from shared.events.dialects.segment import SEGMENT
from shared.events.event import Event
from shared.identity.keys import customer_key, visitor_key

__all__ = ["DIALECTS", "PEOPLE", "Dialect", "LineBroken", "dialect_of", "translate"]

DIALECTS = (SEGMENT, GA4)
"""Whoever speaks first of the names that a record has is whose it is."""


def _paths(field: str) -> tuple[str, ...]:
    return (field, *(path for dialect in DIALECTS for path in dialect.fields[field]))


PEOPLE: Mapping[str, Callable[[str], str]] = {
    **dict.fromkeys(_paths("customer_id"), customer_key),
    **dict.fromkeys(_paths("anonymous_id"), visitor_key),
}
"""Every path that names a person, in the contract's words or a dialect's, and what makes a profile's key of it."""


def translate(raw: Record) -> list[Event]:
    """The events that `raw` tells in a known dialect; none where it is in no dialect.

    A record gives one event; an order or a refund gives one for each of the products it lists.
    Raises LineBroken: all events of a record count, or none.
    """
    dialect = dialect_of(raw.keys()) if raw.get("event_type") is None else None
    return translated(raw, dialect) if dialect else []


def dialect_of(names: Collection[str]) -> Dialect | None:
    """The dialect that speaks of these fields or columns, if any does."""
    return next((dialect for dialect in DIALECTS if dialect.speaks_of(names)), None)
