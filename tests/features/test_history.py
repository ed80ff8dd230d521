"""Visits and orders as they are told from events; the oracle compares all that is made of them."""

from datetime import UTC, datetime
from typing import Any

from shared.features.columns import CHANNELS, DEVICES, PURCHASE
from shared.features.history import History
from tests.features.histories import folded

AS_OF_MS = int(datetime(2017, 1, 2, tzinfo=UTC).timestamp() * 1_000)


def history(*events: dict[str, Any], as_of_ms: int = AS_OF_MS) -> History:
    common = {"event_type": "page_view", "customer_id": "a"}
    return History(folded([{**common, "event_id": f"{i}", **event} for i, event in enumerate(events)]), as_of_ms)


def at(minute: int, **more: Any) -> dict[str, Any]:
    return {"timestamp": f"2017-01-01T{12 + minute // 60}:{minute % 60:02}:00Z", **more}


def test_half_an_hour_of_inactivity_ends_a_visit_without_a_session() -> None:
    visits = history(at(0), at(30), at(61)).visits
    assert visits.events.tolist() == [2, 1]
    assert (visits.end_ms - visits.time_ms).tolist() == [30 * 60_000, 0]


def test_a_session_is_one_visit_though_another_goes_on_beside_it() -> None:
    visits = history(at(0, session_id="s"), at(1), at(200, session_id="s")).visits
    assert visits.events.tolist() == [2, 1]


def test_a_visit_has_the_first_device_and_channel_that_its_events_name() -> None:
    visits = history(at(0), at(1, device="tablet"), at(2, device="mobile", channel="email")).visits
    assert [DEVICES[code] for code in visits.device] == ["tablet"]
    assert [CHANNELS[code] for code in visits.channel] == ["message"]


def test_refunds_mails_and_identification_are_part_of_no_visit() -> None:
    kinds = ("refund", "email_open", "email_click", "identify")
    assert history(*(at(i, event_type=kind) for i, kind in enumerate(kinds))).visits.count().tolist() == [0]


def test_lines_with_one_order_id_are_one_order_and_a_line_without_is_its_own() -> None:
    ids = ("o1", "o2", "o1", None)
    events = [at(i, event_type="purchase", **({"order_id": id_} if id_ else {})) for i, id_ in enumerate(ids)]
    assert history(*events).orders.count().tolist() == [3]
    assert history(*events).purchases.count().tolist() == [4]


def test_events_from_the_instant_on_do_not_count() -> None:
    earlier = history(at(0), at(1, event_type="purchase"), as_of_ms=AS_OF_MS - 12 * 3_600_000 + 60_000)
    assert earlier.events.count().tolist() == [1]
    assert earlier.count_of_kind(PURCHASE, None).tolist() == [0]


def test_categories_are_counted_by_customer() -> None:
    counts = history(at(0, category="Tea"), at(1, category="Tea"), at(2)).counts_of("category", 7)
    assert (counts.owner.tolist(), counts.count.tolist()) == ([0], [2])
