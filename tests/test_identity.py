"""Visitors become customers: the same whatever comes first, whoever writes at the same time, and it can be undone."""

import io
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.bundle import Bundle
from shared.clock import Moment
from shared.events import Claim, Rules, read_file
from shared.features import Profiles, codec, encode, fold, merge, state
from shared.histories import histories
from shared.identity import Claims, unlink
from shared.ingest import Intake, ingest
from shared.links import VISITORS_A_CUSTOMER, Link, LinkState, NoSuchLink, refusal, resolve
from shared.profile_table import ProfileTable, StoredProfile
from shared.update import Ingested
from tests.bundles import make_bundle
from tests.event_files import Event, chunks, ndjson, purchase
from tests.features.histories import LEAP_DAY
from tests.memory_table import Job, MemoryTable, Writer, every_interleaving, interleaved
from training.events import identified

AS_OF = Moment(as_of_ms=1_509_494_400_000, scored_at_ms=1_509_494_400_250)
TABLET = "tablet"
OWNERS = {"phone": "a", "laptop": "a", "work": "b", "nobody": None}
"""Which customer each visitor is; the tablet is all of theirs."""


def visit(visitor: str, number: int = 0, **fields: Any) -> Event:
    return {**purchase(visitor, number), "customer_id": None, "anonymous_id": visitor, **fields}


def sign_in(visitor: str, customer: str, number: int = 0, **fields: Any) -> Event:
    return {**purchase(f"{visitor}-{customer}", number), "customer_id": customer, "anonymous_id": visitor, **fields}


def deliver(table: MemoryTable, *events: Event, bundle: Bundle | None = None) -> tuple[Ingested, list[str]]:
    """What became of a file of these events, and why claims in it were refused."""
    total, reasons = Ingested(), list[str]()
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
    state, claims = Profiles.empty(), list[Claim]()
    for chunk in read_file(io.BytesIO(ndjson(events)), "events.ndjson", Rules()):
        state, claims = merge(state, fold(chunk.events)), claims + chunk.claims
    return encoded(identified(state, resolve((claim.visitor, claim.customer) for claim in claims)))


def online(table: MemoryTable) -> dict[str, bytes]:
    """What decisions are made on, profile by profile."""
    return encoded(histories(profile for profile in table.all().values() if profile.is_someone))


def encoded(profiles: Profiles) -> dict[str, bytes]:
    return dict(zip(profiles.keys, encode(profiles), strict=True))


def profile(table: MemoryTable, key: str) -> StoredProfile:
    return table.all()[key]


@pytest.fixture
def table() -> MemoryTable:
    return MemoryTable()


@st.composite
def deliveries(draw: st.DrawFn, max_size: int = 25) -> list[Event]:
    """Events of customers and visitors, none claimed by just two customers; one id may come with several contents."""
    found = []
    for _ in range(draw(st.integers(1, max_size))):
        visitor = draw(st.sampled_from([None, TABLET, *OWNERS]))
        customer = draw(st.sampled_from("abc")) if visitor in (None, TABLET) else OWNERS[visitor]
        signed_in = visitor is None or draw(st.booleans())
        found.append(
            {
                "event_id": f"e{draw(st.integers(0, 30))}",
                "event_type": draw(st.sampled_from(["page_view", "purchase"])),
                "timestamp": (LEAP_DAY + timedelta(hours=draw(st.integers(0, 400)))).isoformat(),
                "category": draw(st.sampled_from([None, "Shoes", "Hats"])),
                "price": draw(st.sampled_from([1.0, 9.99])),
                "anonymous_id": visitor,
                "customer_id": customer if signed_in else None,
            }
        )
    everyone = [sign_in(TABLET, customer) for customer in "abc"]
    return [*found, *(everyone if any(event["anonymous_id"] == TABLET for event in found) else [])]


def shuffled_with_repeats(data: st.DataObject, events: list[Event]) -> list[list[Event]]:
    """The events in batches of any size and order, some of them more than once."""
    delivered = [*events, *data.draw(st.lists(st.sampled_from(events), max_size=10))]
    data.draw(st.randoms(use_true_random=False)).shuffle(delivered)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(delivered)), max_size=5)))
    return [delivered[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(delivered)], strict=True)]


@given(deliveries(), st.data())
def test_any_order_batches_and_repetition_end_in_what_training_sees(events: list[Event], data: st.DataObject) -> None:
    table = MemoryTable()
    for batch in shuffled_with_repeats(data, events):
        deliver(table, *batch)
    assert online(table) == offline(*events)


