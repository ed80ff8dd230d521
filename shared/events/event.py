"""The event as shops send it, and the rules that each of its fields must keep."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, get_args, get_type_hints

import msgspec
from msgspec import Meta

from shared.features.attributes import MOST_ATTRIBUTES
from shared.identity.keys import LONGEST_ID

LARGEST_AMOUNT = 1e9
"""Of a price, of a discount, and of either times the quantity: far beyond any shop's line; keeps every sum exact in 64
bits."""
LARGEST_QUANTITY = 1e6
LONGEST_TEXT = 1_024
LONGEST_ATTRIBUTE = 256
"""Bytes of an attribute, its name and its value together."""
LEAST_MS = 100_000_000_000
"""Times that are numbers from here on are milliseconds: as seconds they would lie beyond the year 5000."""

type Identifier = Annotated[
    str, Meta(min_length=1, max_length=LONGEST_ID, description=f"text of 1 to {LONGEST_ID} characters")
]
type EventId = Annotated[str, Meta(max_length=LONGEST_ID, description=f"text of at most {LONGEST_ID} characters")]
type Text = Annotated[str, Meta(max_length=LONGEST_TEXT, description=f"text of at most {LONGEST_TEXT:,} characters")]
type Amount = Annotated[float, Meta(ge=0, le=LARGEST_AMOUNT, description=f"a number from 0 to {LARGEST_AMOUNT:,.0f}")]
type Quantity = Annotated[
    float, Meta(gt=0, le=LARGEST_QUANTITY, description=f"a number above 0 and at most {LARGEST_QUANTITY:,.0f}")
]
type EventType = Annotated[
    str, Meta(min_length=1, max_length=LONGEST_ID, description="the name of an event type, such as purchase")
]
type Timestamp = Annotated[
    str | float, Meta(description="a time in ISO 8601, or in seconds or milliseconds since 1970")
]
type Attributes = Annotated[
    dict[str, Any],
    Meta(
        max_length=MOST_ATTRIBUTES,
        description=f"an object of at most {MOST_ATTRIBUTES} entries, each text, a number, true or false,"
        f" and of at most {LONGEST_ATTRIBUTE} bytes with its name",
    ),
]
type Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$", description="a currency code of ISO 4217, such as USD")]


class Event(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One event; names follow the GA4 e-commerce events. Fields that are absent or null are None."""

    event_type: EventType
    timestamp: Timestamp
    event_id: EventId | None = None
    customer_id: Identifier | None = None
    anonymous_id: Identifier | None = None
    session_id: Text | None = None
    order_id: Text | None = None
    product_id: Text | None = None
    category: Text | None = None
    brand: Text | None = None
    quantity: Quantity | None = None
    price: Amount | None = None
    discount: Amount | None = None
    currency: Currency | None = None
    device: Text | None = None
    region: Text | None = None
    channel: Text | None = None
    engagement_seconds: Amount | None = None
    consent: Annotated[bool, Meta(description="true or false")] | None = None
    attributes: Attributes | None = None
    campaign: Annotated[Any, Meta(description=f"text of 1 to {LONGEST_ID} characters")] = None
    arm: Annotated[Any, Meta(description="treatment or control")] = None
    """Campaign and arm are read of exposures alone: other events may say anything by these names."""


FIELDS: tuple[str, ...] = Event.__struct_fields__
BESIDE = ("attributes", "campaign", "arm")
"""Fields that tell apart events without an id as fields of others' do, as which they came once."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_REQUIRED = re.compile(r"missing required field `(\w+)`")
_AT_FIELD = re.compile(r"at `\$\.(\w+)`$")
_NOT_AN_OBJECT = re.compile(r"^Expected `object`, got `(\w+)`$")


def _description(field: str) -> str:
    def find(hint: Any) -> str | None:
        if isinstance(hint, Meta):
            return hint.description
        parts = (*get_args(hint), *getattr(hint, "__metadata__", ()), getattr(hint, "__value__", None))
        return next((description for part in parts if part is not None and (description := find(part))), None)

    return find(get_type_hints(Event, include_extras=True)[field]) or "valid"


DESCRIPTIONS: Mapping[str, str] = {field: _description(field) for field in FIELDS}
"""What each field must be, in words."""


def first_broken(raw: Mapping[str, Any], *, strict: bool = True) -> msgspec.ValidationError | None:
    """What is wrong with the first field that breaks its rule: the same in whatever order a record names its fields."""
    for field in FIELDS:
        probe = {"event_type": "any", "timestamp": 0.0, field: raw.get(field)}
        try:
            msgspec.convert(probe, Event, strict=strict)
        except msgspec.ValidationError as error:
            return error
    return None


def explain(error: Exception, raw: Mapping[str, Any] | None = None) -> str:
    """Why a line was refused, for the shop's engineer: `error` from msgspec, `raw` the line's fields where known."""
    message = str(error)
    if match := _AT_FIELD.search(message):
        field = match[1]
        if raw is None:
            return f"{field} must be {DESCRIPTIONS[field]}"
        if raw.get(field) is None:
            return f"{field} is missing"
        if field == "attributes":
            return f"{field} must be {DESCRIPTIONS[field]}"
        return f"{field} must be {DESCRIPTIONS[field]}, not {_shown(raw[field], is_text='got `str`' in message)}"
    if match := _REQUIRED.search(message):
        return f"{match[1]} is missing"
    if match := _NOT_AN_OBJECT.search(message):
        return f"a line must hold one JSON object, not {match[1]}"
    return f"not valid JSON: {message.removeprefix('JSON is malformed: ')}"


def _shown(value: Any, *, is_text: bool) -> str:
    text = f"the text {value!r}" if is_text else str(value) or "empty"
    return text if len(text) <= 80 else f"{text[:60]}… ({len(str(value)):,} characters)"


def parse_timestamp(value: str | float) -> int:
    """UTC milliseconds of ISO 8601 (no offset means UTC) or of seconds or milliseconds since 1970.

    Numbers from LEAST_MS on are milliseconds. Raises ValueError.
    """
    # CSV holds epochs as text, of which 1734021420417 would pass for 04:17 on 14 February 1734.
    if isinstance(value, str) and value.isdecimal() and len(value) > len("YYYYMMDD"):
        value = float(value)
    if isinstance(value, str):
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            value = float(value)
        else:
            return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH) // _MILLISECOND
    return round(value if value >= LEAST_MS else value * 1_000)
