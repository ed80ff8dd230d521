from typing import TYPE_CHECKING, Any

import pytest

from shared.profiles.members import SHARDS, Members, members_of, size_key
from shared.profiles.table import ProfileTable
from tests.conftest import TABLE
from tests.support.stored_profiles import decision, profile

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SHOPPERS = {f"customer#{number}" for number in range(40)}


@pytest.fixture
def members(dynamodb: "DynamoDBClient") -> Members:
    ProfileTable(dynamodb, TABLE).save([profile(key) for key in sorted(SHOPPERS)])
    ProfileTable(dynamodb, TABLE).save([profile("customer#elsewhere", decision=decision(segment=4))])
    return Members(dynamodb, TABLE)


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_pages_list_everyone_in_a_segment_once(members: Members, limit: int) -> None:
    listed: list[str] = []
    page, place = members.page(3, limit)
    while place:
        assert len(page) <= limit
        listed += page
        page, place = members.page(3, limit, place)
    assert sorted([*listed, *page]) == sorted(SHOPPERS)


def test_a_segment_without_members_is_an_empty_page(members: Members) -> None:
    assert members.page(9, 10) == ([], None)


def test_members_are_spread_over_the_shards() -> None:
    assert len({members_of(3, f"customer#{number}") for number in range(200)}) == SHARDS


def test_a_size_is_the_sum_of_its_shards(members: Members, dynamodb: "DynamoDBClient") -> None:
    for shard, customers in ((0, 30), (5, 12)):
        item: Any = {**size_key(3, shard), "customers": {"N": str(customers)}}
        dynamodb.put_item(TableName=TABLE, Item=item)
    assert members.sizes() == {3: 42}
