import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from shared.destinations.steps import Quiet
from shared.journeys.journey import Cap, Journeys
from shared.ledger.audience_rows import AudienceLedger
from tests.conftest import TABLE
from tests.functions.conftest import Context
from tests.functions.streams import TableStream
from tests.functions.test_advance_journey import SENDS, WAITS
from tests.journeys.people import ENTRY, Trip, stored
from tests.ledger.test_audience_rows import move
from tests.support.document import check_answer
from tests.support.event_files import ndjson, purchase

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

HISTORY, CATALOGUE, MEMBERS = "/customers/{customer_id}/history", "/segments", "/segments/{segment_id}/customers"
JOURNEYS, JOURNEY, TRAVELLERS = "/journeys", "/journeys/{key}", "/journeys/{key}/customers"
AUDIENCES, OF_CUSTOMER = "/customers/{customer_id}/audiences", "/customers/{customer_id}/journeys"


@dataclass
class Browser:
    app: ModuleType

    def get(self, route: str, name: str = "", **query: str) -> tuple[int, Any]:
        """Status and body, which the document allows."""
        head, _, tail = route.partition("{")
        path = head + name + tail.partition("}")[2]
        request = {
            "resource": route,
            "path": path,
            "httpMethod": "GET",
            "headers": {},
            "queryStringParameters": query or None,
            "multiValueQueryStringParameters": {key: [value] for key, value in query.items()} or None,
            "requestContext": {"requestId": "r", "stage": "v1"},
            "body": None,
            "isBase64Encoded": False,
        }
        answer = self.app.handler(request, Context())
        status, body = answer["statusCode"], json.loads(answer["body"])
        check_answer("GET", route, status, body)
        return status, body


@pytest.fixture
def browser(s3: "S3Client", dynamodb: "DynamoDBClient") -> Browser:
    boto3.client("secretsmanager").create_secret(Name="cursors", SecretString="a secret")
    return Browser(importlib.reload(importlib.import_module("functions.browse_segments.app")))


@pytest.fixture
def shop(traveller: str, drop: Callable[..., list[str]], publisher: ModuleType, stream: TableStream) -> None:
    """Twelve customers in segment 2, of whom the first came there through all the others."""
    lines = [purchase(str(customer), n, day=1 + n) for customer in range(1, 12) for n in range(12)]
    drop({"events/all.ndjson": ndjson(lines)})
    publisher.handler({"Records": stream.records()}, Context())


@pytest.mark.usefixtures("shop")
def test_catalogue_counts_who_is_where_now(browser: Browser) -> None:
    status, body = browser.get(CATALOGUE)
    assert status == 200
    assert [(segment["name"], segment["size"]) for segment in body["segments"]] == [
        ("About 0", 0),
        ("About 2", 0),
        ("About 10", 12),
    ]


def test_catalogue_is_empty_before_a_model_is_published(browser: Browser) -> None:
    assert browser.get(CATALOGUE) == (200, {"model_version": None, "segments": []})


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("limit", ["1", "5", "100"])
def test_pages_hold_every_member_once(browser: Browser, limit: str) -> None:
    listed: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        _, page = browser.get(MEMBERS, "2", limit=limit, cursor=cursor)
        assert len(page["customers"]) <= int(limit)
        listed += [member["customer_id"] for member in page["customers"]]
        cursor = page["cursor"]
    assert sorted(listed) == sorted(map(str, range(12)))


@pytest.mark.usefixtures("shop")
def test_history_is_a_chain_newest_first_page_by_page(browser: Browser) -> None:
    listed: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        _, page = browser.get(HISTORY, "0", limit="1", cursor=cursor)
        listed += page["transitions"]
        cursor = page["cursor"]
    assert [(moved["from"], moved["to"], moved["cause"]) for moved in listed] == [
        (1, 2, "events"),
        (0, 1, "events"),
        (None, 0, "events"),
    ]
    assert listed == browser.get(HISTORY, "0")[1]["transitions"]


@pytest.mark.usefixtures("shop")
def test_a_cursor_leads_nowhere_else(browser: Browser) -> None:
    _, page = browser.get(MEMBERS, "2", limit="1")
    cursor = page["cursor"]
    middle = len(cursor) // 2
    forged = [cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :] for at in (0, middle, middle + 3)]
    for wrong in [*forged, "AAAA", "ä", cursor[:-4], f"{cursor}AAAA"]:
        status, body = browser.get(MEMBERS, "2", cursor=wrong)
        assert (status, body["error"]["code"]) == (400, "invalid_cursor")
    assert browser.get(MEMBERS, "1", cursor=cursor)[1]["error"]["code"] == "invalid_cursor"
    assert browser.get(HISTORY, "0", cursor=cursor)[1]["error"]["code"] == "invalid_cursor"


@pytest.mark.parametrize("limit", ["0", "101", "-1", "1.5", "many", "", "²"])
@pytest.mark.usefixtures("shop")
def test_a_limit_out_of_range_is_refused(browser: Browser, limit: str) -> None:
    assert browser.get(HISTORY, "0", limit=limit)[1]["error"]["code"] == "invalid_limit"


