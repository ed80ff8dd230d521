"""Visitors who become customers: their events, and what is made of them online and offline."""

import io
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from shared.clock import Moment
from shared.events import Claim, Rules, read_file
from shared.features import Profiles, encode, fold, merge
from shared.identity.links import resolve
from shared.intake.claims import Claims
from shared.intake.ingest import ingest
from shared.models.bundle import Bundle
from shared.profiles.change import Ingested
from shared.profiles.histories import histories
from shared.profiles.stored_profile import StoredProfile
from tests.features.histories import LEAP_DAY
from tests.support.event_files import Event, chunks, ndjson, purchase
from tests.support.memory_table import Job, MemoryTable
from training.data.events import identified

AS_OF = Moment(as_of_ms=1_509_494_400_000, scored_at_ms=1_509_494_400_250)
TABLET = "tablet"
OWNERS = {"phone": "a", "laptop": "a", "work": "b", "nobody": None}
"""Which customer each visitor is; the tablet is all of theirs."""


def visit(visitor: str, number: int = 0, **fields: Any) -> Event:
    return {**purchase(visitor, number), "customer_id": None, "anonymous_id": visitor, **fields}


def sign_in(visitor: str, customer: str, number: int = 0, **fields: Any) -> Event:
    return {**purchase(f"{visitor}-{customer}", number), "customer_id": customer, "anonymous_id": visitor, **fields}


LINK = [sign_in("phone", "a"), purchase("a")]
VISITS = [visit("phone", number=i) for i in range(2)]


def deliver(table: MemoryTable, *events: Event, bundle: Bundle | None = None) -> tuple[Ingested, list[str]]:
    """What became of a file of these events, and why claims in it were refused."""
    total = Ingested()
    reasons = list[str]()
    for chunk in chunks(events):
        claims = Claims(chunk.claims, table)
        total += ingest(fold(chunk.events), table, bundle, AS_OF, no_sleep, claims)
        reasons += [reason for claim in chunk.claims if (reason := claims.refusal(claim))]
    return total, reasons


def no_sleep(_seconds: float) -> None:
    return


def delivery(*events: Event) -> Job:
    return lambda table: deliver(table, *events)  # type: ignore[arg-type]


def offline(*events: Event) -> dict[str, bytes]:
    """What training makes of the events, profile by profile."""
    state = Profiles.empty()
    claims = list[Claim]()
    for chunk in read_file(io.BytesIO(ndjson(events)), "events.ndjson", Rules()):
        state = merge(state, fold(chunk.events))
        claims = claims + chunk.claims
    return encoded(identified(state, resolve((claim.visitor, claim.customer) for claim in claims)))


def online(table: MemoryTable) -> dict[str, bytes]:
    """What decisions are made on, profile by profile."""
    return encoded(histories(profile for profile in table.all().values() if profile.is_someone))


def encoded(profiles: Profiles) -> dict[str, bytes]:
    return dict(zip(profiles.keys, encode(profiles), strict=True))


def profile(table: MemoryTable, key: str) -> StoredProfile:
    return table.all()[key]


# Made once: made anew for every draw they took more than half of the time of drawing.
_visitors = st.sampled_from([None, TABLET, *OWNERS])
_customers = st.sampled_from("abc")
_numbers = st.integers(0, 30)
_types = st.sampled_from(["page_view", "purchase"])
_hours = st.integers(0, 400)
_categories = st.sampled_from([None, "Shoes", "Hats"])
_prices = st.sampled_from([1.0, 9.99])
_truths = st.booleans()


@st.composite
def deliveries(draw: st.DrawFn, max_size: int = 25) -> list[Event]:
    """Events of customers and visitors, none claimed by just two customers; one id may come with several contents."""
    events = []
    for _ in range(draw(st.integers(1, max_size))):
        visitor = draw(_visitors)
        customer = draw(_customers) if visitor in (None, TABLET) else OWNERS[visitor]
        signed_in = visitor is None or draw(_truths)
        events.append(
            {
                "event_id": f"e{draw(_numbers)}",
                "event_type": draw(_types),
                "timestamp": (LEAP_DAY + timedelta(hours=draw(_hours))).isoformat(),
                "category": draw(_categories),
                "price": draw(_prices),
                "anonymous_id": visitor,
                "customer_id": customer if signed_in else None,
            }
        )
    everyone = [sign_in(TABLET, customer) for customer in "abc"]
    return [*events, *(everyone if any(event["anonymous_id"] == TABLET for event in events) else [])]


def shuffled_with_repeats(data: st.DataObject, events: list[Event]) -> list[list[Event]]:
    """The events in batches of any size and order, some of them more than once."""
    delivered = [*events, *data.draw(st.lists(st.sampled_from(events), max_size=10))]
    data.draw(st.randoms(use_true_random=False)).shuffle(delivered)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(delivered)), max_size=5)))
    return [delivered[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(delivered)], strict=True)]
