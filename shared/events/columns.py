"""Parsed events as the columns that profiles are folded from; the rules that need more than one field live here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from shared.events.batches import Batch, Rejection
from shared.events.channels import channel_code
from shared.events.event import DESCRIPTIONS, LARGEST_AMOUNT, Event, parse_timestamp
from shared.events.texts import Texts
from shared.features.codec import category_hash
from shared.features.columns import (
    COLUMN_TYPES,
    DAY_MS,
    DEVICES,
    EVENT_TYPES,
    MONEY_UNITS,
    OTHER,
    OTHER_DEVICE,
    PURCHASE,
    REFUND,
    UNKNOWN_DEVICE,
    EventColumns,
    Rows,
)
from shared.features.state import FINGERPRINT_BITS
from shared.identity.consents import Consent
from shared.identity.keys import customer_key, visitor_key
from shared.identity.links import Claim

_KINDS = {name: code for code, name in enumerate(EVENT_TYPES)}
_DEVICE_CODES: dict[str | None, int] = {
    None: UNKNOWN_DEVICE,
    "": UNKNOWN_DEVICE,
    **{d: i for i, d in enumerate(DEVICES)},
}
_NUMBERS = ("time_ms", "kind", "category", "net", "discount", "engagement_ms", "device", "channel")
_FINGERPRINT_MASK = (1 << FINGERPRINT_BITS) - 1
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
    unwritten: Mapping[str, NotTaken] = field(default_factory=dict)
    """Profiles, by key, whose lines are asked for once more: those of the events that they do not hold."""


class RuleBroken(ValueError):
    """An event's fields are well formed but do not fit together, or do not fit the stack."""


def to_columns(
    batch: Batch, rules: Rules
) -> tuple[EventColumns, list[Rejection], list[Claim], list[Consent], list[Rejection]]:
    """The batch's valid events as columns, every line of it that was refused, in the order of lines, what its events
    say of who is who, of those that say the same the earliest, who agrees to be profiled, and the lines that the rules
    ask for once more.

    A line that tells of several events is counted or refused whole.
    """
    refused = {rejection.line: rejection for rejection in batch.rejections}
    judged: list[tuple[Event, int, int, str] | None] = []
    for event, line, original in zip(batch.events, batch.lines, batch.originals, strict=True):
        try:
            judged.append((event, _time_ms(event, rules), _net(event, rules), profile_key(event)))
        except RuleBroken as error:
            judged.append(None)
            refused[line] = Rejection(line, str(error), original, _people(event))
    keys: dict[str, int] = {}
    names: dict[int, str] = {}
    profile: list[int] = []
    events: list[Event] = []
    origins: list[tuple[int, bytes]] = []
    numbers: list[tuple[int, ...]] = []
    contents: dict[int, int] = {}
    categories, channels = _Memo(lambda name: add_name(names, name)), _Memo(channel_code)
    claims: dict[tuple[str, str], Claim] = {}
    consents: list[Consent] = []
    for found, line, original, extras in zip(judged, batch.lines, batch.originals, batch.extras, strict=True):
        if found is None or line in refused:
            continue
        event, time_ms, net, key = found
        if event.anonymous_id is not None and event.customer_id is not None:
            pair = (visitor_key(event.anonymous_id), key)
            if pair not in claims or time_ms < claims[pair].time_ms:
                claims[pair] = Claim(*pair, time_ms, line, original)
        if event.consent is not None:
            consents += [Consent(person, time_ms, event.consent) for person in _people(event)]
        if not event.event_id:
            contents[len(events)] = _content_fingerprint(event, time_ms, extras)
        events.append(event)
        origins.append((line, original))
        profile.append(keys.setdefault(key, len(keys)))
        kind = _KINDS.get(event.event_type, OTHER)
        numbers.append(
            (
                time_ms,
                kind,
                categories[event.category],
                net if kind in (PURCHASE, REFUND) else 0,
                round((event.discount or 0.0) * MONEY_UNITS) if kind == PURCHASE else 0,
                round((event.engagement_seconds or 0.0) * 1_000),
                _DEVICE_CODES.get(event.device and event.device.lower(), OTHER_DEVICE),
                channels[event.channel],
            )
        )
    columns = dict(zip(_NUMBERS, zip(*numbers, strict=True), strict=True)) if numbers else dict.fromkeys(_NUMBERS, ())
    fingerprint = event_fingerprints(Texts.of([event.event_id or "" for event in events]))
    fingerprint[[*contents]] = [*contents.values()]
    rows = Rows(
        fingerprint=fingerprint,
        session=text_codes(Texts.of([event.session_id or "" for event in events])),
        order=text_codes(Texts.of([event.order_id or "" for event in events])),
        brand=text_codes(Texts.of([event.brand or "" for event in events])),
        **{name: np.array(values, COLUMN_TYPES[name]) for name, values in columns.items()},
    )
    counted = EventColumns(list(keys), np.array(profile, np.int64), rows, names)
    unwritten = {
        line: Rejection(line, why.reason, original, _people(event))
        for (line, original), event, number in zip(origins, events, range(len(events)), strict=True)
        for why in [rules.unwritten.get(profile_key(event))]
        if why and not why.keeps(int(fingerprint[number]), numbers[number][0])
    }
    rejections = sorted(refused.values(), key=lambda rejection: rejection.line)
    return counted, rejections, list(claims.values()), consents, list(unwritten.values())


