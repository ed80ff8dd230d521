"""Predictions of the shop's own, uplift and recommendations stand wherever the first three predictions do."""

import importlib
import json
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from shared.destinations.messages import MOVED, body
from shared.models.live_bundle import LiveBundle
from shared.recommending.layout import CURRENT_KEY, Publication
from shared.recommending.publishing import publish as publish_recommender
from tests.conftest import BUCKET
from tests.functions.conftest import Context, Unhurried, function
from tests.functions.test_deliver import Queues, call
from tests.functions.test_export_tables import DAY
from tests.functions.test_lookup_customer import request
from tests.functions.test_manage_audiences import Api
from tests.support.bundles import make_bundle, publish, with_own
from tests.support.document import check_answer
from tests.support.event_files import ndjson, purchase
from tests.support.exported import exported
from tests.support.recommenders import small_recommender
from tests.support.vendors.hubspot import HubSpot

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

OWN = ("coupon_probability", "spring_uplift", "expected_pets")
OTHER = "tyres_probability"
RECOMMENDED = {"buy_again": ["a1"], "new_for_you": ["a2", "b1", "c1"]}
MAPPED = b"""
vendor = "hubspot"
identify = {email = "customer_id"}

[fields]
own = "predictions.OUTPUT"
churn = "predictions.churn_probability"
again = "buy_again"
new = "new_for_you"
called = "new_for_you.names"
shown = "action.products"
"""


