from typing import TYPE_CHECKING, Any

import pytest

from operations import recount
from operations.recount import correct, lacking, settled
from operations.stack import DeployedStack
from shared.profiles.members import Members, audience_size_key, size_key
from tests.conftest import TABLE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def put_member(client: "DynamoDBClient", key: str, segment: int) -> None:
    decision: Any = {"M": {"segment": {"N": str(segment)}}}
    client.put_item(TableName=TABLE, Item={"pk": {"S": key}, "sk": {"S": "profile"}, "decision": decision})


def put_in_audience(client: "DynamoDBClient", key: str, audience: str) -> None:
    membership: Any = {"M": {audience: {"L": [{"N": "1"}, {"S": "treatment"}]}}}
    client.update_item(
        TableName=TABLE,
        Key={"pk": {"S": key}, "sk": {"S": "profile"}},
        UpdateExpression="SET decision.audiences = :in",
        ExpressionAttributeValues={":in": membership},
    )


def put_size(client: "DynamoDBClient", segment: int, shard: int, customers: int) -> None:
    client.put_item(TableName=TABLE, Item={**size_key(segment, shard), "customers": {"N": str(customers)}})


def filled(client: "DynamoDBClient") -> None:
    """Segment 0 lacks two, segment 1 has one too many, 2 is right, and 3 is below zero."""
    for number, segment in enumerate([0, 0, 0, 1, 2, 2]):
        put_member(client, f"customer#{number}", segment)
    put_member(client, "visitor#not a customer", 2)
    client.put_item(TableName=TABLE, Item={"pk": {"S": "customer#undecided"}, "sk": {"S": "profile"}})
    for segment, shard, customers in ((0, 1, 1), (1, 0, 1), (1, 7, 1), (2, 3, 2), (3, 0, -4)):
        put_size(client, segment, shard, customers)


def test_what_sizes_lack_is_counted_from_the_profiles(dynamodb: "DynamoDBClient") -> None:
    filled(dynamodb)
    assert lacking(dynamodb, TABLE) == {0: 2, 1: -1, 3: 4}


def test_after_a_correction_nothing_is_lacking(dynamodb: "DynamoDBClient") -> None:
    filled(dynamodb)
    correct(dynamodb, TABLE, lacking(dynamodb, TABLE))
    assert lacking(dynamodb, TABLE) == {}
    assert +Members(dynamodb, TABLE).sizes() == {0: 3, 1: 1, 2: 2}


def test_audiences_are_counted_too(dynamodb: "DynamoDBClient") -> None:
    put_member(dynamodb, "customer#1", 0)
    put_in_audience(dynamodb, "customer#1", "vip")
    put_size(dynamodb, 0, 0, 1)
    dynamodb.put_item(TableName=TABLE, Item={**audience_size_key(3), "in_gone": {"N": "2"}, "in_vip": {"N": "2"}})
    assert lacking(dynamodb, TABLE) == {"vip": -1, "gone": -2}
    correct(dynamodb, TABLE, lacking(dynamodb, TABLE))
    assert lacking(dynamodb, TABLE) == {}


def test_a_difference_that_changes_is_a_move_under_way() -> None:
    waits: list[float] = []
    assert settled({0: 2, 1: -1, 2: 5}, lambda: {0: 2, 1: 1}, 60, waits.append) == {0: 2}
    assert waits == [60]


def test_the_command_changes_nothing_unless_told_to(
    dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(DeployedStack, "resource", lambda self, name: {"ProfileTable": TABLE}[name])
    filled(dynamodb)
    assert recount.main(["--settle", "0"]) == 1
    assert "segment 0: +2 customers" in capsys.readouterr().out
    assert recount.main(["--settle", "0", "--correct"]) == 0
    assert recount.main(["--settle", "0"]) == 0
    assert "Every size" in capsys.readouterr().out


def test_a_stack_that_lacks_what_is_asked_for_is_one_line_and_status_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(DeployedStack, "resources", {})
    assert recount.main(["--stack", "another"]) == 2
    assert capsys.readouterr().err == ("error: stack another has no ProfileTable: was it deployed by this release?\n")
