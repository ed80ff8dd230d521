"""Audiences over moto: published by the API, decided on, announced, listed, and gone."""

import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from types import ModuleType
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from shared.audiences.live_audiences import LiveAudiences
from shared.models.live_bundle import LiveBundle
from tests.conftest import BUCKET
from tests.functions.conftest import Context, function
from tests.functions.streams import Bus, TableStream
from tests.support.bundles import make_bundle, publish
from tests.support.document import check_answer
from tests.support.event_files import ndjson, purchase

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

ONE = "/audiences/{key}"
RULE = "orders_365d >= 3"


@dataclass
class Api:
    app: ModuleType

    def ask(self, method: str, route: str, key: str = "", body: Any = None, **query: str) -> tuple[int, Any]:
        """Status and body, which the document allows."""
        request = {
            "resource": route,
            "path": route.replace("{key}", key),
            "httpMethod": method,
            "headers": {},
            "queryStringParameters": query or None,
            "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} or None,
            "requestContext": {"requestId": "r", "stage": "v1", "identity": {"userArn": "arn:aws:iam::1:user/ada"}},
            "body": None if body is None else json.dumps(body),
            "isBase64Encoded": False,
        }
        answer = self.app.handler(request, Context())
        status, content = answer["statusCode"], json.loads(answer["body"])
        check_answer(method, route, status, content)
        return status, content

    def put(self, key: str, where: str, **more: Any) -> Any:
        status, published = self.ask("PUT", ONE, key, {"where": where, **more})
        assert status == 200
        return published


@pytest.fixture
def api(s3: "S3Client", dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch) -> Api:
    boto3.client("secretsmanager").create_secret(Name="cursors", SecretString="a secret")
    loaded = function("manage_audiences", monkeypatch)
    monkeypatch.setattr(loaded, "live_audiences", LiveAudiences(s3, BUCKET, 0))
    return Api(loaded)


@pytest.fixture
def shop(s3: "S3Client", drop: Callable[..., list[str]]) -> None:
    """Customers 1 to 5 with so many orders each."""
    publish(s3, make_bundle())
    drop({"events/all.ndjson": ndjson([purchase(str(c), n, day=1 + n) for c in range(1, 6) for n in range(c)])})


