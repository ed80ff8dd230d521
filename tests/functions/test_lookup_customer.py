import io
import json
import subprocess
import sys
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError

from shared.decisions.decision import Decision, NextChange
from shared.events import Rules, read_file
from shared.features import EventColumns, encode, fold
from shared.features.codec import VERSION
from shared.identity.keys import customer_key
from shared.models.layout import bundle_key
from shared.models.manifests import Manifests
from shared.profiles.stored_profile import StoredProfile
from shared.profiles.table import ProfileTable
from shared.reasons.contributions import FILE
from shared.reasons.explaining import DAMAGED, NEWER, Explainer
from tests.conftest import BUCKET
from tests.functions.conftest import Context
from tests.support.bundles import make_bundle, publish
from tests.support.document import check_answer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DECISION = Decision(
    segment=2,
    since_ms=1_509_753_600_000,
    margin=0.42,
    runner_up=1,
    predictions={"churn_probability": 0.12},
    intent="loyal",
    action="loyalty_reward",
    as_of_ms=1_514_658_130_000,
    scored_at_ms=1_514_658_132_250,
    model_version="20171001-aaaaaaaa",
    next_change=NextChange(1_516_406_400_000, segment=1, intent="likely_to_churn"),
)


def test_answers_with_the_decision(s3: "S3Client", table: ProfileTable, lookup_customer: ModuleType) -> None:
    publish(s3, make_bundle())
    store(table, "889")
    status, answer = look_up(lookup_customer, "889")
    assert status == 200
    assert answer == {
        "customer_id": "889",
        "segment": {"id": 2, "name": "About 10", "since": "2017-11-04T00:00:00Z", "margin": 0.42, "runner_up": 1},
        "micro_segment": None,
        "predictions": {"churn_probability": 0.12, "conversion_probability": None, "expected_ltv": None},
        "horizon_days": {"churn_probability": None, "conversion_probability": None, "expected_ltv": None},
        "left_out": {
            "conversion_probability": "fewer than 100 positives",
            "expected_ltv": "the data spans fewer than 90 days",
        },
        "intent": "loyal",
        "action": "loyalty_reward",
        "action_details": None,
        "automated_traffic": False,
        "outside_training": [],
        "audiences": [],
        "next_change": {
            "at": "2018-01-20T00:00:00Z",
            "to": 1,
            "name": "About 2",
            "intent": "likely_to_churn",
            "audiences": [],
        },
        "as_of": "2017-12-30T18:22:10Z",
        "scored_at": "2017-12-30T18:22:12.250Z",
        "model_version": "20171001-aaaaaaaa",
    }