@given(deliveries(12), st.data())
def test_writers_at_once_crashing_and_delivered_again_end_in_what_training_sees(
    events: list[Event], data: st.DataObject
) -> None:
    table = MemoryTable()
    writers = [Writer(table, delivery(*batch)) for batch in shuffled_with_repeats(data, events)]
    for at, crashes in data.draw(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([False] * 9 + [True])))):
        writer = writers[at % len(writers)]
        if not writer.alive:
            continue
        if crashes:
            writer.crash()
            writers.append(Writer(table, writer.job))
        else:
            writer.step()
    while alive := [writer for writer in writers if writer.alive]:
        alive[0].step()
    assert online(table) == offline(*events)


LINK = [sign_in("phone", "a"), purchase("a")]
VISITS = [visit("phone", number=i) for i in range(2)]


def test_a_link_and_a_visitors_events_may_meet_at_any_request() -> None:
    expected = offline(*LINK, *VISITS)

    def play(turns: Iterator[int]) -> list[tuple[int, int]]:
        table = MemoryTable()
        made = interleaved(table, [delivery(*LINK), delivery(*VISITS)], turns)
        assert online(table) == expected
        return made

    assert every_interleaving(play) > 80


@pytest.mark.parametrize(("first", "second"), [(LINK, VISITS), (VISITS, LINK)])
def test_a_crash_after_any_request_is_made_good_by_the_next_delivery(first: list[Event], second: list[Event]) -> None:
    expected, crashes = offline(*first, *second), 0

    def play(turns: Iterator[int]) -> list[tuple[int, int]]:
        table = MemoryTable()
        broken = Writer(table, delivery(*first))
        for _ in range(crashes):
            broken.step()
        if not broken.alive:
            return []
        broken.crash()
        made = interleaved(table, [delivery(*second), delivery(*first)], turns)
        assert online(table) == expected
        return made

    while every_interleaving(play) > 1:
        crashes += 1
    assert crashes == (2 if first is VISITS else 5)


@pytest.mark.parametrize("news", [[*LINK], [VISITS[1]], [sign_in("phone", "b"), sign_in("phone", "c")]])
def test_a_delivery_that_broke_off_is_finished_by_the_next_one(news: list[Event]) -> None:
    known = [VISITS[0]] if news == LINK else [*LINK, VISITS[0]]
    expected, requests, alive = offline(*known, *news), 0, True
    while alive:
        table = MemoryTable()
        deliver(table, *known)
        broken, requests = Writer(table, delivery(*news)), requests + 1
        for _ in range(requests):
            broken.step()
        if alive := broken.alive:
            broken.crash()
        deliver(table, *news)
        assert online(table) == expected
    assert requests > 3


def undo(table: ProfileTable) -> None:
    unlink(table, "phone", AS_OF, sleep=no_sleep)


def unclaimed(visitor: str, *events: Event) -> list[Event]:
    """The same events without a word on who the visitor is."""
    return [{**e, "anonymous_id": None} if e["customer_id"] and e.get("anonymous_id") == visitor else e for e in events]


@pytest.mark.parametrize("news", [[VISITS[1]], [sign_in("phone", "a", 1)], [sign_in("phone", "b")], []])
def test_no_writer_brings_back_what_is_unlinked(news: list[Event]) -> None:
    expected = offline(*unclaimed("phone", *LINK, VISITS[0], *news))

    def play(turns: Iterator[int]) -> list[tuple[int, int]]:
        table = MemoryTable()
        deliver(table, *LINK, VISITS[0])
        made = interleaved(table, [undo, delivery(*news) if news else undo], turns)
        assert online(table) == expected
        return made

    assert every_interleaving(play) > 30


@given(st.lists(st.integers(0, 2), min_size=20, max_size=20))
def test_nor_do_several_writers(turns: list[int]) -> None:
    table = MemoryTable()
    deliver(table, *LINK, VISITS[0])
    interleaved(table, [undo, delivery(VISITS[1]), delivery(*LINK, sign_in("phone", "a", 1))], iter(turns))
    assert online(table) == offline(*unclaimed("phone", *LINK, *VISITS, sign_in("phone", "a", 1)))


