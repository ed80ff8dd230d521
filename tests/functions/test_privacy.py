"""Every function with somebody in all that it is given, good and broken, and with AWS failing at each of its calls:
nothing that it tells names anybody. tests/support/markers.py has who somebody is, and what telling is."""

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from shared.recommending.layout import Publication
from shared.recommending.publishing import publish as publish_recommender
from tests.conftest import BUCKET
from tests.functions.conftest import Unhurried, batch, function, history_batch
from tests.functions.live import in_kafka, in_kinesis, on_the_bus, queued
from tests.functions.streams import Bus, TableStream
from tests.support.bundles import make_bundle, publish
from tests.support.event_files import csv_file, ndjson, parquet, purchase
from tests.support.markers import (
    CUSTOMER,
    EMAIL,
    MARKERS,
    NAME,
    NUMBER,
    VISITOR,
    Heard,
    found_in,
    listening,
    marked_event,
)
from tests.support.recommenders import small_recommender

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

type Calls = dict[str, list[Callable[[], Any]]]

BROKEN = [
    *({**marked_event(event_id=f"b{n}"), field: f"{NAME} {EMAIL}"} for n, field in enumerate(["price", "timestamp"])),
    *({**marked_event(event_id=f"c{n}"), field: EMAIL} for n, field in enumerate(["currency", "consent", "quantity"])),
    {**marked_event(), "customer_id": NUMBER},
    {**marked_event(), "customer_id": CUSTOMER * 9},
    {**marked_event(), "anonymous_id": {EMAIL: NAME}},
    {EMAIL: NAME, "userId": CUSTOMER, "type": EMAIL},
]
LINES = [json.dumps(event).encode() for event in [marked_event(), *BROKEN]]
LINES += [f'{{"customer_id": "{CUSTOMER}", "note": "{EMAIL}'.encode(), f"{NAME};{EMAIL}".encode("latin-1")]
CUSTOMERS = [{**marked_event(), "anonymous_id": None, "customer_id": f"{CUSTOMER}-{number}"} for number in range(3)]
ROWS = [{**purchase(CUSTOMER), EMAIL: NAME, "currency": "USD"}, {**purchase(EMAIL), EMAIL: NAME, "currency": "EUR"}]
FILES = {
    "good.ndjson": ndjson([marked_event(), *CUSTOMERS, purchase("889")]),
    "lines.ndjson": b"\n".join(LINES),
    "lines.ndjson.gz": gzip.compress(b"\n".join(LINES)),
    "cut.ndjson.gz": gzip.compress(b"\n".join(LINES))[:-9],
    "rows.csv": csv_file(ROWS),
    "rows.parquet": parquet(ROWS),
    "times.parquet": parquet([{**purchase(CUSTOMER), "timestamp": f"{EMAIL}"}]),
    "names.parquet": parquet([{EMAIL: NAME, f'"{NAME}': CUSTOMER}]),
    "names.csv": f"{EMAIL},{NAME}\n{CUSTOMER},1\n".encode(),
    "twice.csv": f"event_type,timestamp,{EMAIL},{EMAIL}\npurchase,1,2,3\n".encode(),
    "latin.csv": f"event_type,timestamp,{NAME}\npurchase,{EMAIL},{NAME}\n".encode("latin-1"),
    "open.csv": f'event_type,timestamp,"{NAME}\n{EMAIL}'.encode(),
    "text.parquet": f"{NAME} {EMAIL} {CUSTOMER}".encode(),
    f"{NAME}.xlsx": f"{NAME} {EMAIL}".encode(),
    "long.ndjson": f"{EMAIL}".encode() * 100_000,
}


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[Heard]:
    monkeypatch.setenv("POWERTOOLS_LOGGER_LOG_EVENT", "true")
    monkeypatch.setenv("POWERTOOLS_DEV", "true")
    # Which would keep metrics from being told at all.
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
    with listening() as heard:
        yield heard
    assert '"CloudWatchMetrics"' in heard.getvalue()


