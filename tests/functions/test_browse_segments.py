import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.functions.conftest import Context
from tests.functions.streams import TableStream
from tests.support.document import check_answer
from tests.support.event_files import ndjson, purchase

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

HISTORY, CATALOGUE, MEMBERS = "/customers/{customer_id}/history", "/segments", "/segments/{segment_id}/customers"


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
        (MEMBERS, "9", "segment_not_found"),
        (MEMBERS, "two", "segment_not_found"),
    ],
)
@pytest.mark.usefixtures("shop")
def test_what_is_not_there_is_not_found(browser: Browser, route: str, name: str, code: str) -> None:
    status, body = browser.get(route, name)
    assert (status, body["error"]["code"]) == (404, code)
