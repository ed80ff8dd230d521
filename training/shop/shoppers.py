"""The eight kinds of customers of the simulated shop, each by how it behaves."""

from collections.abc import Mapping
from dataclasses import dataclass, field

CATEGORIES: Mapping[str, float] = {
    "Fashion": 45.0,
    "Shoes": 70.0,
    "Accessories": 25.0,
    "Beauty": 18.0,
    "Household": 9.0,
    "Groceries": 6.0,
    "Toys": 30.0,
    "Gifts": 28.0,
    "Electronics": 190.0,
    "Furniture": 380.0,
}
"""What the shop sells, and the median price of each, in the currency."""

CHANNELS = ("direct", "organic search", "paid search", "social", "email", "referral")
"""How visits come about, in the words of their analytics."""


@dataclass(frozen=True, kw_only=True)
class Shopper:
    """How one kind of customer behaves. Shares and chances run from 0 to 1; a month is 30 days."""

    name: str
    meaning: str
    share: float
    """Of all customers."""
    visits: float
    """A month, for the average customer of the kind, while they are active."""
    views: float
    """Product pages a visit, on average."""
    searches: float = 0.1
    """A visit, on average."""
    promotions: float = 0.05
    """Chance that a visit comes by a promotion."""
    carts: float
    """Chance that something is put in the cart on a visit."""
    orders: float
    """Chance that such a cart is ordered."""
    lines: float = 2.0
    """Of an order, on average."""
    price: float = 1.0
    """How dear the products are within their category: 2 is twice the usual price."""
    discounted: float = 0.2
    """Share of order lines with a discount."""
    discount: float = 0.15
    """Share of the price that a discount takes off, on average."""
    refunds: float = 0.03
    """Share of orders that are given back."""
    weekend: float = 0.29
    """Share of visits on Saturday or Sunday."""
    evening: float = 0.35
    """Share of visits after 18:00."""
    mobile: float = 0.5
    """Share of customers who mostly come by mobile; a tenth of the others by tablet, the rest by desktop."""
    comes: tuple[float, ...] = (0.3, 0.36, 0.12, 0.08, 0.08, 0.06)
    """Share of visits by each of CHANNELS."""
    likes: tuple[str, ...] = tuple(CATEGORIES)
    """Favourite categories: a customer has one of them."""
    focus: float = 0.5
    """Share of interest in the favourite; the rest is spread over the shop."""
    brands: int = 6
    """Brands in a category that a customer considers, of 20."""
    seconds: float = 25.0
    """Between two events of a visit, on average."""
    emails: float = 1.5
    """Opened a month."""
    clicks: float = 0.2
    """Of opened e-mails, the share clicked."""
    months: Mapping[int, float] = field(default_factory=dict)
    """How many times as many visits as usual in these months (1 to 12)."""
    gone_for: tuple[float, float] | None = None
    """They came for the last time this many days before the end, from and to; None where they still come."""
    once: bool = False
    """They order a single time, after a few weeks of looking around, and hardly come again."""


SHOPPERS = (
    Shopper(
        name="frequent_browsers",
        meaning="visit again and again, look at a lot and rarely buy",
        share=0.12,
        visits=2.8,
        views=1.2,
        searches=0.2,
        carts=0.07,
        orders=0.12,
        emails=0.2,
        mobile=0.65,
        comes=(0.25, 0.3, 0.1, 0.25, 0.05, 0.05),
    ),
    Shopper(
        name="one_time_big_spenders",
        meaning="place a single large order after looking around, and hardly come again",
        share=0.14,
        visits=0.4,
        views=2.0,
        carts=0.0,
        orders=1.0,
        lines=2.5,
        price=1.5,
        likes=("Furniture", "Electronics"),
        focus=0.9,
        mobile=0.25,
        emails=0.2,
        clicks=0.1,
        once=True,
        comes=(0.1, 0.5, 0.25, 0.03, 0.02, 0.1),
    ),
    Shopper(
        name="seasonal_gift_buyers",
        meaning="come before Christmas and buy gifts, and are hardly seen otherwise",
        share=0.14,
        visits=0.35,
        views=1.5,
        carts=0.65,
        orders=0.8,
        lines=2.5,
        likes=("Gifts", "Toys", "Accessories"),
        focus=0.7,
        emails=0.2,
        months={11: 8.0, 12: 16.0, 1: 0.3},
        comes=(0.15, 0.4, 0.25, 0.1, 0.05, 0.05),
    ),
    Shopper(
        name="discount_seekers",
        meaning="come for promotions and buy almost only what is reduced",
        share=0.13,
        visits=2.1,
        views=0.6,
        promotions=0.6,
        carts=0.65,
        orders=0.75,
        lines=1.3,
        price=0.8,
        discounted=0.9,
        discount=0.35,
        emails=0.8,
        clicks=0.6,
        comes=(0.15, 0.15, 0.25, 0.05, 0.3, 0.1),
    ),
    Shopper(
        name="weekend_shoppers",
        meaning="shop on Saturdays and Sundays, in few but full baskets",
        share=0.13,
        visits=2.0,
        views=0.8,
        carts=0.7,
        orders=0.85,
        lines=2.2,
        weekend=0.92,
        evening=0.15,
        discounted=0.1,
        emails=0.1,
        mobile=0.3,
    ),
    Shopper(
        name="style_browsers",
        meaning="browse fashion at length in the evening, across many brands, and buy a piece now and then",
        share=0.11,
        visits=1.9,
        views=4.0,
        searches=0.3,
        carts=0.35,
        orders=0.3,
        lines=1.3,
        refunds=0.12,
        evening=0.75,
        mobile=0.8,
        likes=("Fashion", "Shoes"),
        focus=0.9,
        brands=20,
        seconds=60.0,
        emails=0.3,
        clicks=0.3,
        comes=(0.25, 0.15, 0.1, 0.42, 0.03, 0.05),
    ),
    Shopper(
        name="loyal_regulars",
        meaning="order every other week, at the full price, what they have always ordered",
        share=0.1,
        visits=4.0,
        views=0.4,
        carts=0.75,
        orders=0.9,
        lines=1.2,
        discounted=0.08,
        discount=0.1,
        likes=("Groceries", "Household", "Beauty"),
        focus=0.6,
        brands=3,
        emails=1.0,
        clicks=0.4,
        evening=0.35,
        comes=(0.6, 0.15, 0.03, 0.02, 0.18, 0.02),
    ),
    Shopper(
        name="lapsing",
        meaning="used to order every month and have not come for months",
        share=0.13,
        visits=1.4,
        views=1.2,
        carts=0.6,
        orders=0.7,
        emails=0.3,
        clicks=0.05,
        gone_for=(90.0, 200.0),
        lines=1.4,
    ),
)