@pytest.fixture
def calls(
    s3: "S3Client", dynamodb: "DynamoDBClient", bus: Bus, stream: TableStream, monkeypatch: pytest.MonkeyPatch
) -> Calls:
    """What every function is asked, by its name, in an order in which each finds something to do."""
    sqs = boto3.client("sqs")
    for name in ("live", "erasures", "refresh"):
        monkeypatch.setenv(
            f"{ {'live': 'LIVE', 'erasures': 'ERASURE', 'refresh': 'REFRESH'}[name] }_QUEUE_URL",
            sqs.create_queue(QueueName=name)["QueueUrl"],
        )
    boto3.client("secretsmanager").create_secret(Name="cursors", SecretString="a secret")
    boto3.client("secretsmanager").create_secret(Name="tessera/destinations/crm", SecretString='{"token": "pat"}')
    s3.put_object(Bucket=BUCKET, Key="destinations/crm.toml", Body=DESTINATION)
    publish(s3, make_bundle())
    publish_recommender(s3, BUCKET, small_recommender().to_bytes(), b"{}", Publication(0, "", ""))
    for name, body in FILES.items():
        for folder in ("events", "history"):
            s3.put_object(Bucket=BUCKET, Key=f"{folder}/{EMAIL}/{CUSTOMER} {name}", Body=body)
    apps = {name: function(name, monkeypatch).handler for name in FUNCTIONS}

    def invoke(name: str, event: Any) -> Any:
        return apps[name](event() if callable(event) else event, Unhurried())

    def call(name: str, *events: Any) -> list[Callable[[], Any]]:
        return [partial(invoke, name, event) for event in events]

    asked = {"run": "r", "since": "2017-11-01T00:00:00Z", "segment": 0, "segments": 1}
    return {
        "ingest_events": call(
            "ingest_events",
            *(batch(f"events/{EMAIL}/{CUSTOMER} {name}") for name in FILES),
            batch(f"events/gone/{EMAIL}"),
            {"Records": [{**batch("x")["Records"][0], "body": f"{NAME} {EMAIL}"}]},
        ),
        "ingest_live_events": call(
            "ingest_live_events",
            in_kinesis(*LINES),
            in_kafka(*LINES),
            on_the_bus(marked_event()),
            queued([f"{NAME} {EMAIL}", json.dumps({"KinesisBatchInfo": EMAIL})]),
            {"Records": [{EMAIL: NAME}, NAME]},
            {EMAIL: CUSTOMER},
        ),
        "plan_backfill": call(
            "plan_backfill",
            *({"execution": "r", "input": {"prefix": prefix}} for prefix in ("history/", f"history/{NAME}", EMAIL)),
        ),
        "backfill_events": call("backfill_events", history_batch(*(f"{EMAIL}/{CUSTOMER} {name}" for name in FILES))),
        "summarise_run": call("summarise_run", *({"run": "r", "kind": kind, "parts": 1} for kind in ("backfill", "x"))),
        "accept_events": call(
            "accept_events",
            *(
                http("POST", "/events", body=body)
                for body in [
                    json.dumps({"events": [marked_event(), *BROKEN, {**marked_event(), "note": NAME * 99_000}]}),
                    f'{{"events": {json.dumps(NAME)}}}',
                    json.dumps({EMAIL: CUSTOMER}),
                    f'{{"{EMAIL}": {NAME}',
                    f"\ud800{EMAIL}",
                    None,
                ]
            ),
        ),
        "publish_transitions": call("publish_transitions", lambda: {"Records": stream.records()}, {"Records": [{}]}),
        "lookup_customer": call(
            "lookup_customer",
            *(
                http("GET", "/customers/{customer_id}/segment", id=customer, query=query)
                for customer in (CUSTOMER, f"{CUSTOMER}-1", EMAIL, NAME * 99)
                for query in ({}, {"explain": "true", "what_if": "true", EMAIL: NAME})
            ),
            {EMAIL: NAME},
        ),
        "browse_segments": call(
            "browse_segments",
            http("GET", "/segments"),
            http("GET", "/segments/{segment_id}/customers", id="0", query={"limit": "1"}),
            *(
                http("GET", path, id=given, query=query)
                for path in LISTINGS
                for given in (f"{CUSTOMER}-1", EMAIL)
                for query in ({"limit": EMAIL}, {"cursor": CUSTOMER}, {})
            ),
        ),
        "manage_audiences": call(
            "manage_audiences",
            http("GET", "/audiences"),
            *(
                http(method, path, id=given, body=json.dumps(body))
                for method, path in (("PUT", "/audiences/{key}"), ("POST", "/audiences/preview"))
                for given in ("all", EMAIL)
                for body in ({"where": "tenure >= 0"}, {"where": f"region = '{NAME}'"}, {"where": EMAIL}, [NAME], EMAIL)
            ),
            *(http("GET", "/audiences/{key}/customers", id=given) for given in ("all", EMAIL)),
            *(http("DELETE", "/audiences/{key}", id=given) for given in ("all", EMAIL)),
        ),
        "serve_dashboard": call(
            "serve_dashboard",
            http("GET", "/dashboard"),
            *(http("GET", "/dashboard/{asset}", id=given) for given in ("app.css", "config.json", EMAIL, NAME)),
        ),
        "watch_stack": call(
            "watch_stack", *(http("GET", path) for path in ("/health", "/models", "/quarantine", "/quarantine/lines"))
        ),
        "roll_back_model": call(
            "roll_back_model",
            *(
                http("POST", "/models/rollback", body=json.dumps(body))
                for body in ({"to": EMAIL, "from": NAME}, [NAME])
            ),
        ),
        "deliver": call(
            "deliver",
            delivered(told("Customer Segment Changed"), told("Customer Entered Audience"), told(EMAIL)),
            delivered(f"{NAME} {EMAIL}", json.dumps({EMAIL: NAME, "destination": EMAIL})),
            delivered(
                told("Customer Erased"), told("Delivery Job"), told("Customer Left Audience", destination="mail")
            ),
        ),
        "make_offer": call(
            "make_offer",
            *(http("GET", "/customers/{customer_id}/offer", id=given) for given in (CUSTOMER, EMAIL, NAME * 99)),
        ),
        "recommend_products": call(
            "recommend_products",
            *(
                http("GET", "/customers/{customer_id}/recommendations", id=given, query=query)
                for given in (f"{CUSTOMER}-1", CUSTOMER, EMAIL, NAME * 99)
                for query in ({}, {"limit": EMAIL})
            ),
        ),
        "refresh_segments": call("refresh_segments", {}, {"Records": [{"body": "due#0"}]}),
        "rescore_customers": call("rescore_customers", asked, {**asked, "since": EMAIL}),
        "request_erasure": call(
            "request_erasure",
            *(http("DELETE", "/customers/{customer_id}", id=given) for given in (CUSTOMER, EMAIL, NAME * 99)),
        ),
        "erase_customer": call(
            "erase_customer",
            queued([json.dumps(STEP)]),
            *[lambda: received(sqs)] * 12,
            queued([f"{NAME} {EMAIL}"]),
        ),
    }


