"""What the functions behind the API have in common: above all, how they answer what cannot be answered."""

from __future__ import annotations

import json
import os
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response, content_types
from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.event_handler.exceptions import NotFoundError


IMPATIENT = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 3})
"""For clients where a page waits for the answer: a slow connection is given up early and tried again."""

type Right = Literal["read", "write", "erase", "publish", "operate"]
"""What callers may do."""
GROUPS: dict[Right, tuple[str, ...]] = {
    "read": ("read", "viewer", "marketer", "operator"),
    "write": ("write", "operator"),
    "erase": ("erase", "operator"),
    "publish": ("write", "marketer", "operator"),
    "operate": ("operator",),
}
"""The groups of a user pool that have each right, after `tessera-`: programs have rights one by one, people roles."""


class Refused(Exception):
    """The request cannot be answered as it is; `code` says why in one word, the message in a sentence."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def resolver(
    logger: Logger, right: Right | None, broken: str, serializer: Callable[[dict[str, Any]], str] = json.dumps
) -> APIGatewayRestResolver:
    """A resolver whose failures are the contract's JSON; `broken` is what it says when the failure is ours.

    Callers with tokens of a user pool need the `right`, or what each route says (`only`): a policy has asked those who
    sign already. A page of
    ALLOWED_ORIGIN, where that is set, may read the answers.
    """
    origin = os.environ.get("ALLOWED_ORIGIN")
    cors = CORSConfig(allow_origin=origin) if origin else None
    # Never with debug, whatever the environment says: answers and logs would show what was asked.
    app = APIGatewayRestResolver(cors=cors, serializer=serializer, debug=False)
    if right:
        app.use(middlewares=only(right))

    @app.exception_handler(Refused)  # type: ignore[untyped-decorator]
    def _refused(error: Refused) -> Response[str]:
        return _failure(error.status, error.code, str(error))

    @app.not_found
    def _no_such_route(_error: NotFoundError) -> Response[str]:
        return _failure(HTTPStatus.NOT_FOUND, "route_not_found", "There is nothing at this address.")

    @app.exception_handler(Exception)  # type: ignore[untyped-decorator]
    def _broken(_error: Exception) -> Response[str]:
        logger.exception("A request failed")
        return _failure(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", broken)

    return app


def only(right: Right) -> list[Any]:
    """What a route asks of its callers who come with tokens: that they have a right."""
    return [_needing(right)] if os.environ["CALLERS"] == "users" else []


def _needing(right: Right) -> Any:
    """What lets a request through if the caller's token says that they are in the group of the right."""

    def check(app: APIGatewayRestResolver, go_on: Callable[[APIGatewayRestResolver], Response[Any]]) -> Response[Any]:
        claims = (app.current_event.raw_event["requestContext"].get("authorizer") or {}).get("claims") or {}
        # API Gateway hands a list over as one text.
        groups = re.split(r"[\s,\[\]]+", str(claims.get("cognito:groups", "")))
        wanted = [f"tessera-{name}" for name in GROUPS[right]]
        if not {*wanted} & {*groups}:
            message = f"This takes a member of the group {' or '.join(wanted)}."
            raise Refused(HTTPStatus.FORBIDDEN, "access_denied", message)
        return go_on(app)

    return check


def json_body(app: APIGatewayRestResolver) -> dict[str, Any]:
    """The JSON object in the body of the request. Raises Refused where there is none."""
    try:
        body = app.current_event.json_body
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Refused(HTTPStatus.BAD_REQUEST, "invalid_body", "The body is a JSON object.")
    return body


def _failure(status: HTTPStatus, code: str, message: str) -> Response[str]:
    body = json.dumps({"error": {"code": code, "message": message}})
    return Response(status, content_types.APPLICATION_JSON, body)
