"""An HTTP server that answers as API Gateway does: it hands requests to the functions that the document names.

Requests say by a header which role their user has, as a token would; without one they are signed in as nobody.
"""

import importlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.functions.conftest import Context
from tests.support.document import document

ROLE = "x-role"
STAGE = "/v1"


class Gateway(ThreadingHTTPServer):
    """Serves the stage v1 of the API on a free port of this machine."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._apps: dict[str, ModuleType] = {}
        self._one_at_a_time = threading.Lock()
        self.seen: list[tuple[str, str, int]] = []
        """Method, path and status of each answer."""

    @property
    def url(self) -> str:
        """The address of the stage."""
        return f"http://127.0.0.1:{self.server_port}{STAGE}"

    def answer(self, method: str, target: str, headers: dict[str, str], body: str) -> dict[str, Any]:
        """What the function behind a route answers."""
        url = urlsplit(target.removeprefix(STAGE))
        route = _route(url.path)
        if route is None or method.lower() not in document()["paths"][route]:
            refusal = json.dumps({"error": {"code": "unsigned_or_no_such_route", "message": "Missing token"}})
            return {"statusCode": 403, "body": refusal, "multiValueHeaders": {"Content-Type": ["application/json"]}}
        event = _event(method, route, url.path, url.query, headers, body)
        with self._one_at_a_time:
            answer: dict[str, Any] = self._app(route, method).handler(event, Context())
        self.seen.append((method, url.path, answer["statusCode"]))
        return answer

    def _app(self, route: str, method: str) -> ModuleType:
        uri = document()["paths"][route][method.lower()]["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
        (name,) = re.findall(r"\$\{(\w+)Function\.Arn\}", uri)
        module = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
        if module not in self._apps:
            self._apps[module] = importlib.reload(importlib.import_module(f"functions.{module}.app"))
        return self._apps[module]


@contextmanager
def gateway() -> Iterator[Gateway]:
    """A server, until the body ends."""
    server = Gateway()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Gateway

    def _serve(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.answer(self.command, self.path, headers, body)
        content = answer["body"].encode()
        self.send_response(answer["statusCode"])
        for name, values in answer["multiValueHeaders"].items():
            for value in values:
                self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


def _route(path: str) -> str | None:
    paths = sorted(document()["paths"], key=lambda route: route.count("{"))
    return next((route for route in paths if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route), path)), None)


def _event(method: str, route: str, path: str, query: str, headers: dict[str, str], body: str) -> dict[str, Any]:
    pairs = parse_qsl(query, keep_blank_values=True)
    groups = headers.get(ROLE)
    claims = {"authorizer": {"claims": {"cognito:groups": f"tessera-{groups}"}}} if groups else {}
    return {
        "resource": route,
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": dict(pairs) or None,
        "multiValueQueryStringParameters": {n: [v for m, v in pairs if m == n] for n, _ in pairs} or None,
        "requestContext": {"requestId": "r", "stage": "v1", **claims},
        "body": body or None,
        "isBase64Encoded": False,
    }
