"""The functions behind the API hold to its document, whatever they are asked."""

import importlib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import boto3
import pytest
import requests
from hypothesis import HealthCheck, settings
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from shared.audiences.audience import Audiences, Publication, encode_publication
from shared.audiences.live_audiences import CURRENT_KEY
from shared.destinations.steps import Quiet
from shared.experiments.document import document as results_of
from shared.experiments.results import Look
from shared.insight.layout import LATEST_RESULTS, report_key
from shared.journeys.journey import Cap, Journeys
from shared.models.switching import FILES
from shared.recommending import layout as recommenders
from shared.recommending.publishing import publish
from tests.audiences.test_audience import audience
from tests.conftest import BUCKET
from tests.experiments.trials import rows, trial
from tests.functions.conftest import Context
from tests.functions.test_advance_journey import WAITS
from tests.journeys.people import ENTRY, Trip
from tests.support.contract import CHECKS, Request, requests_of
from tests.support.document import document
from tests.support.recommenders import small_recommender

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

api = requests_of(examples=50)


class Gateway(HTTPAdapter):
    """Hands HTTP requests to the functions that the document names, as API Gateway does, but checks none of them."""

    def __init__(self) -> None:
        super().__init__()
        self.statuses: list[int] = []
        """Of all answers so far."""
        self._apps: dict[str, ModuleType] = {}

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        url = urlsplit(str(request.url))
        route = _route(url.path)
        if integration_of(route, str(request.method))["type"] == "mock":
            answer: Any = {"statusCode": 204, "body": "", "multiValueHeaders": {}}
        else:
            answer = self._app(route, str(request.method)).handler(_event(request, route), Context())
        self.statuses.append(int(answer["statusCode"]))
        headers = {name: values[0] for name, values in answer["multiValueHeaders"].items()}
        body = io.BytesIO(answer["body"].encode())
        raw = HTTPResponse(body, headers, status=int(answer["statusCode"]), preload_content=False)
        return self.build_response(request, raw)

    def _app(self, route: str, method: str) -> ModuleType:
        uri = integration_of(route, method)["uri"]["Fn::Sub"]
        (name,) = re.findall(r"\$\{(\w+)Function\.Arn\}", uri)
        module = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
        if module not in self._apps:
            self._apps[module] = importlib.reload(importlib.import_module(f"functions.{module}.app"))
        return self._apps[module]


def integration_of(route: str, method: str) -> Any:
    """What the document says of who answers."""
    return document()["paths"][route][method.lower()]["x-amazon-apigateway-integration"]


def _route(path: str) -> str:
    paths: list[str] = [*document()["paths"]]
    return next(route for route in paths if re.fullmatch(re.sub(r"\{\w+\}", "[^/]*", route), path))


def _event(request: requests.PreparedRequest, route: str) -> dict[str, Any]:
    url = urlsplit(str(request.url))
    query = parse_qsl(url.query, keep_blank_values=True)
    body = request.body.decode(errors="replace") if isinstance(request.body, bytes) else request.body
    return {
        "resource": route,
        "path": url.path,
        "httpMethod": request.method,
        "headers": dict(request.headers),
        "multiValueHeaders": {name: [value] for name, value in request.headers.items()},
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": {n: [v for m, v in query if m == n] for n, _ in query} or None,
        "requestContext": {"requestId": "r", "stage": "v1"},
        "body": body or None,
        "isBase64Encoded": False,
    }


@pytest.fixture
def session(
    s3: "S3Client", dynamodb: "DynamoDBClient", traveller: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[requests.Session]:
    """A caller of a shop whose one customer has been in all segments."""
    monkeypatch.setenv("ALLOWED_ORIGIN", "https://shop.example")
    boto3.client("secretsmanager").create_secret(Name="cursors", SecretString="a secret")
    trip = Trip(s3, dynamodb)
    trip.publish(Journeys(1, (replace(WAITS, key="win_back"),), Quiet(1_320, 360), Cap(3, 7)))
    trip.travelling.hear(replace(ENTRY, customer_id=traveller))
    for name in FILES:
        s3.put_object(Bucket=BUCKET, Key=f"models/20170901-bbbbbbbb/{name}", Body=b"{}")
    some = Audiences(1, (audience("win_back"),))
    s3.put_object(Bucket=BUCKET, Key=CURRENT_KEY, Body=encode_publication(Publication(some, "", "", "")))
    publish(s3, BUCKET, small_recommender().to_bytes(), b"{}", recommenders.Publication(0, "", ""))
    measured = {"date": "2017-11-01", **results_of([trial(rows(400, 0.3), rows(400, 0.2))], Look(0), "USD")}
    s3.put_object(Bucket=BUCKET, Key=LATEST_RESULTS, Body=json.dumps(measured).encode())
    report = {
        "report": "revenue",
        "date": "2017-11-01",
        "as_of": "2017-11-01T00:00:00Z",
        "currency": "USD",
        "weeks": [],
    }
    s3.put_object(Bucket=BUCKET, Key=report_key("revenue"), Body=json.dumps(report).encode())
    for queue in ("live", "erasures", "ingest"):
        boto3.client("sqs").create_queue(QueueName=queue)
    with requests.Session() as caller:
        gateway = Gateway()
        caller.mount("http://api/", gateway)
        yield caller
    # What is asked for is there at least once, so that these answers were looked at too.
    assert {*gateway.statuses} & {200, 202, 204}


@api.parametrize()
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_answer_is_one_that_the_document_allows(case: Request, session: requests.Session) -> None:
    case.call_and_validate(base_url="http://api", session=session, checks=CHECKS)
