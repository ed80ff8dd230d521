"""A page of the table as rows: who is about to be erased is in none of them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pytest

from shared.decisions.transitions import Cause, Transition
from shared.destinations.deliveries import Deliveries, Delivery
from shared.exports.plan import Plan
from shared.exports.reading import Counts, Reader, scan_page
from shared.features import encode
from shared.features.time_zone import UTC_TIME
from shared.identity.consents import Mark
from shared.ledger.rows import Ledger
from shared.profiles.item import encode_profile
from shared.profiles.stored_profile import StoredProfile
from shared.profiles.table import ProfileTable
from tests.conftest import TABLE
from tests.support.event_files import profiles, purchase
from tests.support.stored_profiles import profile

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PLAN = Plan("r", "2017-11-01", 1_509_500_000_000, recorded_until_ms=2**60)


class KnownMarks:
    """As much of the marks as reading asks for."""

    def __init__(self, **marks: Mark) -> None:
        self._marks = {f"customer#{name}": mark for name, mark in marks.items()}

    def load(self, keys: Iterable[str]) -> dict[str, Mark]:
        return {key: self._marks[key] for key in keys if key in self._marks}


def stored(name: str, **changes: Any) -> StoredProfile:
    (state,) = encode(profiles(purchase(name)))
    return profile(f"customer#{name}", state=state, **changes)


@pytest.fixture
def items(dynamodb: "DynamoDBClient") -> list[Any]:
    """Of a and b a profile, a move and a delivery each; a visitor, and what else stands in a table."""
    for name in ("a", "b"):
        dynamodb.put_item(TableName=TABLE, Item=encode_profile(stored(name)))
        moved = Transition(f"customer#{name}", 5, None, 1, Cause.EVENTS, 1_000, "m")
        Ledger(dynamodb, TABLE).record([moved], 2_000)
        Deliveries(dynamodb, TABLE).put([Delivery(f"customer#{name}", "crm", "t", 1_000, "accepted", 2_000)])
        Deliveries(dynamodb, TABLE).note("crm", [(f"customer#{name}", "their name")])
    dynamodb.put_item(TableName=TABLE, Item=encode_profile(profile("visitor#v", decision=None)))
    read: list[Any] = []
    for partition in range(2):
        page, cursor = scan_page(dynamodb, TABLE, partition, 2, None)
        read += page
        assert cursor is None
    return read


def read(dynamodb: "DynamoDBClient", items: list[Any], **marks: Mark) -> tuple[dict[str, set[str]], Counts]:
    known: Any = KnownMarks(**marks)
    reader = Reader(ProfileTable(dynamodb, TABLE), known, lambda *_: None, UTC_TIME, PLAN)
    people: dict[str, set[str]] = {}
    for table, rows in reader.rows(items):
        people.setdefault(table, set()).update(rows["customer_id"].tolist())
    return people, reader.counts


def test_customers_their_moves_and_what_was_sent_of_them_are_read_and_nothing_else(items: list[Any]) -> None:
    assert sorted((item["pk"]["S"], item["sk"]["S"].partition("#")[0]) for item in items) == [
        ("customer#a", "profile"), ("customer#b", "profile"),
        ("deliveries#customer#a", "row"), ("deliveries#customer#b", "row"),
        ("moves#customer#a", "transition"), ("moves#customer#b", "transition"),
    ]  # fmt: skip


def test_everybody_without_a_mark_is_in_every_table(dynamodb: "DynamoDBClient", items: list[Any]) -> None:
    people, counts = read(dynamodb, items)
    assert people.pop("exposures") == set()
    assert people.keys() == {"customers", "states", "orders", "decisions", "moves", "deliveries"}
    assert all(names == {"a", "b"} for names in people.values())
    assert counts == Counts(read=2)


def test_who_is_about_to_be_erased_is_in_none(dynamodb: "DynamoDBClient", items: list[Any]) -> None:
    people, counts = read(dynamodb, items, a=Mark(refused_ms=1, ended=4))
    assert all(names <= {"b"} for names in people.values())
    assert counts == Counts(read=2, erased=1)


def test_who_came_back_is_exported_without_what_was_before(dynamodb: "DynamoDBClient", items: list[Any]) -> None:
    people, _ = read(dynamodb, items, a=Mark(refused_ms=1_500, given_ms=frozenset({1_600}), ended=5))
    assert people["customers"] == {"a", "b"}
    assert people["moves"] == people["deliveries"] == {"b"}
    people, _ = read(dynamodb, items, a=Mark(refused_ms=500, given_ms=frozenset({600}), ended=4))
    assert people["moves"] == people["deliveries"] == {"a", "b"}


def test_a_history_that_this_code_cannot_read_is_counted_and_spoils_no_other(
    dynamodb: "DynamoDBClient", items: list[Any]
) -> None:
    for item in items:
        if item["pk"]["S"] == "customer#a":
            item["state"] = {"B": b"\xff of a later release"}
    people, counts = read(dynamodb, items)
    assert people["customers"] == {"b"}
    assert counts == Counts(read=2, unreadable=1)
    broken = [{"pk": {"S": "customer#c"}, "sk": {"S": "profile"}}, *items]
    assert read(dynamodb, broken)[1] == Counts(read=3, unreadable=2)
