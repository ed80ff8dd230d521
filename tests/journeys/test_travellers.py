"""Items of those who travel: nobody writes over another, and an erasure leaves nothing to write to."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from shared.decisions.decision import Membership
from shared.journeys.travellers import ENDED_DAYS, SENT, Overtaken, Traveller, Travellers
from tests.conftest import TABLE
from tests.journeys.people import ENTERED_MS, KEY, secret
from tests.support.stored_profiles import decision, profile

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def travellers(dynamodb: "DynamoDBClient") -> Travellers:
    return Travellers(dynamodb, TABLE, secret)


def traveller(travellers: Travellers) -> Traveller:
    return Traveller(travellers.partition(KEY), KEY, "cart", 2, "carts", "t1", ENTERED_MS, "control")


def test_a_traveller_is_read_as_they_were_written(travellers: Travellers) -> None:
    one = travellers.begin(traveller(travellers))
    moved = travellers.put(replace(one, position=3, due_ms=5, sent_ms=6, outcome="left"), ENTERED_MS)
    assert travellers.get(one.pk, one.sk) == moved
    assert travellers.of_customer(KEY) == [moved]
    assert travellers.begin(traveller(travellers)) == moved


def test_of_two_who_move_somebody_one_does(travellers: Travellers) -> None:
    one = travellers.begin(traveller(travellers))
    travellers.put(replace(one, position=1), 0)
    with pytest.raises(Overtaken):
        travellers.put(replace(one, position=2), 0)
    with pytest.raises(Overtaken):
        travellers.decide(one, travellers.sends(one.pk), 7)
    assert travellers.sends(one.pk) == ([], 0)


def test_a_sending_counts_for_the_cap_with_its_decision(travellers: Travellers) -> None:
    one = travellers.begin(traveller(travellers))
    before = travellers.sends(one.pk)
    decided = travellers.decide(one, before, 7)
    assert (decided.sent_ms, travellers.sends(one.pk)) == (7, ([7], 1))
    with pytest.raises(Overtaken):  # of the same customer another journey decided meanwhile
        travellers.decide(decided, before, 8)
    travellers.decide(decided, travellers.sends(one.pk), 8)
    assert travellers.sends(one.pk)[0] == [7, 8]


def test_how_a_journey_ended_is_kept_for_a_while(travellers: Travellers, dynamodb: "DynamoDBClient") -> None:
    one = travellers.begin(traveller(travellers))
    travellers.put(replace(one, outcome="finished"), ENTERED_MS)
    item = dynamodb.get_item(TableName=TABLE, Key={"pk": {"S": one.pk}, "sk": {"S": one.sk}})["Item"]
    assert item["expires"] == {"N": str(ENTERED_MS // 1_000 + ENDED_DAYS * 86_400)}
    assert item["member_of"]["S"].startswith("journey#cart#finished#")


def test_of_the_erased_nothing_stays_and_nothing_is_written_again(
    travellers: Travellers, dynamodb: "DynamoDBClient"
) -> None:
    one = travellers.begin(traveller(travellers))
    decided = travellers.decide(one, ([], 0), 7)
    travellers.forget(KEY, lambda: None)
    assert travellers.of_customer(KEY) == []
    assert "Item" not in dynamodb.get_item(TableName=TABLE, Key={"pk": {"S": one.pk}, "sk": {"S": SENT}})
    with pytest.raises(Overtaken):
        travellers.put(decided, 0)


def test_who_came_back_keeps_the_journeys_that_they_began_since(travellers: Travellers) -> None:
    before, since = (replace(traveller(travellers), entry=f"t{at}", entered_ms=at) for at in (10, 100))
    travellers.decide(travellers.begin(before), ([], 0), 15)
    travellers.decide(travellers.begin(since), travellers.sends(before.pk), 105)
    back = profile(KEY, decision=decision(audiences={"carts": Membership(100, "control")}))
    for _ in range(2):
        travellers.forget(KEY, lambda: back)
        assert [one.entered_ms for one in travellers.of_customer(KEY)] == [100]
        assert travellers.sends(before.pk)[0] == [105]