class Shop:
    """A stack with one customer, `a`, who bought a1 twice: an audience and an action go by the prediction."""

    def __init__(
        self, s3: "S3Client", output: str, drop: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.s3, self.output, self._monkeypatch = s3, output, monkeypatch
        graph, manifest = with_own(with_own(make_bundle(), output, intent="responds", thresholds={}), OTHER)
        manifest["thresholds"] |= {"likely_to_churn": 2.0, "responds": 0.0}
        manifest["actions"] = {
            "responds": {"key": "ask_them", "title": "Ask them", "description": "Now.", "recommend": "buy_again"}
        }
        publish(s3, (graph, manifest))
        boto3.client("secretsmanager").create_secret(Name="cursors", SecretString="a secret")
        self.api = Api(function("manage_audiences", monkeypatch))
        self.api.put("responders", f"{output} >= 0 and intent = 'responds'", destinations=["crm"])
        self._drop = drop

    def buys(self, number: int) -> None:
        """By a function that knows what was published a moment ago."""
        ingest_events = importlib.import_module("functions.ingest_events.app")
        self._monkeypatch.setattr(ingest_events, "live_bundle", LiveBundle(self.s3, BUCKET))
        bought = purchase("a", number, day=10 * number, product_id="a1")
        assert self._drop({f"events/{number}.ndjson": ndjson([bought])}) == []

    def looked_up(self) -> Any:
        status, answer = request(importlib.reload(importlib.import_module("functions.lookup_customer.app")),
                               "/customers/a/segment")  # fmt: skip
        assert status == 200
        check_answer("GET", "/customers/{customer_id}/segment", status, answer)
        return answer

    def recommended(self) -> Any:
        app = function("recommend_products", self._monkeypatch)
        path = "/customers/a/recommendations"
        asked = {"path": path, "httpMethod": "GET", "headers": {}, "requestContext": {"requestId": "r", "stage": "v1"},
                 "queryStringParameters": None, "multiValueQueryStringParameters": None}  # fmt: skip
        return json.loads(app.handler(asked, Context())["body"])

    def models(self) -> Any:
        """What the dashboard's page of predictions is made of."""
        app = function("watch_stack", self._monkeypatch)
        asked = {"resource": "/models", "path": "/models", "httpMethod": "GET", "headers": {},
                 "requestContext": {"requestId": "r"}}  # fmt: skip
        answer = app.handler(asked, Context())
        models = json.loads(answer["body"])
        check_answer("GET", "/models", answer["statusCode"], models)
        return models["live"]["targets"]

    def exported(self) -> Any:
        self._monkeypatch.setenv("SETTLE_SECONDS", "0")
        export_tables, finish_export = (
            function(name, self._monkeypatch) for name in ("export_tables", "finish_export")
        )
        assert export_tables.handler({"run": "r", "segment": 0, "segments": 1}, Unhurried()) == {"done": True}
        assert finish_export.handler({"run": "r", "parts": 1}, Context())["reconciles"]
        (row,) = exported(self.s3, "customers", DAY)
        return row

    def sent(self, queues: Queues) -> Any:
        app = function("deliver", self._monkeypatch)
        self._monkeypatch.setattr(app.parameters, "get_secret", lambda name, max_age: '{"token": "pat-test"}')
        self.s3.put_object(
            Bucket=BUCKET, Key="destinations/crm.toml", Body=MAPPED.replace(b"OUTPUT", self.output.encode())
        )
        detail = {"customer_id": "a", "transition_id": "t1", "at": "2017-11-01T00:00:00Z"}
        hubspot = HubSpot(properties=frozenset({"email", "own", "churn", "again", "new", "called", "shown"}))
        assert call(app, queues.send(body("crm", MOVED, detail)), hubspot) == []
        return hubspot.contacts["a"]


@pytest.fixture
def queues(aws: None, monkeypatch: pytest.MonkeyPatch) -> Queues:
    return Queues(monkeypatch)


@pytest.fixture(params=OWN)
def shop(
    s3: "S3Client",
    dynamodb: "DynamoDBClient",
    ingest_events: ModuleType,
    drop: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Shop:
    made = Shop(s3, request.param, drop, monkeypatch)
    made.buys(1)
    made.buys(2)
    return made


def test_a_prediction_of_the_shop_s_own_stands_everywhere(shop: Shop, queues: Queues) -> None:
    looked_up, row, contact = shop.looked_up(), shop.exported(), shop.sent(queues)
    probability = looked_up["predictions"]["churn_probability"]
    audience = [one["key"] for one in looked_up["audiences"]]
    assert {
        "look-up": looked_up["predictions"][shop.output],
        "rule of an audience": audience,
        "intent": looked_up["intent"],
        "action": (looked_up["action"], looked_up["action_details"]["title"]),
        "export": json.loads(row["own_predictions"]),
        "audience in the export": row["audiences"],
        "field of a destination": float(contact["own"]),
        "dashboard": shop.models()[f"own_{shop.output}"]["output"],
    } == {
        "look-up": probability,
        "rule of an audience": ["responders"],
        "intent": "responds",
        "action": ("ask_them", "Ask them"),
        "export": {shop.output: probability, OTHER: probability},
        "audience in the export": ["responders"],
        "field of a destination": float(contact["churn"]),
        "dashboard": shop.output,
    }


@pytest.mark.parametrize("shop", OWN[:1], indirect=True)
def test_recommendations_are_the_same_where_they_are_asked_for_exported_and_sent(shop: Shop, queues: Queues) -> None:
    publish_recommender(shop.s3, BUCKET, small_recommender().to_bytes(), b"{}", Publication(0, "", ""))
    shop.api.put("again", "'a1' in buy_again and 'a1' not in new_for_you")
    shop.buys(3)
    asked, row, contact = shop.recommended(), shop.exported(), shop.sent(queues)
    looked_up = shop.looked_up()
    assert {one["key"] for one in looked_up["audiences"]} == {"again", "responders"}
    assert looked_up["action_details"]["recommend"] == "buy_again"
    assert contact["shown"] == contact["again"]
    _, tried = shop.api.ask("POST", "/audiences/preview", body={"where": "'b1' in new_for_you"})
    assert (tried["size"], tried["of"]) == (1, 1)
    for name, field in (("buy_again", "again"), ("new_for_you", "new")):
        products = [one["product_id"] for one in asked[name]]
        assert sorted(products) == RECOMMENDED[name]
        assert row[name] == products
        assert contact[field].split(";") == products
    assert contact["called"] == contact["new"]  # the shop gave no catalogue with names


@pytest.mark.parametrize("shop", OWN[:1], indirect=True)
def test_before_there_is_a_recommender_nothing_is_said(shop: Shop, queues: Queues) -> None:
    shop.api.put("again", "'a1' in buy_again")
    shop.buys(3)
    row, contact = shop.exported(), shop.sent(queues)
    assert (row["buy_again"], row["new_for_you"]) == (None, None)
    assert (contact["again"], contact["new"], contact["called"], contact["shown"]) == ("", "", "", "")
    assert row["audiences"] == ["responders"]


@pytest.mark.parametrize("shop", OWN[:1], indirect=True)
def test_a_preview_says_that_the_recommender_cannot_be_used(shop: Shop) -> None:
    shop.s3.put_object(Bucket=BUCKET, Key=CURRENT_KEY, Body=b"{")
    status, refusal = shop.api.ask("POST", "/audiences/preview", body={"where": "'a1' in buy_again"})
    assert (status, refusal["error"]["code"]) == (409, "recommender_refused")