@pytest.fixture
def decide_anew(shop: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def rescore() -> None:
        app = function("rescore_customers", monkeypatch)
        run = {"run": f"r{next(RUNS)}", "since": "2017-11-01T00:00:00Z", "segment": 0, "segments": 1}
        assert app.handler(run, Context()) == {"done": True}

    return rescore


RUNS = count()


def test_who_is_in_a_new_audience_is_listed_counted_and_announced(
    api: Api, decide_anew: Callable[[], None], publisher: ModuleType, stream: TableStream, bus: Bus
) -> None:
    publisher.handler({"Records": stream.records()}, Context())
    bus.events()
    made = api.put("vip", RULE, name="Best", holdout=0.5, action="offer", destinations=["crm"], why="spring")
    assert (made["version"], made["holdout"], made["name"]) == (1, 0.5, "Best")

    decide_anew()
    publisher.handler({"Records": stream.records()}, Context())

    events = bus.events()
    assert {kind for kind, _ in events} == {"Customer Entered Audience"}
    assert sorted(detail["customer_id"] for _, detail in events) == ["3", "4", "5"]
    detail = next(detail for _, detail in events if detail["customer_id"] == "4")
    assert (detail["audience"], detail["cause"], detail["action"]) == ("vip", "rule", "offer")
    assert detail["reasons"] == [{"condition": "orders_365d >= 3", "value": 4.0}]
    assert detail["arm"] in {"treatment", "control"}
    _, listed = api.ask("GET", "/audiences")
    assert [(one["key"], one["size"]) for one in listed["audiences"]] == [("vip", 3)]
    _, page = api.ask("GET", "/audiences/{key}/customers", "vip", limit="2")
    _, rest = api.ask("GET", "/audiences/{key}/customers", "vip", limit="2", cursor=page["cursor"])
    assert sorted(one["customer_id"] for one in page["customers"] + rest["customers"]) == ["3", "4", "5"]


def test_an_edited_rule_moves_whom_it_concerns_and_a_removed_one_all(
    api: Api, decide_anew: Callable[[], None], publisher: ModuleType, stream: TableStream, bus: Bus
) -> None:
    api.put("vip", RULE)
    decide_anew()
    publisher.handler({"Records": stream.records()}, Context())
    bus.events()

    api.put("vip", "orders_365d >= 5")
    decide_anew()
    publisher.handler({"Records": stream.records()}, Context())
    assert sorted((kind, detail["customer_id"]) for kind, detail in bus.events()) == [
        ("Customer Left Audience", "3"),
        ("Customer Left Audience", "4"),
    ]

    assert api.ask("DELETE", ONE, "vip") == (200, {"key": "vip", "version": 3})
    decide_anew()
    publisher.handler({"Records": stream.records()}, Context())
    assert [(kind, detail["customer_id"]) for kind, detail in bus.events()] == [("Customer Left Audience", "5")]
    assert api.ask("GET", "/audiences/{key}/customers", "vip")[0] == 404


def test_who_comes_in_by_events_does_so_at_once(
    api: Api,
    decide_anew: Callable[[], None],
    drop: Callable[..., list[str]],
    ingest_events: Any,
    monkeypatch: pytest.MonkeyPatch,
    publisher: ModuleType,
    stream: TableStream,
    bus: Bus,
) -> None:
    api.put("vip", RULE)
    decide_anew()
    monkeypatch.setattr(ingest_events, "live_bundle", LiveBundle(ingest_events.s3, BUCKET))
    publisher.handler({"Records": stream.records()}, Context())
    bus.events()

    drop({"events/more.ndjson": ndjson([purchase("2", n, day=10 + n) for n in range(2, 4)])})
    publisher.handler({"Records": stream.records()}, Context())

    entered = [detail for kind, detail in bus.events() if kind == "Customer Entered Audience"]
    assert [(one["customer_id"], one["cause"]) for one in entered] == [("2", "events")]
    lookup = importlib.reload(importlib.import_module("functions.lookup_customer.app"))
    request = {
        "path": "/customers/2/segment",
        "httpMethod": "GET",
        "headers": {},
        "queryStringParameters": None,
        "requestContext": {"requestId": "r", "stage": "v1"},
    }
    body = json.loads(lookup.handler(request, Context())["body"])
    assert [(one["key"], one["arm"]) for one in body["audiences"]] == [("vip", "treatment")]


def test_a_rule_is_tried_out_before_it_is_published(api: Api, shop: None) -> None:
    status, estimate = api.ask("POST", "/audiences/preview", body={"where": f"{RULE} and region is null"})

    assert status == 200
    assert (estimate["size"], estimate["of"], estimate["share"], estimate["estimated"]) == (3, 5, 0.6, False)
    assert {one["customer_id"] for one in estimate["examples"]} == {"3", "4", "5"}
    assert {one["values"]["orders_365d"] for one in estimate["examples"]} == {3.0, 4.0, 5.0}
    assert estimate["attributes"] == {"region": 0.0}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"where": "tenur > 1"}, "invalid_audience"),
        ({"where": 3}, "invalid_audience"),
        ({}, "invalid_audience"),
        ({"where": RULE, "holdout": 1}, "invalid_audience"),
        ({"where": RULE, "colour": "red"}, "invalid_audience"),
        ([], "invalid_body"),
    ],
)
def test_what_cannot_be_published_is_refused_with_what_is_wrong(api: Api, body: Any, code: str) -> None:
    status, refusal = api.ask("PUT", ONE, "vip", body)
    assert (status, refusal["error"]["code"]) == (400, code)
    assert api.ask("GET", "/audiences")[1]["audiences"] == []


def test_mistakes_of_a_preview_say_where_they_are(api: Api) -> None:
    status, refusal = api.ask("POST", "/audiences/preview", body={"where": "tenure > 1 and tenur > 2"})
    assert status == 400
    assert refusal["error"]["message"].startswith("at character 16: nothing is called 'tenur'; probably meant: tenure")


def test_nobody_is_in_an_audience_that_is_not_there(api: Api) -> None:
    assert api.ask("DELETE", ONE, "vip")[0] == 404
    assert api.ask("GET", "/audiences/{key}/customers", "vip")[0] == 404
    assert api.ask("PUT", ONE, "Very%20Important", {"where": RULE})[0] == 400
