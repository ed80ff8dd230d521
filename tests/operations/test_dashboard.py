"""The server that signs for the reader: it passes on what is asked below its secret, and nothing for anybody else."""

import http.client
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.credentials import Credentials

from operations.dashboard import HOST, MOST_BYTES, dashboard

REGION = "eu-west-1"
SEEN: list[dict[str, Any]] = []


class Api(BaseHTTPRequestHandler):
    """Takes everything, and remembers it."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        SEEN.append({"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body})
        content = b'{"ok": true}'
        self.send_response(202)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Security-Policy", "default-src 'none'")
        self.send_header("Set-Cookie", "a=b")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = do_PUT = _answer  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    SEEN.clear()
    api = ThreadingHTTPServer((HOST, 0), Api)
    threading.Thread(target=api.serve_forever, daemon=True).start()
    credentials = Credentials("AKIDEXAMPLE", "secret", "a session token")
    with dashboard(f"http://{HOST}:{api.server_port}/v1", REGION, lambda: credentials) as address:
        yield address
    api.shutdown()
    api.server_close()


def ask(
    address: str, path: str, method: str = "GET", body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    """Status and headers of the answer to a request beside the dashboard."""
    url = urlsplit(address)
    connection = http.client.HTTPConnection(str(url.hostname), int(url.port or 0), timeout=10)
    connection.request(method, path, body=body or None, headers=headers or {})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}


def beside(address: str, path: str) -> str:
    """The path of a route of the API, as the page asks for it."""
    return urlsplit(address).path.removesuffix("/dashboard") + path


def test_what_the_page_asks_is_passed_on_with_a_signature(address: str) -> None:
    body = json.dumps({"where": "tenure >= 0"}).encode()
    status, headers = ask(address, beside(address, "/audiences/a%2Fb?limit=5"), "PUT", body)
    assert (status, headers["content-security-policy"]) == (202, "default-src 'none'")
    assert "set-cookie" not in headers
    (seen,) = SEEN
    assert (seen["method"], seen["path"], seen["body"]) == ("PUT", "/v1/audiences/a%2Fb?limit=5", body)
    signature = seen["headers"]["Authorization"]
    assert signature.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert f"/{REGION}/execute-api/aws4_request" in signature
    assert seen["headers"]["X-Amz-Security-Token"] == "a session token"


def test_who_does_not_know_the_secret_is_passed_on_to_nobody(address: str) -> None:
    for path in ("/v1/segments", "/", "/x/v1/segments", beside(address, "/segments").replace("/v1", "x/v1")):
        assert ask(address, path)[0] == 403
    assert SEEN == []


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}, {"Origin": "null"}])
def test_pages_of_other_sites_are_passed_on_to_nobody(address: str, headers: dict[str, str]) -> None:
    assert ask(address, beside(address, "/customers/1"), "DELETE", headers=headers)[0] == 403
    assert SEEN == []


def test_a_body_that_is_too_long_is_not_read(address: str) -> None:
    assert ask(address, beside(address, "/events"), "POST", headers={"Content-Length": str(MOST_BYTES + 1)})[0] == 403
    assert SEEN == []


def test_an_api_that_is_out_of_reach_is_said_to_be() -> None:
    with dashboard("http://127.0.0.1:1/v1", REGION, lambda: Credentials("a", "b")) as address:
        assert ask(address, beside(address, "/segments"))[0] == 502
