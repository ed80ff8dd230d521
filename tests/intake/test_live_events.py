"""Messages of every source, what stands in them, and how they are packed and cut."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events import Rules, read_lines
from shared.events.mapping import read_mapping
from shared.events.translator import Translator
from shared.features import encode, fold
from shared.intake.live_events import (
    MESSAGE_BYTES,
    MOST_EVENTS,
    Message,
    NoBatch,
    TakenIn,
    can_fail_alone,
    messages,
    packed,
    refusals,
)


def queued(body: str, message_id: str = "m") -> dict[str, Any]:
    return {"messageId": message_id, "body": body, "attributes": {"SentTimestamp": "1509494400000"}}


def only(event: dict[str, Any]) -> Message:
    [message] = messages(event)
    return message


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ('{"n":1}', [b'{"n":1}']),
        ('[{"n":1},{"n":2}]', [b'{"n":1}', b'{"n":2}']),
        ('{"events":[{"n":1},{"n":2}]}', [b'{"n":1}', b'{"n":2}']),
        ('{"event_type":"search","events":[1]}', [b'{"event_type":"search","events":[1]}']),
        ('{"n":1}\n\n{"n":2}\n', [b'{"n":1}', b'{"n":2}']),
        ('{"detail-type":"x","detail":{"n":1}}', [b'{"n":1}']),
        ("no JSON", [b"no JSON"]),
    ],
)
def test_a_message_holds_one_event_or_several_in_each_usual_way(body: str, lines: list[bytes]) -> None:
    assert only({"Records": [queued(body)]}).lines == lines


def test_each_source_is_told_by_its_record() -> None:
    data = base64.b64encode(b'{"n":1}').decode()
    kinesis = {"kinesis": {"sequenceNumber": "49", "data": data, "approximateArrivalTimestamp": 1.5}}
    kafka = {"topic": "clicks", "partition": 2, "offset": 7, "timestamp": 1_500, "value": data}
    delivered = [
        only({"Records": [queued('{"n":1}')]}),
        only({"Records": [queued('{"source":"api","events":[{"n":1}]}')]}),
        only({"Records": [kinesis]}),
        only({"records": {"clicks-2": [kafka, {**kafka, "value": None}]}}),
    ]
    assert [message.source for message in delivered] == ["bus", "api", "kinesis", "kafka"]
    assert [message.id for message in delivered[2:]] == ["49", "clicks-2-7"]
    assert [message.sent_ms for message in delivered[2:]] == [1_500, 1_500]


def test_a_record_that_no_service_sends_is_kept_as_it_came() -> None:
    message = only({"Records": [{"body": 7}]})
    assert (message.source, message.lines) == ("unknown", [b'{"body": 7}'])
    assert message.problem == "the record is none that a queue or a stream has"


def test_what_is_no_batch_is_an_error() -> None:
    with pytest.raises(NoBatch):
        messages({"detail": {}})


def test_a_message_of_too_many_events_is_refused_whole() -> None:
    message = only({"Records": [queued(json.dumps([0] * (MOST_EVENTS + 1)))]})
    assert len(message.lines) == 1
    assert message.problem == "a message may hold 10,000 events, not 10,001"


@given(st.lists(st.integers(0, 60_000), max_size=12))
def test_packed_events_come_back_whole_in_bodies_of_bounded_size(lengths: list[int]) -> None:
    events = [json.dumps({"n": number, "text": "x" * length}).encode() for number, length in enumerate(lengths)]
    bodies = [*packed(events)]
    assert [line for body in bodies for line in only({"Records": [queued(body)]}).lines] == events
    assert all(len(body) < MESSAGE_BYTES + 10_000 for body in bodies)


def test_halves_number_their_lines_as_the_whole_does() -> None:
    first, second = Message("m", "bus", [b"1", b"2", b"3"]).halves()
    assert ([*first.lines], first.first, first.part) == ([b"1"], 1, " 1-1")
    assert ([*second.lines], second.first, second.part) == ([b"2", b"3"], 2, " 2-3")
    assert [rejection.line for rejection in refusals(second, "why")] == [2, 3]


def test_only_messages_of_the_batch_itself_can_fail_alone() -> None:
    event = {"Records": [queued("{}", "a"), queued("{}", "b")]}
    assert can_fail_alone(["a"], event)
    assert not can_fail_alone(["a", "brought by a notice"], event)


MAPPED = Translator(
    read_mapping(b"""
        columns = {timestamp = "at", customer_id = "who", product_id = "items[].sku"}
        constants = {event_type = "purchase"}
    """)
)
ROW = {"at": "2023-01-01", "who": "a", "items": [{"sku": "x"}, {"sku": "y"}]}


def mapped(*rows: Any, name: Any = "shop-a", known: str = "shop-a") -> Message:
    [message] = messages({"Records": [queued(json.dumps({"mapping": name, "events": rows}))]})
    return message.read_by(lambda name: MAPPED if name == known else None)


def test_events_beside_a_mappings_name_are_read_by_it() -> None:
    message = mapped(ROW, {**ROW, "who": ""})
    chunk = message.read(Rules())
    assert (chunk.events.keys, len(chunk.events)) == (["customer#a"], 2)
    assert [(rejection.line, rejection.reason) for rejection in chunk.rejections] == [(2, "who is missing")]
    first, second = message.halves()
    assert (len(first.read(Rules()).events), second.read(Rules()).rejections[0].line) == (2, 2)


def test_what_is_kept_of_them_for_good_are_events_in_our_words_that_say_the_same() -> None:
    message = mapped(ROW, {**ROW, "who": ""}, {**ROW, "items": []})
    taken = TakenIn(message, message.read(Rules()), 0)
    lines = [*taken.valid()]
    assert len(lines) == 3
    assert encode(fold(read_lines(lines, Rules()).events)) == encode(fold(taken.chunk.events))


@pytest.mark.parametrize("name", ["shop-b", 5, ["shop-a"], {}])
def test_a_message_that_names_no_mapping_of_ours_is_kept_whole(name: Any) -> None:
    message = mapped(ROW, name=name)
    assert message.problem == "the mapping that it names is none of the bucket's, or cannot be used"
    assert json.loads(message.lines[0])["events"] == [ROW]


@pytest.mark.parametrize("name", ["", None])
def test_without_a_name_events_have_our_columns(name: Any) -> None:
    assert mapped({"n": 1}, name=name).translator is None


def test_a_refused_message_says_whom_it_names_in_the_shops_columns() -> None:
    assert [rejection.people for rejection in refusals(mapped(ROW, [1]), "why")] == [("customer#a",), ()]


@given(st.lists(st.just(b'{"n":1}'), min_size=1, max_size=4), st.text(min_size=1))
def test_what_is_packed_names_its_mapping(events: list[bytes], name: str) -> None:
    [body] = packed(events, name)
    [message] = messages({"Records": [queued(body)]})
    assert (message.source, message.mapping, message.lines) == ("api", name, events)