def test_undoing_a_link_whose_customer_is_not_stored_yet_undoes_it_for_good() -> None:
    table = MemoryTable()
    linker = Writer(table, delivery(*LINK, *VISITS))
    while "visitor#phone" not in table.items:
        linker.step()
    undo(table)
    while linker.alive:
        linker.step()
    assert online(table) == {**offline(*LINK), **offline(*VISITS)}


@given(deliveries(), st.sampled_from([visitor for visitor, owner in OWNERS.items() if owner]), st.data())
def test_unlinking_leaves_just_what_came_with_the_customers_id(
    events: list[Event], visitor: str, data: st.DataObject
) -> None:
    table, batches = MemoryTable(), shuffled_with_repeats(data, events)
    for batch in batches:
        deliver(table, *batch)
    is_linked = any(event["anonymous_id"] == visitor and event["customer_id"] for event in events)
    if is_linked:
        unlink(table, visitor, AS_OF, sleep=no_sleep)
    else:
        with pytest.raises(NoSuchLink):
            unlink(table, visitor, AS_OF, sleep=no_sleep)
    expected = offline(*unclaimed(visitor, *events))
    assert online(table) == expected
    for batch in batches:
        deliver(table, *batch)
    assert online(table) == expected


@given(deliveries(), st.data())
def test_histories_that_are_full_are_no_exception(events: list[Event], data: st.DataObject) -> None:
    # Which of several contents of one id stands, a full history cannot always know; but ids may come both ways.
    content = {event["event_id"]: {**event, "anonymous_id": None, "customer_id": None} for event in events}
    ids = ("anonymous_id", "customer_id")
    events = [{**content[event["event_id"]], **{name: event[name] for name in ids}} for event in events]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state, "MOST_EVENTS", 4)
        patch.setattr(state, "SKETCHED", 2)
        patch.setattr(codec, "SKETCHED", 2)
        table = MemoryTable()
        for batch in shuffled_with_repeats(data, events):
            deliver(table, *batch)
        assert online(table) == offline(*events)
        for visitor in OWNERS:
            if any(event["anonymous_id"] == visitor and event["customer_id"] for event in events):
                unlink(table, visitor, AS_OF, sleep=no_sleep)
                events = unclaimed(visitor, *events)
        assert online(table) == offline(*events)


def test_an_event_of_both_the_visitor_and_the_customer_counts_once_and_survives_the_undoing(table: MemoryTable) -> None:
    both: dict[str, Any] = {"event_id": "both", "price": 5.0}
    deliver(table, visit("phone", **both), visit("phone", 1), sign_in("phone", "a"), purchase("a", **both))
    assert histories([profile(table, "customer#a")]).event_counts.tolist() == [3]
    unlink(table, "phone", AS_OF, sleep=no_sleep)
    assert histories([profile(table, "customer#a")]).event_counts.tolist() == [2]
    assert profile(table, "visitor#phone").events == 2


def test_events_are_counted_once_and_customers_are_who_remains(table: MemoryTable) -> None:
    assert deliver(table, *VISITS)[0] == Ingested(events=2, customers=1)
    assert deliver(table, *LINK)[0] == Ingested(events=2, customers=1, links=1)
    assert deliver(table, *LINK, *VISITS)[0] == Ingested()
    assert deliver(table, visit("phone", 7))[0] == Ingested(events=1, customers=1)


def test_a_linked_visitor_is_decided_on_as_the_customer_alone(table: MemoryTable) -> None:
    bundle = Bundle.from_files(*make_bundle())
    deliver(table, *VISITS, bundle=bundle)
    assert profile(table, "visitor#phone").decision is not None
    deliver(table, *LINK, bundle=bundle)
    assert profile(table, "visitor#phone").decision is None
    merged = profile(table, "customer#a").decision
    unlink(table, "phone", AS_OF, bundle, no_sleep)
    alone = profile(table, "customer#a").decision
    assert merged and alone and merged != alone
    assert profile(table, "visitor#phone").decision is not None


def test_unlinking_again_changes_nothing_and_later_claims_are_refused(table: MemoryTable) -> None:
    deliver(table, *LINK, *VISITS)
    unlink(table, "phone", AS_OF, sleep=no_sleep)
    before = table.all()
    assert unlink(table, "phone", AS_OF, sleep=no_sleep) == Ingested()
    for customer in ("a", "b"):
        _, (reason,) = deliver(table, sign_in("phone", customer, 5))
        assert "undone by hand" in reason
    assert table.all()["visitor#phone"] == before["visitor#phone"]


