"""Rules tried on a sample of stored customers."""

from typing import TYPE_CHECKING

from shared.api import audience_preview
from shared.api.audience_preview import Instant, asks_histories, preview, sample
from shared.audiences.reading import read_rule
from shared.features import encode
from shared.features.time_zone import UTC_TIME
from shared.profiles.table import ProfileTable
from tests.audiences.random_rules import NAMES
from tests.audiences.test_counting import AT_MS, NOON
from tests.conftest import TABLE
from tests.features.histories import folded
from tests.support.stored_profiles import decision, profile

if TYPE_CHECKING:
    import pytest
    from mypy_boto3_dynamodb import DynamoDBClient


def store(dynamodb: "DynamoDBClient", customers: int) -> ProfileTable:
    """Customers 1 to n with as many views each in the last hour; every other one has a tier."""
    table = ProfileTable(dynamodb, TABLE)
    for i in range(1, customers + 1):
        event = {"customer_id": str(i), "event_type": "view_item", "timestamp": NOON.isoformat()}
        said = {"attributes": {"tier": "gold"}} if i % 2 else {}
        state = encode(folded([{"event_id": f"e{n}", **event, **said} for n in range(i)]))[0]
        decided = decision(segment=i % 3, predictions={"churn_probability": i / 10})
        table.save([profile(f"customer#{i}", version=1, state=state, decision=decided)])
    table.save([profile("visitor#v", version=1, state=state, decision=decision())])
    table.save([profile("customer#new", version=1, state=state, decision=None)])
    return table


def test_who_is_decided_on_is_sampled_and_nobody_else(dynamodb: "DynamoDBClient") -> None:
    sampled, is_all = sample(dynamodb, store(dynamodb, 4), TABLE)
    assert sorted(one.key for one in sampled) == [f"customer#{i}" for i in range(1, 5)]
    assert is_all


def test_histories_attributes_and_what_was_decided_last_are_asked(dynamodb: "DynamoDBClient") -> None:
    sampled, _ = sample(dynamodb, store(dynamodb, 5), TABLE)
    rule = read_rule("views(1) >= 2 and tier = 'gold' and churn_probability > 0.3 and segment < 3", NAMES)

    estimate = preview(rule, sampled, None, Instant(AT_MS + 1, UTC_TIME))

    assert (estimate["size"], estimate["of"], estimate["estimated"]) == (1, 5, False)
    [example] = estimate["examples"]
    values = {"views(1)": 5.0, "attributes.tier": "gold", "churn_probability": 0.5, "segment": 2.0}
    assert example == {"customer_id": "5", "values": values}
    assert estimate["attributes"] == {"tier": 0.6}


def test_numbers_are_told_on_the_average_of_whom_they_are_known(dynamodb: "DynamoDBClient") -> None:
    sampled, _ = sample(dynamodb, store(dynamodb, 4), TABLE)
    asked = "(churn_probability > 0.15 or tier = 'none') and (expected_ltv is null or margin >= 0)"
    estimate = preview(read_rule(asked, NAMES), sampled, None, Instant(AT_MS + 1, UTC_TIME))
    assert estimate["means"] == {"churn_probability": 0.3, "margin": 0.5}


def test_of_a_sample_the_share_is_taken_of_all(dynamodb: "DynamoDBClient") -> None:
    sampled, _ = sample(dynamodb, store(dynamodb, 4), TABLE)
    estimate = preview(read_rule("views(1) > 2", NAMES), sampled, 1_000, Instant(AT_MS + 1, UTC_TIME))
    assert (estimate["size"], estimate["of"], estimate["estimated"]) == (500, 1_000, True)


def test_no_more_is_read_than_a_sample_takes(dynamodb: "DynamoDBClient", monkeypatch: "pytest.MonkeyPatch") -> None:
    table = store(dynamodb, 3)
    monkeypatch.setattr(audience_preview, "SECONDS", 0)
    pages = [([item], False) for item in dynamodb.scan(TableName=TABLE)["Items"] if "decision" in item]
    monkeypatch.setattr(audience_preview, "_pages", lambda *_: iter(pages))
    sampled, is_all = sample(dynamodb, table, TABLE)
    assert len(sampled) <= 1
    assert not is_all


def test_of_nobody_there_is_none(dynamodb: "DynamoDBClient") -> None:
    sampled, _ = sample(dynamodb, ProfileTable(dynamodb, TABLE), TABLE)
    estimate = preview(read_rule("tenure > 2", NAMES), sampled, None, Instant(AT_MS, UTC_TIME))
    assert (estimate["size"], estimate["of"], estimate["share"]) == (0, 0, 0.0)


def test_what_was_decided_is_told_without_histories_as_with_them(dynamodb: "DynamoDBClient") -> None:
    table = store(dynamodb, 5)
    decided = "churn_probability > 0.2 and (segment < 2 or intent is null)"
    assert not asks_histories(read_rule(decided, NAMES))
    for asked in ("tenure > 1", "views(1) > 1", "tier = 'gold'"):
        assert asks_histories(read_rule(f"{decided} or {asked}", NAMES))
    heads, _ = sample(dynamodb, table, TABLE, whole=False)
    assert sorted(one.key for one in heads) == [f"customer#{i}" for i in range(1, 6)]
    alone = preview(read_rule(decided, NAMES), heads, None, Instant(AT_MS + 1, UTC_TIME))
    with_them = preview(read_rule(f"{decided} and views(1) > 0", NAMES), heads, None, Instant(AT_MS + 1, UTC_TIME))
    assert (alone["size"], alone["of"], alone["means"]["churn_probability"]) == (2, 5, 0.35)
    assert all(alone[part] == with_them[part] for part in ("size", "of", "share"))


def test_whose_history_cannot_be_read_is_left_out(dynamodb: "DynamoDBClient") -> None:
    table = store(dynamodb, 3)
    table.save([profile("customer#broken", version=1, state=b"\xff", decision=decision())])
    sampled, _ = sample(dynamodb, table, TABLE)
    estimate = preview(read_rule("views(1) > 0", NAMES), sampled, None, Instant(AT_MS + 1, UTC_TIME))
    assert estimate["size"] == 3
