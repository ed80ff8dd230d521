"""The rules that need more than one field of an event, or know of the stack."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from shared.durations import DAY_MS
from shared.events.attributes import NotAnAttribute, attributes_of
from shared.events.event import DESCRIPTIONS, LARGEST_AMOUNT, Event, parse_timestamp
from shared.features.columns import ARMS, CAMPAIGN_EXPOSURE, EVENT_TYPES, MONEY_UNITS, NO_ARM
from shared.identity.keys import LONGEST_ID, customer_key, visitor_key

EXPOSURE = EVENT_TYPES[CAMPAIGN_EXPOSURE]
AHEAD_MS = DAY_MS
LATEST_MS = 253_402_300_800_000
"""The year 10000, past which Python has no dates."""


class NotTaken(Protocol):
    """Why a profile did not take what is new, and which of it that profile goes without or holds all the same."""

    @property
    def reason(self) -> str:
        """Without a word of whose it is."""

    def keeps(self, fingerprint: int, time_ms: int) -> bool:
        """Whether an event needs no keeping elsewhere."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the stack demands of events beyond the contract's types."""

    currency: str | None = "USD"
    """The one currency that is counted; None takes any."""
    now_ms: int | None = None
    """UTC milliseconds; events more than a day later are refused, as one wrong clock would age all that came before."""
    own_types: tuple[str, ...] = ()
    """Event types of the shop's own that are told apart: the i-th is the kind OWN_TYPES + i."""
    unwritten: Mapping[str, NotTaken] = field(default_factory=dict)
    """Profiles, by key, whose lines are asked for once more: those of the events that they do not hold."""
    product_ids: bool = False
    """Whether to tell which products events are about: states do not keep it, and functions need not know."""


class RuleBroken(ValueError):
    """An event's fields are well formed but do not fit together, or do not fit the stack."""


def profile_key(event: Event) -> str:
    """The profile that an event belongs to: its customer's, or its visitor's while nobody knows who that is.

    Raises RuleBroken.
    """
    if event.customer_id is not None:
        return customer_key(event.customer_id)
    if event.anonymous_id is not None:
        return visitor_key(event.anonymous_id)
    raise RuleBroken("customer_id is missing, and so is anonymous_id")


def time_ms_of(event: Event, rules: Rules) -> int:
    """When it happened, UTC milliseconds. Raises RuleBroken."""
    try:
        time_ms = parse_timestamp(event.timestamp)
    except (ValueError, OverflowError) as error:
        raise RuleBroken(f"timestamp must be {DESCRIPTIONS['timestamp']}, not {event.timestamp!r:.80}") from error
    if time_ms < 0:
        raise RuleBroken(f"timestamp {event.timestamp!r:.80} is before 1970")
    if rules.now_ms is not None and time_ms > rules.now_ms + AHEAD_MS:
        raise RuleBroken(f"timestamp {event.timestamp!r:.80} is more than a day in the future")
    if time_ms >= LATEST_MS:
        raise RuleBroken(f"timestamp {event.timestamp!r:.80} is after the year 9999")
    return time_ms


def net_of(event: Event, rules: Rules) -> int:
    """What its line is worth, in 1 / MONEY_UNITS of the currency. Raises RuleBroken."""
    if rules.currency is not None and event.currency not in (None, rules.currency):
        raise RuleBroken(f"currency is {event.currency}, but this stack counts {rules.currency}")
    net = (event.price or 0.0) * (1.0 if event.quantity is None else event.quantity)
    if net > LARGEST_AMOUNT:
        raise RuleBroken(f"quantity times price is {net:,.0f}, above {LARGEST_AMOUNT:,.0f}")
    return round(net * MONEY_UNITS)


def check_exposure(event: Event) -> None:
    """Raises RuleBroken where the event is an exposure that does not say to what, or who was held back."""
    if event.event_type != EXPOSURE:
        return
    broken = []
    if not isinstance(event.campaign, str) or not 1 <= len(event.campaign) <= LONGEST_ID:
        broken.append("campaign")
    if event.arm not in ARMS or event.arm == ARMS[NO_ARM]:
        broken.append("arm")
    if broken:
        raise RuleBroken(" and ".join(f"{field} must be {DESCRIPTIONS[field]}" for field in broken))


def known_by(event: Event) -> Mapping[str, str]:
    """What it says of its customer, as JSON by name. Raises RuleBroken."""
    try:
        return attributes_of(event.attributes) if event.attributes else {}
    except NotAnAttribute as error:
        raise RuleBroken(f"attributes must be {DESCRIPTIONS['attributes']}") from error


def people_of_event(event: Event) -> tuple[str, ...]:
    """Profile keys of those whom an event names."""
    ids = {customer_key: event.customer_id, visitor_key: event.anonymous_id}
    return tuple(key(id_) for key, id_ in ids.items() if id_)
