"""The API's answers to what cannot be answered: always the same JSON."""

import json
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response, content_types


class Refused(Exception):
    """The request cannot be answered as it is; `code` says why in one word, the message in a sentence."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def failure(status: HTTPStatus, code: str, message: str) -> Response[str]:
    """The answer that says what went wrong."""
    body: dict[str, Any] = {"error": {"code": code, "message": message}}
    return Response(status, content_types.APPLICATION_JSON, json.dumps(body))


def refusal(error: Refused) -> Response[str]:
    """The answer to a request that was refused."""
    return failure(error.status, error.code, str(error))
