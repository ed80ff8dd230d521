"""Every answer of the API is the contract's JSON, whatever goes wrong."""

import json
from http import HTTPStatus
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from shared.api.answers import Refused, resolver


class Context:
    function_name, memory_limit_in_mb, invoked_function_arn, aws_request_id = "f", 128, "arn", "r"


def ask(path: str = "/x", groups: str | None = None, right: Any = "read") -> tuple[int, Any, Any]:
    """Status, body and headers of a request with a token's groups, if any."""
    app = resolver(Logger(service="tests"), right, "It failed on our side.")

    @app.get("/x")
    def _x() -> dict[str, int]:
        return {"n": 1}

    @app.get("/refused")
    def _refused() -> None:
        raise Refused(HTTPStatus.CONFLICT, "busy", "Somebody else is at it.")

    @app.get("/broken")
    def _broken() -> None:
        raise ValueError("a secret")

    claims = {} if groups is None else {"authorizer": {"claims": {"cognito:groups": groups}}}
    request = {"resource": path, "path": path, "httpMethod": "GET", "headers": {"Origin": "https://shop.example"}}
    context: Any = Context()
    answer = app.resolve({**request, "requestContext": {"requestId": "r", "stage": "v1", **claims}}, context)
    return answer["statusCode"], json.loads(answer["body"]), answer["multiValueHeaders"]


def test_what_is_refused_says_why() -> None:
    assert ask("/refused")[:2] == (409, {"error": {"code": "busy", "message": "Somebody else is at it."}})


def test_what_breaks_tells_nothing_of_itself() -> None:
    status, body, _ = ask("/broken")
    assert (status, body) == (500, {"error": {"code": "internal_error", "message": "It failed on our side."}})


def test_an_unknown_address_is_answered_as_json() -> None:
    assert ask("/nothing")[1]["error"]["code"] == "route_not_found"


@pytest.mark.parametrize(
    ("groups", "status"),
    [("tessera-read", 200), ("[a, tessera-read]", 200), ("tessera-reader", 403), ("tessera-write", 403), ("", 403)],
)
def test_callers_with_tokens_need_the_right(monkeypatch: pytest.MonkeyPatch, groups: str, status: int) -> None:
    monkeypatch.setenv("CALLERS", "users")
    assert ask(groups=groups)[0] == status


def test_callers_who_sign_were_asked_before() -> None:
    assert ask()[:2] == (200, {"n": 1})


def test_a_page_of_the_allowed_origin_may_read_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Access-Control-Allow-Origin" not in ask()[2]
    monkeypatch.setenv("ALLOWED_ORIGIN", "https://shop.example")
    assert ask()[2]["Access-Control-Allow-Origin"] == ["https://shop.example"]
