"""The dashboard's page over nothing at all: what browsers are given, and what they are told to keep to."""

import json
import re
from types import ModuleType
from typing import Any

import pytest

from tests.functions.conftest import Context, function

POOL = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_AbCdEfGhI"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return function("serve_dashboard", monkeypatch)


def ask(app: ModuleType, path: str) -> Any:
    request = {
        "resource": path, "path": path, "httpMethod": "GET", "headers": {}, "body": None,
        "requestContext": {"requestId": "r"},
    }  # fmt: skip
    return app.handler(request, Context())


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/app.js", "/dashboard/app.css", "/dashboard/config.json"])
def test_everything_is_served_under_a_strict_policy(app: ModuleType, path: str) -> None:
    answer = ask(app, path)
    assert answer["statusCode"] == 200
    headers = {name.lower(): value[0] for name, value in answer["multiValueHeaders"].items()}
    directives = dict(one.strip().split(" ", 1) for one in headers["content-security-policy"].split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == directives["connect-src"] == "'self'"
    assert directives["frame-ancestors"] == directives["base-uri"] == directives["form-action"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")


def test_what_the_page_names_by_its_hash_is_kept_and_the_page_is_not(app: ModuleType) -> None:
    page = ask(app, "/dashboard")
    assert page["multiValueHeaders"]["Cache-Control"] == ["no-cache"]
    for asset in re.findall(r'dashboard/(app\.\w+)\?[0-9a-f]{12}"', page["body"]):
        assert "immutable" in ask(app, f"/dashboard/{asset}")["multiValueHeaders"]["Cache-Control"][0]


@pytest.mark.parametrize("name", ["index.html", "sources.sha256", "..%2Fapp.py", "%2e%2e/app.py", "app.py"])
def test_no_other_file_is_served(app: ModuleType, name: str) -> None:
    answer = ask(app, f"/dashboard/{name}")
    assert answer["statusCode"] == 404
    assert json.loads(answer["body"])["error"]["code"] in ("asset_not_found", "route_not_found")


def test_the_page_is_told_the_shops_currency_time_zone_and_clock(app: ModuleType) -> None:
    config = json.loads(ask(app, "/dashboard/config.json")["body"])
    assert config == {"currency": "USD", "time_zone": "UTC", "now": "2017-11-01T00:00:00Z", "sign_in": None}


def test_where_people_sign_in_is_told_and_may_be_called(app: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER_POOL_ARN", POOL)
    monkeypatch.setenv("SIGN_IN_CLIENT", "client")
    monkeypatch.setenv("SIGN_IN_DOMAIN", "https://shop.auth.eu-central-1.amazoncognito.com")
    assert json.loads(ask(app, "/dashboard/config.json")["body"])["sign_in"] == {
        "issuer": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI",
        "client_id": "client",
        "domain": "https://shop.auth.eu-central-1.amazoncognito.com",
    }
    policy = ask(app, "/dashboard")["multiValueHeaders"]["Content-Security-Policy"][0]
    assert "connect-src 'self' https://shop.auth.eu-central-1.amazoncognito.com;" in policy
