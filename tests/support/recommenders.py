"""A small shop of which everything is known, and its recommender."""

import json
from functools import cache
from typing import Any

from shared.events import Rules, read_lines
from shared.events.event import parse_timestamp
from shared.features import EventColumns, Profiles, Rows, fold
from shared.recommending.recommender import Recommender
from tests.support.event_files import Event
from training.recommending.building import Assortment, Entry
from training.recommending.training import Shop, train

AS_OF = "2017-10-01T00:00:00Z"
AS_OF_MS = parse_timestamp(AS_OF)


def event(customer: str, kind: str, product: str, day: str, **changes: Any) -> Event:
    """Something that a customer did with a product."""
    number = f"{customer}-{kind}-{product}-{day}"
    fields = {"event_type": kind, "timestamp": f"{day}T12:00:00Z", "customer_id": customer, "product_id": product}
    return {**fields, "event_id": number, "category": f"kind {product[:1]}", "price": 5.0, **changes}


def events_of(*events: Event) -> EventColumns:
    """Events as columns, with the products' ids."""
    chunk = read_lines([json.dumps(one).encode() for one in events], Rules(product_ids=True))
    assert chunk.rejections == []
    return chunk.events


def rows_of(*events: Event) -> Rows:
    """What is stored of the customer whose events these are."""
    return fold(events_of(*events)).rows


def small_shop() -> list[Event]:
    """Bread (a1) every week for everyone; a2 with it for half of them, b1 once for the others; c1 only looked at."""
    days = [f"2017-{month:02}-{day:02}" for month in range(4, 10) for day in (1, 8, 15, 22)]
    events = []
    for number in range(12):
        name = f"c{number}"
        events += [event(name, "purchase", "a1", day) for day in days]
        if number % 2:
            events += [event(name, "purchase", "a2", day) for day in days[:: 2 + number]]
        else:
            events += [event(name, "purchase", "b1", days[number]), event(name, "view_item", "c1", days[-1])]
    return events


@cache
def small_recommender() -> Recommender:
    """Of that shop, without a catalogue or segments."""
    return recommender_of(small_shop())


def recommender_of(events: list[Event], catalogue: dict[int, Entry] | None = None, **changes: Any) -> Recommender:
    """Trained up to AS_OF."""
    return train(shop_of(events, catalogue, **changes), AS_OF_MS).recommender


def shop_of(events: list[Event], catalogue: dict[int, Entry] | None = None, **changes: Any) -> Shop:
    """Events as training has them."""
    columns = events_of(*events)
    profiles: Profiles = fold(columns)
    ids = {**columns.product_ids, **{code: entry.product_id for code, entry in (catalogue or {}).items()}}
    ids.pop(0, None)
    return Shop(profiles, Assortment(ids, catalogue or {}), profiles.category_names, **changes)
