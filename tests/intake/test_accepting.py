"""What a caller of the API is told of events that are not taken."""

import json
from typing import Any

import pytest

from shared.events import Rules
from shared.intake.accepting import rejections
from shared.intake.live_events import LONGEST_EVENT_BYTES
from tests.support.event_files import purchase

RULES = Rules("USD", 1_700_000_000_000)


def lines(*events: dict[str, Any]) -> list[bytes]:
    return [json.dumps(event).encode() for event in events]


def test_good_events_are_taken() -> None:
    assert rejections(lines(purchase("a"), purchase("b")), RULES, takes_consent=True) == []


def test_each_bad_event_is_told_once_by_its_number_in_their_order() -> None:
    refused = rejections(lines(purchase("a", price=-1), purchase("b"), {"n": 1}), RULES, takes_consent=True)
    assert [rejection.line for rejection in refused] == [1, 3]


def test_an_event_too_long_for_the_queue_is_told_so_whatever_else_is_wrong() -> None:
    [rejection] = rejections(lines(purchase("a", note="x" * LONGEST_EVENT_BYTES, price=-1)), RULES, takes_consent=True)
    assert rejection.reason.startswith("an event may take 100,000 bytes, not ")
    assert rejection.people == ("customer#a",)


@pytest.mark.parametrize("consent", [True, False])
def test_consent_is_refused_where_the_stack_says_so(consent: bool) -> None:
    consents = lines(purchase("a", consent=consent))
    assert rejections(consents, RULES, takes_consent=True) == []
    assert [r.reason for r in rejections(consents, RULES, takes_consent=False)] == [
        "consent is not taken from the API: the parameter ConsentByApi says so"
    ]


def test_what_is_no_object_says_nothing_of_consent() -> None:
    [rejection] = rejections([b"[1]"], RULES, takes_consent=False)
    assert "consent" not in rejection.reason
