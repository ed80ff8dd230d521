"""Records of Twilio's Segment and of RudderStack.

The words are those of Segment's "Spec: V2 Ecommerce Events", "Spec: Common fields" and "Spec: Alias"
(twilio.com/docs/segment/connections/spec), and of RudderStack's "Common Fields" and "Session Tracking in RudderStack
SDKs" (rudderstack.com/docs).
"""

from collections.abc import Collection, Mapping
from itertools import accumulate, pairwise
from typing import Any

from msgspec.structs import replace

from shared.events.dialects.dialect import Dialect, LineBroken, Record, upper_case, value_at
from shared.events.event import Event

CALLS = ("track", "page", "screen", "identify", "group", "alias")


def _speaks_of(names: Collection[str]) -> bool:
    return "type" in names and any(name in names for name in ("messageId", "userId", "anonymousId", "properties"))


def _name_path(record: Record) -> str | None:
    if record["type"] not in CALLS:
        return None
    return "event" if record["type"] == "track" else "type"


def _device(value: Any) -> str | None:
    text = f" {value} ".lower()
    return next((device for device, words in _DEVICES.items() if any(word in text for word in words)), None)


def _spread_discount(events: list[Event]) -> list[Event]:
    """Prices are before the order's discount, which lines share by their amounts: to the cent, and to the same sum."""
    discount = events[0].discount
    if not discount:
        return events
    amounts = [(event.price or 0.0) * (event.quantity or 1.0) for event in events]
    *before, total = accumulate(amounts)
    if discount > round(total, 4):
        raise LineBroken(f"properties.discount is {discount:,.2f}, but the products cost {total:,.2f} in all")
    ends = [0.0, *(round(discount * so_far / total, 2) for so_far in before), discount]
    parts = [round(end - start, 4) for start, end in pairwise(ends)]
    return [
        replace(event, discount=part, price=max(0.0, amount - part) / (event.quantity or 1.0))
        for event, amount, part in zip(events, amounts, parts, strict=True)
    ]


def _traits(record: Record) -> Mapping[str, Any]:
    """Traits of the person: a group's are another's. What tells who it is, is no attribute."""
    sources = [value_at(record, "context.traits"), None if record["type"] == "group" else record.get("traits")]
    traits = {name: value for each in sources if isinstance(each, dict) for name, value in each.items()}
    return {name: value for name, value in traits.items() if name not in _WHO}


_WHO = {
    "address", "avatar", "description", "email", "firstName", "first_name", "id", "lastName", "last_name", "name",
    "phone", "username", "website",
}  # fmt: skip
_DEVICES = {  # tablets call themselves mobile too, so they come first
    "tablet": ("ipad", "tablet"),
    "mobile": ("mobi", " ios ", "android"),
    "desktop": ("desktop", "windows nt", "macintosh", "x11"),
}
_ORDER_AMOUNTS = ("properties.subtotal", "properties.revenue", "properties.total")  # after the discount
SEGMENT = Dialect(
    title="Segment and RudderStack",
    speaks_of=_speaks_of,
    name_path=_name_path,
    types={
        "page": "page_view",
        "screen": "page_view",
        "alias": "identify",
        "Products Searched": "search",
        "Product List Viewed": "view_item",
        "Product Clicked": "view_item",
        "Product Viewed": "view_item",
        "Promotion Clicked": "select_promotion",
        "Product Added": "add_to_cart",
        "Product Removed": "remove_from_cart",
        "Checkout Started": "begin_checkout",
        "Order Completed": "purchase",
        "Order Refunded": "refund",
        "Email Opened": "email_open",
        "Email Link Clicked": "email_click",
    },
    fields={
        "timestamp": ("timestamp", "originalTimestamp", "sentAt", "receivedAt"),
        "customer_id": ("userId",),
        "anonymous_id": ("previousId", "anonymousId"),
        "session_id": ("context.sessionId", "context.session.id", "properties.session_id"),
        "order_id": ("properties.order_id",),
        "product_id": (
            "properties.products[].product_id",
            "properties.products[].sku",
            "properties.product_id",
            "properties.sku",
        ),
        "category": ("properties.products[].category", "properties.category"),
        "brand": ("properties.products[].brand", "properties.brand"),
        "quantity": ("properties.products[].quantity", "properties.quantity"),
        "price": ("properties.products[].price", "properties.price", *_ORDER_AMOUNTS),
        "discount": ("properties.discount",),
        "currency": ("properties.currency",),
        "device": ("context.device.type", "context.userAgent"),
        "channel": ("context.campaign.medium",),
    },
    products="properties.products",
    identity=("messageId",),
    meanings={"currency": upper_case, "device": _device},
    in_contract_amounts=_spread_discount,
    attributes=_traits,
    order_amounts=_ORDER_AMOUNTS,
)
