import json
from typing import Any

from shared.decisions.transitions import Cause, into_segment
from shared.ledger.announcements import CALLS_AT_MOST, DETAIL_TYPE, ENTRIES_A_CALL, SOURCE, Announcer
from tests.support.stored_profiles import decision

MOVES = [into_segment(f"customer#{i}", 1, None, decision(), Cause.EVENTS) for i in range(23)]


class Bus:
    """Keeps what is put, but for entries of those whom it refuses so many times."""

    def __init__(self, refusals: dict[str, int] | None = None) -> None:
        self.calls: list[int] = []
        self.details: list[dict[str, Any]] = []
        self._refusals = refusals or {}

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        self.calls.append(len(Entries))
        return {"Entries": [self._take(entry) for entry in Entries]}

    def _take(self, entry: dict[str, Any]) -> dict[str, str]:
        assert (entry["EventBusName"], entry["Source"], entry["DetailType"]) == ("bus", SOURCE, DETAIL_TYPE)
        detail = json.loads(entry["Detail"])
        if self._refusals.get(detail["customer_id"], 0) > 0:
            self._refusals[detail["customer_id"]] -= 1
            return {"ErrorCode": "ThrottlingException"}
        self.details.append(detail)
        return {"EventId": "1"}


def announcer(bus: Bus) -> Announcer:
    return Announcer(bus, "bus", sleep=lambda _seconds: None)  # type: ignore[arg-type]


def test_each_move_is_published_with_whose_it_is() -> None:
    bus = Bus()
    assert announcer(bus).publish(MOVES) == set()
    assert [detail["customer_id"] for detail in bus.details] == [str(i) for i in range(23)]
    assert [detail["transition_id"] for detail in bus.details] == [moved.id for moved in MOVES]
    assert bus.calls == [ENTRIES_A_CALL, ENTRIES_A_CALL, 3]


def test_what_the_bus_refuses_is_published_again_alone() -> None:
    bus = Bus({"4": 2})
    assert announcer(bus).publish(MOVES[:6]) == set()
    assert bus.calls == [6, 1, 1]


def test_what_it_refuses_every_time_is_named() -> None:
    bus = Bus({"4": 99})
    assert announcer(bus).publish(MOVES[:6]) == {MOVES[4].id}
    assert len(bus.calls) == CALLS_AT_MOST
