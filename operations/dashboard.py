"""Opens the dashboard of a stack: a server on this machine alone signs what the page asks, with your own rights.

python -m operations.dashboard [--stack NAME] [--port PORT] [--no-browser]

For stacks without a user pool. Where there is one, people sign in at the address of the output DashboardPage.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from operations.stack import DeployedStack, OperationError, parser, run, say

HOST = "127.0.0.1"
STAGE = "/v1"
MOST_BYTES = 8_000_000
"""Of a request's body."""
ANSWER_SECONDS = 60.0
PASSED_ON = ("content-type", "cache-control", "content-security-policy", "referrer-policy", "x-content-type-options")


def main(arguments: Sequence[str] | None = None, prog: str = "python -m operations.dashboard") -> int:
    """The command line."""
    made = parser(prog, "Open the dashboard of a stack, signing with your own rights.")
    made.add_argument("--port", type=int, default=0, help="port of this machine to listen on; default: a free one")
    made.add_argument("--no-browser", action="store_true", help="only say where it is")
    return run(_run, made, arguments)


def _run(stack: DeployedStack, given: argparse.Namespace) -> int:
    session = boto3.Session()
    if session.get_credentials() is None or session.region_name is None:
        raise OperationError("no AWS credentials or no region are set: `aws configure` sets both")

    def credentials() -> Credentials:
        return session.get_credentials()  # type: ignore[return-value]

    with dashboard(api_url(stack), session.region_name, credentials, given.port) as address:
        say(f"Dashboard {address}", "Ctrl-C stops it.")
        if not given.no_browser:
            webbrowser.open(address)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            say("")
    return 0


def api_url(stack: DeployedStack) -> str:
    """The address of a stack's API, also where AWS_ENDPOINT_URL points."""
    local = os.environ.get("AWS_ENDPOINT_URL")
    if local:
        return f"{local}/_aws/execute-api/{stack.resource('Api')}{STAGE}"
    (described,) = stack.client("cloudformation").describe_stacks(StackName=stack.name)["Stacks"]
    return next(one["OutputValue"] for one in described["Outputs"] if one["OutputKey"] == "ApiUrl")  # type: ignore[no-any-return]


@contextmanager
def dashboard(api: str, region: str, credentials: Callable[[], Credentials], port: int = 0) -> Iterator[str]:
    """The address of the dashboard of an API while the body runs: who knows it acts with these credentials.

    It holds a secret, as other users of this machine may reach the port, and pages of other sites know its number.
    """
    server = Signing((HOST, port), _Handler)
    server.api, server.region, server.credentials = api, region, credentials
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"{server.origin}{server.prefix}/dashboard"
    finally:
        server.shutdown()
        server.server_close()


class Signing(ThreadingHTTPServer):
    """Passes requests below its secret prefix on to the API, signed."""

    daemon_threads = True
    api: str
    region: str
    credentials: Callable[[], Credentials]

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.prefix = f"/{secrets.token_urlsafe(24)}{STAGE}"
        self.pool = urllib3.PoolManager(timeout=ANSWER_SECONDS, retries=False)

    @property
    def origin(self) -> str:
        """The origin of its pages."""
        return f"http://{HOST}:{self.server_port}"

    def asked(self, method: str, path: str, body: bytes) -> urllib3.BaseHTTPResponse:
        """The API's answer. Raises HTTPError of urllib3."""
        headers = {"content-type": "application/json"}
        request = AWSRequest(method, self.api + path, data=body or None, headers=headers)
        SigV4Auth(self.credentials(), "execute-api", self.region).add_auth(request)
        return self.pool.request(method, self.api + path, body=body or None, headers=dict(request.headers))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Signing

    def _pass_on(self) -> None:
        server = self.server
        length = int(self.headers.get("content-length") or 0)
        path = self.path.removeprefix(server.prefix)
        if not self._is_ours() or path == self.path or length > MOST_BYTES:
            self.close_connection = True
            self._answer(HTTPStatus.FORBIDDEN, {}, b"")
            return
        try:
            answer = server.asked(self.command, path, self.rfile.read(length))
        except urllib3.exceptions.HTTPError:
            self._answer(HTTPStatus.BAD_GATEWAY, {}, b'{"error": {"code": "unreachable", "message": ""}}')
            return
        kept = {name: answer.headers[name] for name in PASSED_ON if name in answer.headers}
        self._answer(answer.status, kept, answer.data)

    do_GET = do_POST = do_PUT = do_DELETE = _pass_on  # noqa: N815

    def _is_ours(self) -> bool:
        """Whether the request is for this address, under no other name, and comes from no other site's page."""
        origin = self.headers.get("origin", self.server.origin)
        return f"http://{self.headers.get('host')}" == self.server.origin == origin

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Says nothing: addresses name customers."""


if __name__ == "__main__":
    sys.exit(main())
