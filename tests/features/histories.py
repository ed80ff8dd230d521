"""Generated event histories with everything that makes time and delivery hard."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import strategies as st

from shared.events import Rules, read_file
from shared.features import EVENT_TYPES, Profiles, fold, merge

LEAP_DAY = datetime(2016, 2, 29, tzinfo=UTC)

_offsets = st.one_of(
    st.sampled_from([0, 1, 59, 30 * 60, 30 * 60 + 1, 86_399, 86_400, 86_401]),  # gaps, midnights, ties
    st.integers(0, 3 * 86_400),
    st.integers(0, 395 * 86_400),
)
ATTRIBUTES: tuple[dict[str, Any], ...] = (
    {},
    {"tier": "gold"},
    {"tier": "silver", "born": 1987, "score": 0.5},
    {"email ok": False, "region": "FR", "Größe": "ü" * 100, "gone": None},
)


# Made once: made anew for every draw they took more than half of the time of drawing.
_milliseconds = st.sampled_from([0, 0, 0, 1, 999])
_fields = {
    "customer_id": st.sampled_from("abc"),
    "event_type": st.sampled_from(
        [*EVENT_TYPES[1:], "purchase", "purchase", "view_item", "add_to_cart", "survey"],
    ),
    "session_id": st.sampled_from([None, None, "s1", "s2"]),
    "order_id": st.sampled_from([None, "o1", "o2"]),
    "category": st.sampled_from([None, "Shoes", "Hats", "Überzug"]),
    "brand": st.sampled_from([None, "Acme"]),
    "device": st.sampled_from([None, "mobile", "desktop", "tablet", "fridge"]),
    "channel": st.sampled_from([None, "direct", "Organic Search", "social_cpc", "E-Mail", "pigeon"]),
    "price": st.sampled_from([None, 0.0, 0.01, 9.99, 120.0]),
    "quantity": st.sampled_from([None, 1.0, 3.0]),
    "discount": st.sampled_from([None, 0.0, 1.5]),
    "engagement_seconds": st.sampled_from([None, 12.5, 4_000.0]),
    "product_id": st.sampled_from([None, None, "p1", "p2", "Hats"]),
    "region": st.sampled_from([None, None, "DE", "Köln"]),
    "attributes": st.sampled_from([None, None, *ATTRIBUTES]),
}
_exposure = {"campaign": st.sampled_from(["spring", "Shoes"]), "arm": st.sampled_from(["treatment", "control"])}


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    """One event without an id, of one of three customers."""
    at = LEAP_DAY + timedelta(seconds=draw(_offsets), milliseconds=draw(_milliseconds))
    drawn: dict[str, Any] = {name: draw(values) for name, values in _fields.items()}
    event = {"customer_id": drawn["customer_id"], "timestamp": at.isoformat(), **drawn}
    if event["event_type"] == "campaign_exposure":
        event |= {name: draw(values) for name, values in _exposure.items()}
    return {name: value for name, value in event.items() if value is not None}


def histories(max_size: int = 40) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Events of a few customers, each with an id of its own."""
    numbered = st.lists(events(), min_size=1, max_size=max_size)
    return numbered.map(lambda drawn: [{**event, "event_id": f"e{i}"} for i, event in enumerate(drawn)])


def corrected_histories() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Events of one customer under a few ids, so that many come again with other contents."""
    given = st.lists(st.tuples(events(), st.integers(0, 5)), min_size=3, max_size=30)
    return given.map(lambda drawn: [{**event, "customer_id": "a", "event_id": f"e{i}"} for event, i in drawn])


def folded(history: list[dict[str, Any]], own_types: tuple[str, ...] = ()) -> Profiles:
    """The state after a file of these events, with `own_types` told apart; every one of them must be accepted."""
    state = Profiles.empty()
    lines = b"\n".join(map(msgspec.json.encode, history))
    for chunk in read_file(io.BytesIO(lines), "events.ndjson", Rules(own_types=own_types)):
        assert not chunk.rejections
        state = merge(state, fold(chunk.events))
    return state
