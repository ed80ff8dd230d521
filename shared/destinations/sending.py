"""Calls of vendors by HTTPS: certificates checked, no redirects followed, answers and waiting bounded."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from shared.destinations.contract import Answer, BadAccount, Request
from shared.telemetry.errors import AnonymousError

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 20.0
MOST_ANSWER_BYTES = 8_000_000
"""Of an answer; what is longer cannot be told from one that was cut."""


class Unanswered(AnonymousError):
    """No answer came, so that nobody knows whether the call had its effect."""


class Sender:
    """Keeps connections open between calls."""

    def __init__(self) -> None:
        self._pool = urllib3.PoolManager(num_pools=10, maxsize=4, retries=False, cert_reqs="CERT_REQUIRED")

    def __call__(self, request: Request) -> Answer:
        """The answer, whatever its status. Raises Unanswered, and BadAccount where there is nothing to sign with."""
        headers = {"user-agent": "tessera", **(signed(request) if request.service else request.headers)}
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=ANSWER_SECONDS)
        try:
            answer = self._pool.request(
                request.method,
                request.url,
                body=request.body or None,
                headers=headers,
                timeout=timeout,
                redirect=False,
                preload_content=False,
            )
            try:
                body = answer.read(MOST_ANSWER_BYTES, decode_content=True)
                whole = not answer.read(1)
            finally:
                answer.release_conn()
        except (HTTPError, OSError, ValueError) as error:
            # Its own words hold the address, which may hold somebody's id.
            raise Unanswered(type(error).__name__) from None
        if not whole:
            raise Unanswered(f"an answer has at most {MOST_ANSWER_BYTES:,} bytes")
        return Answer(answer.status, {name.lower(): value for name, value in answer.headers.items()}, body)


def signed(request: Request) -> dict[str, str]:
    """The headers of a call of AWS, signed for the region that its address names. Raises BadAccount."""
    import boto3
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    host = urlsplit(request.url).hostname or ""
    region = next(iter(re.findall(r"[a-z]+(?:-[a-z]+)+-\d", host)), os.environ.get("AWS_REGION", "us-east-1"))
    credentials = boto3.Session().get_credentials()
    if credentials is None:
        raise BadAccount("there are no credentials to sign with")
    made = AWSRequest(request.method, request.url, data=request.body, headers=dict(request.headers))
    SigV4Auth(credentials, request.service, region).add_auth(made)
    return dict(made.headers)
