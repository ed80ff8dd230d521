"""What is counted of a batch of lines, and what is said beside it."""

from dataclasses import dataclass
from typing import Any

import msgspec

from shared.events.batches import Batch
from shared.events.chunks import joined, to_chunk
from shared.events.judging import Rules
from shared.identity.consents import Consent
from tests.events.lines import GOOD
from tests.events.records import order

VISIT: dict[str, Any] = {"event_type": "page_view", "timestamp": 1_500_000_000, "customer_id": "c"}


def batch(*records: dict[str, Any]) -> Batch:
    lines = Batch()
    for number, record in enumerate(records, 1):
        lines.add_json(number, msgspec.json.encode(record))
    return lines


@dataclass(frozen=True)
class Unreadable:
    """A profile that takes nothing in, but holds what came before an instant."""

    reason: str = "its item cannot be read"

    def keeps(self, _fingerprint: int, time_ms: int) -> bool:
        return time_ms < 1_600_000_000_000


def test_valid_lines_count_and_others_come_back_in_their_order() -> None:
    chunk = to_chunk(batch({"event_type": "search"}, GOOD, {**GOOD, "currency": "EUR"}), Rules())
    assert len(chunk.events) == 1
    assert [(line.line, line.reason[:8]) for line in chunk.rejections] == [(1, "timestam"), (3, "currency")]
    assert chunk.rejections[1].people == ("customer#889",)


def test_a_line_with_one_event_that_breaks_a_rule_counts_for_none() -> None:
    chunk = to_chunk(batch(order(currency="EUR"), GOOD), Rules())
    assert (len(chunk.events), [line.line for line in chunk.rejections]) == (1, [1])


def test_events_without_an_id_are_told_apart_by_all_that_they_say() -> None:
    chunk = to_chunk(
        batch(VISIT, VISIT, {**VISIT, "extra": 1}, {**VISIT, "timestamp": "2017-07-14T02:40:00Z"}), Rules()
    )
    one, same, other, same_time = chunk.events.rows.fingerprint.tolist()
    assert one == same == same_time != other


def test_of_claims_that_say_the_same_the_earliest_stands() -> None:
    both = {**VISIT, "anonymous_id": "v"}
    [claim] = to_chunk(batch(both, {**both, "timestamp": 1_400_000_000}, VISIT), Rules()).claims
    assert (claim.visitor, claim.customer, claim.line) == ("visitor#v", "customer#c", 2)


def test_a_consent_is_that_of_everybody_whom_its_event_names() -> None:
    consents = to_chunk(batch({**VISIT, "anonymous_id": "v", "consent": False}), Rules()).consents
    assert consents == [Consent(who, 1_500_000_000_000, False) for who in ("customer#c", "visitor#v")]


def test_lines_of_a_profile_that_took_nothing_come_back_where_it_does_not_hold_them() -> None:
    rules = Rules(unwritten={"customer#c": Unreadable()})
    chunk = to_chunk(batch(VISIT, {**VISIT, "timestamp": 1_700_000_000}, GOOD), rules)
    assert [(line.line, line.reason) for line in chunk.unwritten] == [(2, "its item cannot be read")]


def test_chunks_are_joined_with_all_that_they_say() -> None:
    rules = Rules(unwritten={"customer#c": Unreadable("")})
    late = {**VISIT, "timestamp": 1_700_000_000, "anonymous_id": "v", "consent": True}
    parts = [to_chunk(batch(late, {}), rules), to_chunk(batch(GOOD), rules)]
    whole = joined(parts)
    assert whole.events.keys == ["customer#c", "customer#889"]
    assert [len(part) for part in (whole.rejections, whole.claims, whole.consents, whole.unwritten)] == [1, 1, 2, 1]