LISTINGS = (
    "/customers/{customer_id}/history",
    "/customers/{customer_id}/deliveries",
    "/segments/{segment_id}/customers",
)
STEP = {"receipt_id": "r", "key": f"customer#{CUSTOMER}", "at_ms": 1, "requested_ms": 1, "name": "erase"}
STEP |= {"people": [f"customer#{CUSTOMER}", f"visitor#{VISITOR}"], "marked_ms": 1}
FUNCTIONS = (
    *("ingest_events", "ingest_live_events", "plan_backfill", "backfill_events", "summarise_run", "accept_events"),
    *("publish_transitions", "lookup_customer", "browse_segments", "refresh_segments", "rescore_customers"),
    *("serve_dashboard", "watch_stack", "roll_back_model"),
    *("deliver", "make_offer", "recommend_products", "manage_audiences", "request_erasure", "erase_customer"),
)


DESTINATION = b"""
vendor = "hubspot"
base_url = "https://127.0.0.1:1"
identify = {email = "customer_id"}
campaign = "autumn"
"""


def told(kind: str, destination: str = "crm") -> str:
    """A message of a destination's queue, which names somebody wherever it can."""
    detail = {"customer_id": CUSTOMER, "transition_id": EMAIL, "at": "2017-11-01T00:00:00Z", "audience": NAME}
    detail |= {"arm": EMAIL, "id": EMAIL, "step": json.dumps(STEP), "job": NAME, EMAIL: NAME}
    rows = [[CUSTOMER, EMAIL, 1, NAME]]
    return json.dumps({"destination": destination, "detail-type": kind, "detail": {**detail, "rows": rows}})


