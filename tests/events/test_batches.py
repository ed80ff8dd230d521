"""Lines as events or as rejections, whom broken ones name, and how many are held at once."""

import pytest

from shared.events import batches
from shared.events.batches import BATCH_BYTES, BATCH_LINES, Batch, people, people_of
from tests.events.records import ORDER, PURCHASE


def added(line: bytes) -> Batch:
    batch = Batch()
    batch.add_json(7, line)
    return batch


def test_a_line_is_kept_with_its_number_and_bytes() -> None:
    batch = added(b'{"event_type": "search", "timestamp": 1}')
    assert (batch.lines, batch.events[0].event_type, batch.held) == ([7], "search", 40)


def test_a_line_that_breaks_a_rule_is_kept_as_a_rejection() -> None:
    [rejection] = added(b'{"event_type": "search", "userId": 889}').rejections
    assert (rejection.line, rejection.reason, rejection.people) == (7, "timestamp is missing", ("customer#889",))
    assert added(b"\xff").rejections[0].reason == "not valid UTF-8"


def test_fields_beyond_the_contract_are_kept_of_events_without_an_id_alone() -> None:
    assert added(b'{"event_type": "search", "timestamp": 1, "b": 2, "a": true}').extras == [b'{"a":"true","b":"2"}']
    assert added(b'{"event_type": "search", "timestamp": 1, "event_id": "e", "a": 1}').extras == [b""]


def test_of_a_line_that_is_too_long_the_beginning_is_kept() -> None:
    batch = Batch()
    batch.refuse_long(1, b"x" * 2_000_000)
    assert len(batch.rejections[0].original) == 10_000


@pytest.mark.parametrize(("lines", "size", "full"), [(1, 10, False), (BATCH_LINES, 1, True), (1, BATCH_BYTES, True)])
def test_a_batch_is_full_by_lines_or_by_bytes(lines: int, size: int, full: bool) -> None:
    batch = Batch()
    for number in range(lines):
        batch.refuse(number, "", b"x" * size)
    assert batch.is_full is full


def test_people_are_found_in_the_words_of_every_dialect() -> None:
    assert people(ORDER) == ("customer#889", "visitor#507f191e-810c")
    assert people(PURCHASE) == ("visitor#1146540.1921992520",)
    assert people({"customer_id": "1", "userId": 1, "previousId": "v", "anonymousId": ""}) == (
        "customer#1",
        "visitor#v",
    )
    assert people(None) == people({"customer_id": ["1"], "user_id": 1.5}) == ()


def test_people_are_found_in_a_line_of_json_however_broken_its_values_are() -> None:
    assert people_of(b'{"user_id": "1", "timestamp": {}}') == ("customer#1",)
    assert people_of(b"[1]") == people_of(b"{") == people_of(b"[" * 100_000) == ()


def test_only_bytes_that_are_text_are() -> None:
    assert [batches.is_utf8(line) for line in (b"a", "ü".encode(), b"\xfc")] == [True, True, False]