def test_segment_renamed_in_the_manifest_is_answered_by_its_new_name(
    s3: "S3Client", table: ProfileTable, lookup_customer: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 0.0
    monkeypatch.setattr(lookup_customer.time, "monotonic", lambda: clock)
    onnx, manifest = make_bundle()
    publish(s3, (onnx, manifest))
    store(table, "889")
    assert look_up(lookup_customer, "889")[1]["segment"]["name"] == "About 10"
    manifest["segments"][2]["name"] = "Regulars"
    publish(s3, (onnx, manifest))
    clock += 60
    assert look_up(lookup_customer, "889")[1]["segment"]["name"] == "Regulars"


def test_decision_of_a_bundle_that_is_gone_is_answered_without_its_name(
    table: ProfileTable, lookup_customer: ModuleType
) -> None:
    store(table, "889")
    status, answer = look_up(lookup_customer, "889")
    assert (status, answer["segment"]["id"], answer["segment"]["name"]) == (200, 2, None)


@pytest.mark.parametrize("customer_id", ["a b/c%é", "a+b", "100%25", "#1?x=y&z", "..", "日本", "x" * 128])
def test_ids_with_unusual_characters_are_found(
    table: ProfileTable, lookup_customer: ModuleType, customer_id: str
) -> None:
    store(table, customer_id)
    status, answer = look_up(lookup_customer, customer_id)
    assert (status, answer["customer_id"]) == (200, customer_id)


@pytest.mark.parametrize("customer_id", ["890", "x" * 129, "é" * 5000])
def test_unknown_customer_is_not_found(table: ProfileTable, lookup_customer: ModuleType, customer_id: str) -> None:
    store(table, "889")
    status, answer = look_up(lookup_customer, customer_id)
    assert (status, answer["error"]["code"]) == (404, "customer_not_found")


def test_customer_without_a_decision_is_told_apart_from_an_unknown_one(
    table: ProfileTable, lookup_customer: ModuleType
) -> None:
    store(table, "889", decision=None)
    status, answer = look_up(lookup_customer, "889")
    assert (status, answer["error"]["code"]) == (404, "no_decision_yet")


def test_reasons_are_given_when_asked_for_and_say_why_there_are_none(
    s3: "S3Client", table: ProfileTable, lookup_customer: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(table, "889")
    plain, explained = ask(lookup_customer), ask(lookup_customer, {"explain": "true"})
    assert "explanation" not in plain
    assert explained == {**plain, "explanation": {"problem": "The bundle that decided this is gone."}}
    publish(s3, make_bundle())
    monkeypatch.setattr(lookup_customer, "manifests", Manifests(s3, BUCKET))
    assert "without reasons.npz" in ask(lookup_customer, {"explain": "true"})["explanation"]["problem"]


def test_what_would_change_the_decision_is_told_when_asked_for(
    s3: "S3Client", table: ProfileTable, lookup_customer: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = make_bundle(feature="orders_30d", centroids=(0.0, 1.0, 3.0))
    for segment, spend in zip(bundle[1]["segments"], (10.0, 20.0, 30.0), strict=True):
        segment["profile"] = {"net_revenue_365d": spend}
    [state] = encode(fold(profile_events()))
    table.save([StoredProfile(customer_key("889"), 1, state, 1, replace(DECISION, segment=0))])
    assert "gone" in ask(lookup_customer, {"what_if": "true"})["what_would_change"]["problem"]
    publish(s3, bundle)
    monkeypatch.setattr(lookup_customer, "manifests", Manifests(s3, BUCKET))
    answer = ask(lookup_customer, {"what_if": "true"})
    check_answer("GET", "/customers/{customer_id}/segment", 200, answer)
    first = answer["what_would_change"]["changes"][0]
    assert (first["goal"], first["segment"], first["text"]) == ("better_segment", 1, "one more order within 30 days")


@pytest.mark.parametrize(("version", "cut", "reason"), [(VERSION + 1, None, NEWER), (VERSION, 20, DAMAGED)])
def test_a_history_that_cannot_be_read_is_answered_without_what_the_decision_rests_on(
    s3: "S3Client",
    table: ProfileTable,
    lookup_customer: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    version: int,
    cut: int | None,
    reason: str,
) -> None:
    onnx, manifest = make_bundle()
    publish(s3, (onnx, {**manifest, "reasons": {"sha256": ""}}))
    s3.put_object(Bucket=BUCKET, Key=bundle_key(manifest["bundle_id"], FILE), Body=b"reasons")
    [state] = encode(fold(profile_events()))
    table.save([StoredProfile(customer_key("889"), 1, bytes([version]) + state[1:cut], 1, DECISION)])
    explainer = Explainer(s3, BUCKET, read=lambda _content, _manifest: Mock())
    monkeypatch.setattr(lookup_customer, "explainer", lambda: explainer)
    plain = ask(lookup_customer)
    assert plain["segment"]["id"] == DECISION.segment
    asked = ask(lookup_customer, {"explain": "true", "what_if": "true"})
    problem = {"problem": reason}
    assert asked == {**plain, "explanation": problem, "what_would_change": problem}
    status, timeline = request(lookup_customer, "/customers/889/timeline")
    check_answer("GET", "/customers/{customer_id}/timeline", status, timeline)
    assert (status, timeline["error"]["code"]) == (404, "history_not_readable")


def test_unknown_address_is_answered_as_json(lookup_customer: ModuleType) -> None:
    status, answer = request(lookup_customer, "/nothing/here")
    assert (status, answer["error"]["code"]) == (404, "route_not_found")


def test_failure_inside_shows_no_stack_trace(lookup_customer: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_key: str) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "internal details"}}, "GetItem")

    monkeypatch.setattr(lookup_customer.table, "get", refuse)
    status, answer = look_up(lookup_customer, "889")
    assert (status, answer["error"]["code"]) == (500, "internal_error")
    assert "internal details" not in json.dumps(answer)


def test_cold_start_loads_no_library_that_a_look_up_does_not_need() -> None:
    program = "import sys, functions.lookup_customer.app; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"duckdb", "onnxruntime", "numpy", "msgspec", "xxhash"} & set(loaded)


def profile_events() -> EventColumns:
    """One order."""
    order = {"event_id": "1", "event_type": "purchase", "customer_id": "889", "price": 5, "currency": "USD"}
    line = json.dumps({**order, "timestamp": "2017-11-04T00:00:00Z"}).encode()
    [chunk] = read_file(io.BytesIO(line), "order.ndjson", Rules())
    return chunk.events


def store(table: ProfileTable, customer_id: str, decision: Decision | None = DECISION) -> None:
    table.save([StoredProfile(customer_key(customer_id), 1, b"state", 3, decision)])


def look_up(function: ModuleType, customer_id: str) -> tuple[int, Any]:
    """Status and body, which the document allows."""
    status, body = request(function, f"/customers/{quote(customer_id, safe='')}/segment")
    check_answer("GET", "/customers/{customer_id}/segment", status, body)
    return status, body


def ask(function: ModuleType, query: dict[str, str] | None = None) -> Any:
    return request(function, "/customers/889/segment", query)[1]


def request(function: ModuleType, path: str, query: dict[str, str] | None = None) -> tuple[int, Any]:
    """What the API answers: API Gateway hands a REST API's path over as the client encoded it."""
    event = {
        "resource": "/customers/{customer_id}/segment",
        "path": path,
        "httpMethod": "GET",
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} if query else None,
        "requestContext": {"requestId": "c6af9ac6", "stage": "v1", "path": f"/v1{path}"},
        "body": None,
        "isBase64Encoded": False,
    }
    answer = function.handler(event, Context())
    assert answer["multiValueHeaders"]["Content-Type"] == ["application/json"]
    return answer["statusCode"], json.loads(answer["body"])
