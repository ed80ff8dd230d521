"""The columns that a customer's history is made of: one row an event, a struct of NumPy arrays.

Amounts are whole ten-thousandths of the stack's currency and times whole milliseconds, so that sums are exact and
do not depend on the order in which events arrive.
"""

from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from shared.features.attributes import Attributes

EVENT_TYPES = (
    "other",
    "page_view",
    "view_item",
    "search",
    "select_promotion",
    "add_to_cart",
    "remove_from_cart",
    "begin_checkout",
    "purchase",
    "refund",
    "email_open",
    "email_click",
    "identify",
    "campaign_exposure",
)
(
    OTHER,
    PAGE_VIEW,
    VIEW_ITEM,
    SEARCH,
    SELECT_PROMOTION,
    ADD_TO_CART,
    REMOVE_FROM_CART,
    BEGIN_CHECKOUT,
    PURCHASE,
    REFUND,
    EMAIL_OPEN,
    EMAIL_CLICK,
    IDENTIFY,
    CAMPAIGN_EXPOSURE,
) = range(len(EVENT_TYPES))

OWN_TYPES = 128
"""Kinds from here on are types of a shop's own that a reader was asked to tell apart from other activity: training
counts them, and no state is stored with them."""

DEVICES = ("unknown", "mobile", "desktop", "tablet", "other")
UNKNOWN_DEVICE, MOBILE, DESKTOP, TABLET, OTHER_DEVICE = range(len(DEVICES))

CHANNELS = (
    "unknown", "direct", "search", "advertising", "social", "message", "referral", "app", "store", "other",
)  # fmt: skip
"""The ways that visits come about."""
(
    UNKNOWN_CHANNEL,
    DIRECT,
    SEARCH_ENGINE,
    ADVERTISING,
    SOCIAL,
    MESSAGE,
    REFERRAL,
    APP,
    STORE,
    OTHER_CHANNEL,
) = range(len(CHANNELS))

ARMS = ("none", "treatment", "control")
"""Of a campaign: who was approached, and who was held back."""
NO_ARM, TREATMENT, CONTROL = range(len(ARMS))

MONEY_UNITS = 10_000
"""Units of `net` and `discount` in one unit of the currency."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Events as columns, all of one length [n]. Zero means "none" in what stands for a text."""

    time_ms: NDArray[np.int64]
    """UTC, milliseconds since 1970."""
    kind: NDArray[np.uint8]
    """Index into EVENT_TYPES, or a type of the shop's own from OWN_TYPES on."""
    fingerprint: NDArray[np.uint64]
    """The event's identity among its customer's events: 40 bits of the hash of its id."""
    session: NDArray[np.uint32]
    order: NDArray[np.uint32]
    category: NDArray[np.uint32]
    brand: NDArray[np.uint32]
    net: NDArray[np.int64]
    """quantity * price, in 1/10,000 of the currency, never negative: a refund's is what was paid back."""
    discount: NDArray[np.int64]
    engagement_ms: NDArray[np.int64]
    device: NDArray[np.uint8]
    """Index into DEVICES."""
    channel: NDArray[np.uint8]
    """Index into CHANNELS."""
    product: NDArray[np.uint32]
    campaign: NDArray[np.uint32]
    """Of an exposure; its name is found as a category's is."""
    arm: NDArray[np.uint8]
    """Of an exposure: index into ARMS."""

    def __len__(self) -> int:
        return len(self.time_ms)

    def take(self, at: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Self:
        """The rows at `at`: positions [m], a mask [n] or a slice."""
        return type(self)(*(column[at] for column in self.columns()))

    def columns(self) -> list[NDArray[Any]]:
        """The columns in the order of COLUMN_TYPES."""
        return [getattr(self, column.name) for column in fields(self)]

    @classmethod
    def empty(cls) -> Self:
        """No rows."""
        return cls(*(np.empty(0, dtype) for dtype in COLUMN_TYPES.values()))

    @classmethod
    def concatenate(cls, parts: list[Self]) -> Self:
        """All rows of `parts`, in their order."""
        return (
            cls(*map(np.concatenate, zip(*(part.columns() for part in parts), strict=True))) if parts else cls.empty()
        )


COLUMN_TYPES: dict[str, type[np.generic]] = {
    "time_ms": np.int64,
    "kind": np.uint8,
    "fingerprint": np.uint64,
    "session": np.uint32,
    "order": np.uint32,
    "category": np.uint32,
    "brand": np.uint32,
    "net": np.int64,
    "discount": np.int64,
    "engagement_ms": np.int64,
    "device": np.uint8,
    "channel": np.uint8,
    "product": np.uint32,
    "campaign": np.uint32,
    "arm": np.uint8,
}


@dataclass(frozen=True, slots=True)
class EventColumns:
    """Valid events of many customers in the order they were read, repeats included."""

    keys: list[str]
    """Distinct profile keys, in any order."""
    profile: NDArray[np.int64]
    """Index into `keys` of each row's profile [n]."""
    rows: Rows
    category_names: dict[int, str]
    """The name behind each value of `rows.category` and `rows.campaign`."""
    attributes: Attributes = field(default_factory=Attributes.none)
    """What the events say of their profiles, which are known by their index into `keys`."""
    product_ids: dict[int, str] = field(default_factory=dict)
    """The id behind each value of `rows.product`, where that was asked for; empty where two have the same value."""

    def __len__(self) -> int:
        return len(self.rows)