@pytest.mark.parametrize(
    ("route", "name", "code"),
    [
        (HISTORY, "nobody", "customer_not_found"),
        (HISTORY, "x" * 200, "customer_not_found"),
        (AUDIENCES, "nobody", "customer_not_found"),
        (AUDIENCES, "x" * 200, "customer_not_found"),
        (OF_CUSTOMER, "nobody", "customer_not_found"),
        (OF_CUSTOMER, "x" * 200, "customer_not_found"),
        (JOURNEY, "nowhere", "journey_not_found"),
        (TRAVELLERS, "nowhere", "journey_not_found"),
        (MEMBERS, "9", "segment_not_found"),
        (MEMBERS, "two", "segment_not_found"),
    ],
)
@pytest.mark.usefixtures("shop")
def test_what_is_not_there_is_not_found(browser: Browser, route: str, name: str, code: str) -> None:
    status, body = browser.get(route, name)
    assert (status, body["error"]["code"]) == (404, code)


@pytest.fixture
def trip(s3: "S3Client", dynamodb: "DynamoDBClient") -> Trip:
    """Customer 889 waits on one journey and has come to the end of another."""
    trip = Trip(s3, dynamodb)
    trip.publish(Journeys(1, (WAITS, SENDS), Quiet(1_320, 360), Cap(3, 7)))
    trip.store(stored([purchase("889")]))
    trip.travelling.hear(ENTRY)
    trip.now_ms += 6 * 3_600_000
    for one in trip.all:
        trip.travelling.advance(one.pk, one.sk)
    return trip


@pytest.mark.usefixtures("trip")
def test_journeys_are_listed_step_by_step(browser: Browser) -> None:
    _, body = browser.get(JOURNEYS)
    assert (body["version"], body["quiet"], body["cap"]) == (
        1, {"from": "22:00", "until": "06:00"}, {"sends": 3, "days": 7},
    )  # fmt: skip
    assert [(one["key"], one["steps"]) for one in body["journeys"]] == [
        ("waits", ["wait 3 days", "send late to crm"]),
        ("sends", ["send now to crm"]),
    ]


def test_without_journeys_there_are_none(browser: Browser) -> None:
    empty: Any = {"version": 0, "quiet": None, "cap": None, "journeys": []}
    assert browser.get(JOURNEYS) == (200, empty)


@pytest.mark.usefixtures("trip")
def test_a_journey_says_how_many_stand_where(browser: Browser) -> None:
    _, body = browser.get(JOURNEY, "waits")
    assert body["steps"] == [
        {"step": 1, "does": "wait 3 days", "customers": 1},
        {"step": 2, "does": "send late to crm", "customers": 0},
    ]
    assert (body["customers"], body["complete"]) == (1, True)
    _, body = browser.get(JOURNEY, "sends")
    assert (body["customers"], body["ended"]["finished"]) == (0, 1)


@pytest.mark.usefixtures("trip")
@pytest.mark.parametrize(
    ("key", "query", "listed"),
    [
        ("waits", {}, ["889"]),
        ("waits", {"step": "1"}, ["889"]),
        ("waits", {"step": "2"}, []),
        ("waits", {"ended": "left"}, []),
        ("sends", {}, []),
        ("sends", {"ended": "finished"}, ["889"]),
    ],
)
def test_who_stands_where_is_listed(browser: Browser, key: str, query: dict[str, str], listed: list[str]) -> None:
    _, page = browser.get(TRAVELLERS, key, **query)
    assert [one["customer_id"] for one in page["customers"]] == listed


@pytest.mark.usefixtures("trip")
@pytest.mark.parametrize("query", [{"step": "3"}, {"step": "x"}, {"ended": "well"}, {"step": "1", "ended": "left"}])
def test_a_step_that_there_is_not_is_refused(browser: Browser, query: dict[str, str]) -> None:
    assert browser.get(TRAVELLERS, "waits", **query)[1]["error"]["code"] == "invalid_step"


@pytest.mark.usefixtures("trip")
def test_of_a_customer_all_journeys_are_told(browser: Browser) -> None:
    _, body = browser.get(OF_CUSTOMER, "889")
    places = {one["journey"]: (one["step"], one["due_at"], one["outcome"]) for one in body["journeys"]}
    assert places == {"waits": (1, "2017-11-04T06:00:00Z", None), "sends": (2, None, "finished")}


def test_moves_between_audiences_are_told_newest_first_page_by_page(
    browser: Browser, dynamodb: "DynamoDBClient"
) -> None:
    ledger = AudienceLedger(dynamodb, TABLE)
    ledger.record([move(version, version % 2 == 1) for version in range(1, 6)])
    listed: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        _, page = browser.get(AUDIENCES, "1", limit="2", cursor=cursor)
        listed += page["moves"]
        cursor = page["cursor"]
    assert [one["entered"] for one in listed] == [True, False, True, False, True]
    assert listed == browser.get(AUDIENCES, "1")[1]["moves"]