@pytest.mark.parametrize("visitor", ["unknown", "nobody", TABLET])
def test_nothing_to_unlink_is_an_error(table: MemoryTable, visitor: str) -> None:
    deliver(table, visit("nobody"), *(sign_in(TABLET, customer) for customer in "abc"))
    with pytest.raises(NoSuchLink, match="linked to nobody"):
        unlink(table, visitor, AS_OF, sleep=no_sleep)


def test_the_second_customer_is_refused_and_the_third_shows_that_the_device_is_shared(table: MemoryTable) -> None:
    deliver(table, *LINK, *VISITS)
    _, (reason,) = deliver(table, sign_in("phone", "b"))
    assert reason.endswith("it is linked to another customer already")
    assert profile(table, "visitor#phone").link == Link("customer#a", LinkState.LINKED, (_only_other(table),))
    assert profile(table, "customer#b").events == 1
    assert deliver(table, sign_in("phone", "b", 1))[0] == Ingested(events=1, customers=1)

    found, (reason,) = deliver(table, sign_in("phone", "c"))
    assert found.shared == 1 and reason.endswith("3 or more customers share that device")
    assert histories([profile(table, "customer#a")]).event_counts.tolist() == [2]
    assert deliver(table, visit("phone", 9)) == (Ingested(events=1), [])
    assert not profile(table, "visitor#phone").is_someone


def _only_other(table: MemoryTable) -> str:
    link = profile(table, "visitor#phone").link
    assert link is not None
    (other,) = link.others
    assert "b" not in other.split("#")
    return other


def test_of_two_claims_in_a_batch_the_earlier_one_stands(table: MemoryTable) -> None:
    _, (reason,) = deliver(table, sign_in("phone", "late"), sign_in("phone", "early", timestamp="2017-09-30"))
    link = profile(table, "visitor#phone").link
    assert link is not None and link.customer == "customer#early"
    assert "another customer" in reason


def test_a_placeholder_for_an_id_does_not_gather_visitors_without_end(table: MemoryTable) -> None:
    crowd = [sign_in(f"v{i}", "undefined") for i in range(VISITORS_A_CUSTOMER + 5)]
    _, reasons = deliver(table, *crowd[:3])
    assert reasons == []
    _, reasons = deliver(table, *random.Random(0).sample(crowd, len(crowd)))
    assert len(reasons) == 5 and all("more than a person" in reason for reason in reasons)
    assert len(profile(table, "customer#undefined").visitors) == VISITORS_A_CUSTOMER
    assert len(resolve(("v" + e["anonymous_id"], e["customer_id"]) for e in crowd)) == VISITORS_A_CUSTOMER


def test_requests_go_up_only_where_there_are_visitors(table: MemoryTable) -> None:
    def requests(*events: Event) -> int:
        before = table.requests
        deliver(table, *events)
        return table.requests - before

    read, write = 1, 1
    assert requests(purchase("a"), purchase("b")) == read + 2 * write
    assert requests(visit("phone"), visit("laptop")) == read + 2 * write
    first_link = read + read + write  # the visitor, how many the customer has, the link
    assert requests(sign_in("phone", "a")) == first_link + read + write
    assert requests(sign_in("phone", "a", 1)) == read + read + write
    assert requests(visit("phone", 1)) == read + write + read + write
    assert requests(visit("laptop", 1)) == read + write


def test_refused_claims_are_handed_back_chunk_by_chunk_with_their_lines(table: MemoryTable) -> None:
    intake, refused = Intake(table, None, AS_OF), list[Any]()
    (chunk,) = chunks([purchase("a"), sign_in("phone", "a"), sign_in("phone", "b"), sign_in("laptop", "b")])
    intake.add(chunk, refused.append)
    assert not refused
    intake.flush()
    intake.flush()
    ((rejection,),) = refused
    assert (rejection.line, intake.refused) == (3, 1)
    assert b'"phone-b' in rejection.original


def test_the_page_on_identity_gives_every_reason() -> None:
    page = (Path(__file__).parent.parent / "docs/identity.md").read_text()
    links = [None, *(Link("customer#a", state) for state in LinkState)]
    for reason in filter(None, (refusal(link, "customer#b") for link in links)):
        assert f"| {reason.split(': ', 1)[1].removeprefix('anonymous_id ')} |" in page
