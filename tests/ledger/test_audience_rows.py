"""Moves between audiences: kept once, whatever comes twice or late, with members and sizes."""

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from shared.decisions.audience_moves import AudienceMove
from shared.decisions.grounds import Ground
from shared.decisions.transitions import Cause
from shared.ledger.audience_rows import MOVES_A_CALL, AudienceLedger, counting
from shared.ledger.rows import Ledger
from shared.profiles.members import Members
from tests.conftest import TABLE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def move(version: int, entered: bool = True, key: str = "customer#1", audience: str = "vip") -> AudienceMove:
    return AudienceMove(
        key, version, audience, 3, entered, "control", Cause.TIME, version * 1_000, "model", "loyal", "offer"
    )


@pytest.fixture
def ledger(dynamodb: "DynamoDBClient") -> AudienceLedger:
    return AudienceLedger(dynamodb, TABLE, sleep=lambda _seconds: None)


@pytest.fixture
def members(dynamodb: "DynamoDBClient") -> Members:
    return Members(dynamodb, TABLE)


def test_moves_come_back_as_they_were_kept_the_newest_first(ledger: AudienceLedger) -> None:
    moves = [replace(move(1), predictions={"expected_ltv": 2.5}, reasons=[Ground("a > 1", 2.0)])]
    moves.append(replace(move(2, False), reasons=[]))
    assert ledger.record(moves) == 2

    rows, more = ledger.history("customer#1", 10)

    assert (rows, more) == ([moves[1], moves[0]], None)
    newest, following = ledger.history("customer#1", 1)
    assert newest == [moves[1]]
    assert ledger.history("customer#1", 1, before=following) == ([moves[0]], None)


def test_repeating_changes_neither_members_nor_sizes(ledger: AudienceLedger, members: Members) -> None:
    ledger.record([move(1), move(1)])
    assert ledger.record([move(1)]) == 0
    assert members.audience_page("vip", 10) == (["customer#1"], None)
    assert members.audience_sizes() == {"vip": 1}


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 1, 3), (3, 1, 2)])
def test_who_is_a_member_does_not_depend_on_which_move_comes_first(
    order: tuple[int, ...], ledger: AudienceLedger, members: Members
) -> None:
    moves = {1: move(1), 2: move(2, False), 3: move(3)}
    for version in order:
        ledger.record([moves[version]])
    assert members.audience_page("vip", 10)[0] == ["customer#1"]
    assert members.audience_sizes() == {"vip": 1}
    ledger.record([move(5, False)])
    ledger.record([move(4)])
    assert members.audience_page("vip", 10)[0] == []


def test_one_batch_may_hold_moves_in_and_out(ledger: AudienceLedger, members: Members) -> None:
    ledger.record([move(1), move(2, False), move(3)])
    assert members.audience_page("vip", 10)[0] == ["customer#1"]
    assert members.audience_sizes() == {"vip": 1}


def test_more_than_a_transaction_takes_are_all_kept(ledger: AudienceLedger, members: Members) -> None:
    many = [move(1, key=f"customer#{i}", audience=f"a{i % 3}") for i in range(2 * MOVES_A_CALL + 3)]
    assert ledger.record(many) == len(many)
    assert sum(members.audience_sizes().values()) == len(many)


def test_members_are_listed_page_by_page(ledger: AudienceLedger, members: Members) -> None:
    ledger.record([move(1, key=f"customer#{i}") for i in range(25)])
    ledger.record([move(1, key="customer#other", audience="vip2")])
    listed: list[str] = []
    place: Any = None
    while True:
        page, place = members.audience_page("vip", 7, place)
        listed += page
        if place is None:
            break
    assert sorted(listed) == sorted(f"customer#{i}" for i in range(25))


def test_what_is_forgotten_is_gone_but_not_who_came_back(
    ledger: AudienceLedger, members: Members, dynamodb: "DynamoDBClient"
) -> None:
    ledger.record([move(1), move(2, audience="other"), move(9)])
    Ledger(dynamodb, TABLE).forget("customer#1", 5)
    assert [row.version for row in ledger.history("customer#1", 10)[0]] == [9]
    assert members.audience_page("vip", 10)[0] == ["customer#1"]
    assert members.audience_page("other", 10)[0] == []


def test_who_came_back_before_they_were_erased_stays_listed_where_they_are(
    ledger: AudienceLedger, members: Members, dynamodb: "DynamoDBClient"
) -> None:
    ledger.record([move(1), move(2, audience="other")])
    Ledger(dynamodb, TABLE).forget("customer#1", 5, inside={"vip": ...})
    assert ledger.history("customer#1", 10)[0] == []
    assert members.audience_page("vip", 10)[0] == ["customer#1"]
    assert members.audience_page("other", 10)[0] == []


def test_the_erased_are_counted_out_with_what_happens_once(
    ledger: AudienceLedger, members: Members, dynamodb: "DynamoDBClient"
) -> None:
    ledger.record([move(1), move(1, key="customer#2")])
    once = {
        "Put": {
            "TableName": TABLE,
            "Item": {"pk": {"S": "mark#x"}, "sk": {"S": "once"}},
            "ConditionExpression": "attribute_not_exists(pk)",
        }
    }
    for _ in range(2):
        Ledger(dynamodb, TABLE).close(None, once, counting(TABLE, Counter({"vip": -1})))
    assert members.audience_sizes() == {"vip": 1}