def delivered(*bodies: str) -> dict[str, Any]:
    """A batch of a destination's queue."""
    event = queued(bodies)
    for record in event["Records"]:
        record |= {"receiptHandle": "handle", "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:live"}
        record["attributes"] = {**record["attributes"], "ApproximateReceiveCount": "1"}
    return event


def received(sqs: Any) -> dict[str, Any]:
    """The next step of an erasure, if there is one."""
    url = sqs.get_queue_url(QueueName="erasures")["QueueUrl"]
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1).get("Messages", [])
    return queued(message["Body"] for message in messages)


def http(
    method: str, path: str, *, id: str = "", query: dict[str, str] | None = None, body: str | None = None
) -> dict[str, Any]:
    """A request that names somebody wherever it can."""
    name = path[path.find("{") + 1 : path.find("}")]
    return {
        "resource": path,
        "path": path.replace(f"{{{name}}}", quote(id, safe="")),
        "httpMethod": method,
        "headers": {"User-Agent": EMAIL, "Cookie": NAME, "Referer": f"https://{EMAIL}/{CUSTOMER}"},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": query and {key: [value] for key, value in query.items()},
        "requestContext": {"requestId": "r", "stage": "v1", "identity": {"user": EMAIL, "userArn": CUSTOMER}},
        "body": body,
        "isBase64Encoded": False,
    }


def ask(heard: Heard, call: Callable[[], Any]) -> Any:
    """The answer; one of the API's that says what is wrong is heard too, as callers keep those."""
    answer = heard.call(call)
    if isinstance(answer, dict) and answer.get("statusCode", 200) >= 400:
        heard.write(answer["body"])
    return answer


@contextmanager
def failing(error: Callable[[str], Exception], at: str | None = None) -> Iterator[list[str]]:
    """Lets AWS fail at one operation; gives the operations that were called."""
    really, called = BaseClient._make_api_call, list[str]()  # type: ignore[attr-defined]

    def call(client: Any, operation: str, parameters: Any) -> Any:
        called.append(operation)
        if operation == at:
            raise error(operation)
        return really(client, operation, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", call)
        yield called


OF_THE_TEST = {"GetQueueUrl", "ReceiveMessage"}


def refusal(operation: str) -> Exception:
    return ClientError({"Error": {"Code": "AccessDenied", "Message": f"{MARKERS} may not be touched"}}, operation)


def mistake(_operation: str) -> Exception:
    return ValueError(f"cannot read {MARKERS} {NUMBER}")


def written(s3: "S3Client", prefix: str, suffix: str) -> list[Any]:
    entries = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]
    keys = [entry["Key"] for entry in entries if entry["Key"].endswith(suffix)]
    return [json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()) for key in keys]


def test_nothing_that_any_function_tells_names_anybody(heard: Heard, calls: Calls, s3: "S3Client") -> None:
    assert {*calls} == {*FUNCTIONS}
    for name, asked in calls.items():
        begin = len(heard.getvalue())
        for call in asked:
            ask(heard, call)
        logged = heard.getvalue()[begin:]
        assert logged and found_in(logged) == set(), name
    receipts = written(s3, "reports/erasures/", ".json")
    for receipt in receipts:
        # Whoever has to look into an object needs its name, which the shop gave it.
        receipt["not_searched"] = [*receipt["not_searched"].values()]
        receipt["progress"] = None
    assert receipts and found_in(json.dumps(receipts)) == set()
    reasons = [record["reason"] for record in written(s3, "quarantine/", "reason.json")]
    assert reasons and found_in(json.dumps(reasons)) == set()


def test_nothing_is_told_of_anybody_whatever_call_to_aws_fails(heard: Heard, calls: Calls) -> None:
    tried = 0
    for name, asked in calls.items():
        call = asked[0]
        with failing(mistake) as called:
            ask(heard, call)
        for error in (refusal, mistake):
            for operation in sorted({*called} - OF_THE_TEST):
                begin = len(heard.getvalue())
                with failing(error, at=operation):
                    ask(heard, call)
                tried += 1
                assert found_in(heard.getvalue()[begin:]) == set(), (name, operation)
    assert tried > 40
