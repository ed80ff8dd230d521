"""Parts of answers that several vendors have in common."""

import json
from typing import Any
from urllib.parse import urlsplit

from shared.destinations.contract import Answer, Request

JSON = {"content-type": "application/json"}


def answered(status: int, document: Any = None, **headers: str) -> Answer:
    body = b"" if document is None else json.dumps(document).encode()
    return Answer(status, {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}, body)


def path_of(request: Request) -> str:
    return urlsplit(request.url).path


def document_of(request: Request) -> Any:
    return json.loads(request.body)
