"""Visitors become customers: the same whatever comes first and whoever writes at the same time."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.identity.links import VISITORS_A_CUSTOMER, Link, LinkState, refusal, resolve
from shared.intake.claims import unlink
from shared.intake.gathering import Intake
from shared.models.bundle import Bundle
from shared.profiles.change import Ingested
from shared.profiles.histories import histories
from tests.support.bundles import make_bundle
from tests.support.event_files import Event, chunks, purchase
from tests.support.memory_table import MemoryTable, Writer, every_interleaving, interleaved
from tests.support.visitors import (
    AS_OF,
    LINK,
    VISITS,
    deliver,
    deliveries,
    delivery,
    no_sleep,
    offline,
    online,
    profile,
    shuffled_with_repeats,
    sign_in,
    visit,
)


@pytest.fixture
def table() -> MemoryTable:
    return MemoryTable()


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


def test_the_second_customer_is_refused_and_the_third_shows_that_the_device_is_shared(table: MemoryTable) -> None:
    deliver(table, *LINK, *VISITS)
    _, (reason,) = deliver(table, sign_in("phone", "b"))
    assert reason.endswith("it is linked to another customer already")
    assert profile(table, "visitor#phone").link == Link("customer#a", LinkState.LINKED, (_only_other(table),))
    assert profile(table, "customer#b").events == 1
    assert deliver(table, sign_in("phone", "b", 1))[0] == Ingested(events=1, customers=1)

    ingested, (reason,) = deliver(table, sign_in("phone", "c"))
    assert ingested.shared == 1 and reason.endswith("3 or more customers share that device")
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
    page = (Path(__file__).parents[2] / "docs/identity.md").read_text()
    links = [None, *(Link("customer#a", state) for state in LinkState)]
    for reason in filter(None, (refusal(link, "customer#b") for link in links)):
        assert f"| {reason.split(': ', 1)[1].removeprefix('anonymous_id ')} |" in page
