"""Recommendations over moto, by the handler itself."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from shared.features import encode, fold
from shared.profiles.table import ProfileTable
from shared.recommending.layout import CURRENT_KEY, Publication
from shared.recommending.publishing import publish
from tests.conftest import BUCKET, TABLE
from tests.functions.conftest import Context, function
from tests.support.document import check_answer
from tests.support.recommenders import event, events_of, small_recommender
from tests.support.stored_profiles import decision, profile

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

ROUTE = "/customers/{customer_id}/recommendations"


@pytest.fixture
def app(s3: "S3Client", dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch) -> Any:
    """With somebody who bought a2 three times."""
    store(dynamodb, "x", [event("x", "purchase", "a2", f"2017-10-{day:02}") for day in (3, 10, 17)])
    return function("recommend_products", monkeypatch)


def store(dynamodb: "DynamoDBClient", customer: str, events: list[Any], version: int = 1, **changes: Any) -> None:
    (state,) = encode(fold(events_of(*events)))
    kept = profile(f"customer#{customer}", version=version, state=state, **{"decision": decision(), **changes})
    assert ProfileTable(dynamodb, TABLE).save([kept]) == set()


def ask(app: Any, customer: str, query: dict[str, str] | None = None) -> tuple[int, Any]:
    request = {
        "path": ROUTE.replace("{customer_id}", customer),
        "httpMethod": "GET",
        "headers": {},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": {name: [value] for name, value in (query or {}).items()},
        "requestContext": {"requestId": "r", "stage": "v1"},
    }
    answer = app.handler(request, Context())
    status, body = answer["statusCode"], json.loads(answer["body"])
    check_answer("GET", ROUTE, status, body)
    return status, body


def put_live(s3: "S3Client") -> None:
    publish(s3, BUCKET, small_recommender().to_bytes(), b"{}", Publication(0, "", ""))


def test_both_lists_are_answered_with_reasons(app: Any, s3: "S3Client") -> None:
    put_live(s3)
    status, lists = ask(app, "x")
    assert status == 200
    assert [entry["product_id"] for entry in lists["buy_again"]] == ["a2"]
    assert lists["buy_again"][0]["reason"] == "bought every 7 days, last 14 days ago"
    assert {entry["product_id"] for entry in lists["new_for_you"]} == {"a1", "b1", "c1"}
    assert (lists["recommender_version"], lists["horizon_days"]) == (small_recommender().recommender_id, 30)
    assert (lists["as_of"], lists["trained_as_of"]) == ("2017-11-01T00:00:00Z", "2017-10-01T00:00:00Z")


def test_the_answer_knows_what_was_done_a_moment_ago(app: Any, s3: "S3Client", dynamodb: "DynamoDBClient") -> None:
    put_live(s3)
    assert "b1" in {entry["product_id"] for entry in ask(app, "x")[1]["new_for_you"]}
    store(dynamodb, "x", [event("x", "purchase", "b1", "2017-10-31")], version=2)
    _, lists = ask(app, "x")
    assert [entry["product_id"] for entry in lists["buy_again"]] == ["b1"]


def test_a_limit_counts_for_each_list_and_nonsense_is_refused(app: Any, s3: "S3Client") -> None:
    put_live(s3)
    _, lists = ask(app, "x", {"limit": "1"})
    assert [len(lists[name]) for name in ("buy_again", "new_for_you")] == [1, 1]
    for limit in ("0", "51", "-1", "many", "", "1" * 99, "¹"):
        status, refusal = ask(app, "x", {"limit": limit})
        assert (status, refusal["error"]["code"]) == (400, "invalid_limit")


def test_nobody_is_recommended_anything_before_a_recommender_is_published(app: Any) -> None:
    status, refusal = ask(app, "x")
    assert (status, refusal["error"]["code"]) == (404, "no_recommender_yet")


def test_whoever_is_not_known_or_was_erased_is_not_found(app: Any, s3: "S3Client", dynamodb: "DynamoDBClient") -> None:
    put_live(s3)
    store(dynamodb, "nothing", [event("x", "purchase", "a1", "2017-10-01")])
    kept = ProfileTable(dynamodb, TABLE).get("customer#nothing")
    assert kept is not None
    ProfileTable(dynamodb, TABLE).delete(kept)
    for customer in ("nobody", "nothing", "x" * 200):
        status, refusal = ask(app, customer)
        assert (status, refusal["error"]["code"]) == (404, "customer_not_found")


@pytest.mark.parametrize("state", [b"\xff", b"\x01broken"])
def test_a_history_that_cannot_be_read_leads_to_empty_lists_that_say_so(
    app: Any, s3: "S3Client", dynamodb: "DynamoDBClient", state: bytes
) -> None:
    put_live(s3)
    ProfileTable(dynamodb, TABLE).save([profile("customer#odd", state=state)])
    status, lists = ask(app, "odd")
    assert (status, lists["buy_again"], lists["new_for_you"]) == (200, [], [])
    assert lists["problem"]


def test_a_recommender_that_cannot_be_read_is_none(app: Any, s3: "S3Client") -> None:
    s3.put_object(Bucket=BUCKET, Key=CURRENT_KEY, Body=b"{")
    status, refusal = ask(app, "x")
    assert (status, refusal["error"]["code"]) == (404, "no_recommender_yet")
