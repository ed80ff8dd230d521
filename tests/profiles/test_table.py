import random
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from shared.identity.keys import anonymous
from shared.identity.links import Copy, Link, LinkState
from shared.profiles.stored_profile import item_key
from shared.profiles.table import ProfileNotWritten, ProfileTable, TableOverloaded
from tests.conftest import TABLE
from tests.support.partiql import PartiQL
from tests.support.stored_profiles import profile

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def table(dynamodb: "DynamoDBClient") -> ProfileTable:
    return ProfileTable(dynamodb, TABLE, sleep=lambda _seconds: None)


LINKED = Link("customer#1", LinkState.LINKED, ("a1b2c3", "d4e5f6"))
SHARED = Link("customer#1", LinkState.SHARED)


def test_profiles_beyond_one_call_are_saved_and_loaded(table: ProfileTable) -> None:
    profiles = {f"customer#{i}": profile(f"customer#{i}", state=random.randbytes(20)) for i in range(230)}
    assert table.save(list(profiles.values())) == set()
    assert table.load([*profiles, "customer#unknown"]) == profiles
    assert table.get("customer#17") == profiles["customer#17"]
    assert table.get("customer#unknown") is None


def test_versions_are_those_of_the_profiles_that_are_there(table: ProfileTable) -> None:
    profiles = [profile(f"customer#{i}", state=b"x") for i in range(150)]
    table.save(profiles)
    versions = {one.key: one.version for one in profiles}
    assert table.versions([*versions, "customer#nobody"]) == versions


@pytest.mark.parametrize("broken", [{}, {"version": {"S": "1"}}])
def test_an_item_that_is_broken_has_no_version(
    table: ProfileTable, dynamodb: "DynamoDBClient", broken: dict[str, Any]
) -> None:
    dynamodb.put_item(TableName=TABLE, Item=item_key("customer#1") | broken)
    assert table.versions(["customer#1"]) == {}


def test_existing_profile_is_replaced_only_at_the_version_seen(table: ProfileTable) -> None:
    table.save([profile(version=1)])
    assert table.save([profile(version=2, state=b"second")]) == set()
    assert table.save([profile(version=2, state=b"late")]) == {"customer#1"}
    assert table.load(["customer#1"])["customer#1"].state == b"second"


def test_profile_that_another_wrote_first_is_lost(table: ProfileTable) -> None:
    table.save([profile("customer#b", state=b"theirs")])
    lost = table.save([profile("customer#a"), profile("customer#b", state=b"ours"), profile("customer#c")])
    assert lost == {"customer#b"}
    assert set(table.load(["customer#a", "customer#c"])) == {"customer#a", "customer#c"}
    assert table.load(["customer#b"])["customer#b"].state == b"theirs"


def test_update_of_an_erased_profile_is_lost(table: ProfileTable) -> None:
    assert table.save([profile(version=7)]) == {"customer#1"}


def test_without_a_new_decision_the_one_before_stays(table: ProfileTable) -> None:
    table.save([profile(version=1)])
    table.save([profile(version=2, state=b"second", decision=None)])
    assert table.load(["customer#1"])["customer#1"] == profile(version=2, state=b"second")


def test_links_and_visitors_are_stored(table: ProfileTable) -> None:
    visitor = profile("visitor#v", state=b"", decision=None, link=LINKED)
    customer = profile(visitors={"visitor#v": Copy(1, b""), "visitor#w": Copy(2, b"visits")})
    assert table.save([visitor, customer]) == set()
    customer = replace(customer, version=2, visitors={**customer.visitors, "visitor#w": Copy(3, None)})
    assert table.save([customer]) == set()
    assert table.load(["visitor#v", "customer#1"]) == {"visitor#v": visitor, "customer#1": customer}


@pytest.mark.parametrize("link", [LINKED, SHARED])
def test_a_visitor_who_is_somebody_else_loses_the_decision(table: ProfileTable, link: Link) -> None:
    table.save([profile("visitor#v")])
    table.save([profile("visitor#v", version=2, decision=None, link=link)])
    assert table.load(["visitor#v"])["visitor#v"].decision is None


@pytest.mark.parametrize(
    "code", ["ThrottlingError", "ProvisionedThroughputExceeded", "InternalServerError", "TransactionConflict"]
)
def test_throttled_statement_is_tried_again_alone(table: ProfileTable, partiql: PartiQL, code: str) -> None:
    partiql.refusals.extend([None, code, None, code])
    assert table.save([profile(f"customer#{i}") for i in range(3)]) == set()
    assert partiql.statements == 5
    assert len(table.load([f"customer#{i}" for i in range(3)])) == 3


def test_endless_throttling_ends_in_an_error(table: ProfileTable, partiql: PartiQL) -> None:
    partiql.refusals.extend(["ThrottlingError"] * 1000)
    with pytest.raises(TableOverloaded, match="1 profiles still unwritten"):
        table.save([profile()])


def test_refusal_for_another_reason_names_no_customer(table: ProfileTable, partiql: PartiQL) -> None:
    partiql.refusals.append("AccessDenied")
    with pytest.raises(ProfileNotWritten, match=f"profile {anonymous('customer#1')} .* AccessDenied") as error:
        table.save([profile()])
    assert "customer#1" not in str(error.value)


def test_unprocessed_keys_are_read_again(table: ProfileTable, dynamodb: "DynamoDBClient") -> None:
    profiles = {f"customer#{i}": profile(f"customer#{i}") for i in range(100)}
    table.save(list(profiles.values()))
    assert ProfileTable(_HalfAnswers(dynamodb), TABLE, sleep=lambda _: None).load(profiles) == profiles  # type: ignore[arg-type]


def test_waits_between_attempts_are_jittered_and_grow(dynamodb: "DynamoDBClient", partiql: PartiQL) -> None:
    waits: list[float] = []
    partiql.refusals.extend(["ThrottlingError"] * 8)
    ProfileTable(dynamodb, TABLE, sleep=waits.append).save([profile()])
    assert len(set(waits)) == 8 and max(waits) <= 2.0


class _HalfAnswers:
    """A client whose reads answer for the first half of what they were asked."""

    def __init__(self, client: Any) -> None:
        self._read: Callable[..., Any] = client.batch_get_item

    def batch_get_item(self, RequestItems: Any) -> Any:
        request = RequestItems[TABLE]
        keys = request["Keys"]
        half = (len(keys) + 1) // 2
        answer = self._read(RequestItems={TABLE: {**request, "Keys": keys[:half]}})
        return {**answer, "UnprocessedKeys": {TABLE: {**request, "Keys": keys[half:]}} if keys[half:] else {}}