def concatenated(parts: list[EventColumns]) -> EventColumns:
    """The events of all parts, one part after the other."""
    keys: dict[str, int] = {}
    names: dict[int, str] = {}
    profile = [np.zeros(0, np.int64)]
    for part in parts:
        own = [keys.setdefault(key, len(keys)) for key in part.keys]
        profile.append(np.array(own, np.int64)[part.profile])
        for name in part.category_names.values():
            add_name(names, name)
    return EventColumns(list(keys), np.concatenate(profile), Rows.concatenate([part.rows for part in parts]), names)


class _Memo(dict[str | None, int]):
    """A code for each text, made when the text is first met."""

    def __init__(self, code: Callable[[str], int]) -> None:
        super().__init__()
        self._code = code

    def __missing__(self, text: str | None) -> int:
        code = self[text] = self._code(text or "")
        return code


def text_codes(texts: Texts) -> NDArray[np.uint32]:
    """What stands for sessions, orders or brands among their customer's: 32 bits, 0 for none [n]."""
    codes = texts.hashes().astype(np.uint32)
    codes[codes == 0] = 1
    codes[texts.sizes == 0] = 0
    return codes


def add_name(names: dict[int, str], category: str) -> int:
    """The code of a category, which `names` then knows; 0 for none. Of two names with one code the smaller stands."""
    if not category:
        return 0
    code = category_hash(category)
    names[code] = min(names.get(code, category), category)
    return code


def event_fingerprints(ids: Texts) -> NDArray[np.uint64]:
    """What stands for events among their customer's: 40 bits of the hashes of their ids [n]."""
    return ids.hashes() & np.uint64(_FINGERPRINT_MASK)


def _content_fingerprint(event: Event, time_ms: int, extras: bytes) -> int:
    whole = msgspec.json.encode(msgspec.structs.replace(event, timestamp=time_ms)) + extras
    return xxh3_64_intdigest(whole) & _FINGERPRINT_MASK


def _people(event: Event) -> tuple[str, ...]:
    people = {customer_key: event.customer_id, visitor_key: event.anonymous_id}
    return tuple(key(value) for key, value in people.items() if value)


def profile_key(event: Event) -> str:
    """The profile that an event belongs to: its customer's, or its visitor's while nobody knows who that is."""
    if event.customer_id is not None:
        return customer_key(event.customer_id)
    if event.anonymous_id is not None:
        return visitor_key(event.anonymous_id)
    raise RuleBroken("customer_id is missing, and so is anonymous_id")


def _time_ms(event: Event, rules: Rules) -> int:
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


def _net(event: Event, rules: Rules) -> int:
    if rules.currency is not None and event.currency not in (None, rules.currency):
        raise RuleBroken(f"currency is {event.currency}, but this stack counts {rules.currency}")
    net = (event.price or 0.0) * (1.0 if event.quantity is None else event.quantity)
    if net > LARGEST_AMOUNT:
        raise RuleBroken(f"quantity times price is {net:,.0f}, above {LARGEST_AMOUNT:,.0f}")
    return round(net * MONEY_UNITS)
