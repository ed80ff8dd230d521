"""What a caller of the API is told of events that are not taken."""

import json
from typing import Any

import pytest

from shared.events import Rules
from shared.events.mapping import read_mapping
from shared.events.translator import Translator
from shared.intake.accepting import rejections
from shared.intake.live_events import LONGEST_EVENT_BYTES, Message
from tests.support.event_files import purchase

RULES = Rules("USD", 1_700_000_000_000)


def message(*events: Any, mapping: bytes | None = None) -> Message:
    translator = Translator(read_mapping(mapping)) if mapping else None
    return Message("request", "api", [json.dumps(event).encode() for event in events], translator=translator)


def test_good_events_are_taken() -> None:
    assert rejections(message(purchase("a"), purchase("b")), RULES, takes_consent=True) == []


def test_each_bad_event_is_told_once_by_its_number_in_their_order() -> None:
    refused = rejections(message(purchase("a", price=-1), purchase("b"), {"n": 1}), RULES, takes_consent=True)
    assert [rejection.line for rejection in refused] == [1, 3]


def test_an_event_too_long_for_the_queue_is_told_so_whatever_else_is_wrong() -> None:
    [rejection] = rejections(
        message(purchase("a", note="x" * LONGEST_EVENT_BYTES, price=-1)), RULES, takes_consent=True
    )
    assert rejection.reason.startswith("an event may take 100,000 bytes, not ")
    assert rejection.people == ("customer#a",)


@pytest.mark.parametrize("consent", [True, False])
def test_consent_is_refused_where_the_stack_says_so(consent: bool) -> None:
    consents = message(purchase("a", consent=consent))
    assert rejections(consents, RULES, takes_consent=True) == []
    assert [r.reason for r in rejections(consents, RULES, takes_consent=False)] == [
        "consent is not taken from the API: the parameter ConsentByApi says so"
    ]


def test_what_is_no_object_says_nothing_of_consent() -> None:
    [rejection] = rejections(message([1]), RULES, takes_consent=False)
    assert "consent" not in rejection.reason


def test_events_in_a_shops_own_columns_are_held_to_the_rules_by_its_words() -> None:
    mapping = b"""
        columns = {timestamp = "at", customer_id = "who", price = "paid", consent = "agrees"}
        constants = {event_type = "purchase"}
    """
    good = {"at": "2023-01-01", "who": "a", "paid": "2.50"}
    refusing = message(good, {**good, "paid": "-1 free"}, {**good, "agrees": "yes"}, mapping=mapping)
    assert [(r.line, r.reason, r.people) for r in rejections(refusing, RULES, takes_consent=False)] == [
        (2, "paid must be a number from 0 to 1,000,000,000", ("customer#a",)),
        (3, "consent is not taken from the API: the parameter ConsentByApi says so", ("customer#a",)),
    ]
