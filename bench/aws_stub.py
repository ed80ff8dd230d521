"""AWS in this process: clients are botocore's own, and what they are about to send is answered before it leaves.

A client so does all its work, from serialising and signing a request to checking and parsing the answer, and no network
is in it. TLS and the socket are what is missing.
"""

from __future__ import annotations

import hashlib
import io
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import boto3
import msgspec
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from bench.table_stub import TableStub
from bench.work import Work

TABLE, BUCKET = "bench-profiles", "bench-data"
_JSON = "application/x-amz-json-1.0"


class AwsStub:
    """One account with a table, a bucket, secrets, and queues that take whatever is sent."""

    def __init__(self, secrets: Mapping[str, str] | None = None) -> None:
        self.table = TableStub()
        self.requests = 0
        self.seconds = 0.0
        """That answering took, which is nobody's cost but this stub's."""
        self._objects: dict[str, tuple[bytes, str]] = {}
        self._secrets = secrets or {}
        self._session = boto3.session.Session("bench", "bench", region_name="us-east-1")

    def client(self, service: str, **options: Any) -> Any:
        """A client of the service, as `boto3.client` makes it."""
        made: Any = self._session.client(service, **options)  # type: ignore[call-overload]
        made.meta.events.register("before-send", self._answer)
        return made

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Meanwhile, whoever asks boto3 for a client gets one of these."""
        with patch.object(boto3, "client", self.client):
            yield

    def store(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Puts items into the table, which it goes back to when it is restored."""
        client = self.client("dynamodb")
        for item in items:
            client.put_item(TableName=TABLE, Item=item)
        self.table.keep()

    def put_object(self, key: str, body: bytes) -> None:
        """Puts an object into the bucket."""
        self._objects[key] = body, f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'

    @property
    def object_keys(self) -> list[str]:
        """Of the bucket's objects."""
        return [*self._objects]

    def _answer(self, request: AWSPreparedRequest, **_: Any) -> Any:
        began = time.perf_counter()
        target = request.headers.get("X-Amz-Target")
        status, headers, body = self._of_s3(request) if target is None else self._of_json(_text(target), request)
        self.requests += 1
        self.seconds += time.perf_counter() - began
        named: Any = {"x-amzn-RequestId": "bench", **headers}
        return AWSResponse(request.url, status, named, _Raw(body))

    def _of_json(self, target: str, request: AWSPreparedRequest) -> tuple[int, dict[str, str], bytes]:
        service, _, operation = target.partition(".")
        sent: Any = request.body
        if service == "secretsmanager":
            name = msgspec.json.decode(sent)["SecretId"]
            return 200, {}, msgspec.json.encode({"Name": name, "SecretString": self._secrets[name]})
        if target == "AmazonSQS.SendMessage":
            md5 = hashlib.md5(msgspec.json.decode(sent)["MessageBody"].encode(), usedforsecurity=False)
            return 200, {}, msgspec.json.encode({"MessageId": "message", "MD5OfMessageBody": md5.hexdigest()})
        assert service == "DynamoDB_20120810", f"nobody here answers {target}"
        body = self.table.answer(operation, sent)
        # Which DynamoDB sends as well, and its clients check.
        return 200, {"Content-Type": _JSON, "x-amz-crc32": str(zlib.crc32(body))}, body

    def _of_s3(self, request: AWSPreparedRequest) -> tuple[int, dict[str, str], bytes]:
        address = urlsplit(request.url)
        assert address.hostname == f"{BUCKET}.s3.amazonaws.com", f"nobody here answers {address.hostname}"
        key = unquote(address.path[1:])
        if request.method == "PUT":
            sent: Any = request.body
            # What is handed over to be read gets its checksum while it is.
            size = len(sent.read() if hasattr(sent, "read") else sent)
            return 200, {"ETag": f'"{size}"'}, b""
        if not key:
            return 200, {}, self._listed(parse_qs(address.query).get("prefix", [""])[0])
        if key not in self._objects:
            return 404, {}, b"<Error><Code>NoSuchKey</Code></Error>"
        body, etag = self._objects[key]
        if _text(request.headers.get("If-None-Match", "")) == etag:
            return 304, {"ETag": etag}, b""
        headers = {"ETag": etag, "Content-Length": str(len(body)), "Last-Modified": "Mon, 01 Jan 2018 00:00:00 GMT"}
        if request.method == "HEAD":
            return 200, headers, b""
        if wanted := _text(request.headers.get("Range", "")):
            first, last = wanted.removeprefix("bytes=").split("-")
            part = body[int(first) : int(last) + 1 if last else None]
            place = f"bytes {first}-{int(first) + len(part) - 1}/{len(body)}"
            return 206, headers | {"Content-Length": str(len(part)), "Content-Range": place}, part
        return 200, headers, body

    def _listed(self, prefix: str) -> bytes:
        entries = (
            f"<Contents><Key>{escape(key)}</Key><ETag>{etag}</ETag><Size>{len(body)}</Size></Contents>"
            for key, (body, etag) in sorted(self._objects.items())
            if key.startswith(prefix)
        )
        listing = f"<ListBucketResult><IsTruncated>false</IsTruncated>{''.join(entries)}</ListBucketResult>"
        return listing.encode()


def metered(run: Callable[[], object], units: int, aws: AwsStub) -> Work:
    """The work, with what else it took for each of its units."""
    facts: dict[str, float] = {}

    def measured() -> None:
        requests, answering, cpu = aws.requests, aws.seconds, time.process_time()
        run()
        cpu_us = (time.process_time() - cpu) / units * 1e6
        facts["cpu_us"] = round(min(cpu_us, facts.get("cpu_us", cpu_us)), 2)
        if aws.requests > requests:
            facts["requests"] = round((aws.requests - requests) / units, 4)
            facts["answering_us"] = round((aws.seconds - answering) / units * 1e6, 2)

    return Work(measured, units, facts)


class _Raw(io.BytesIO):
    """A body as urllib3 hands it to botocore."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        if content := self.read():
            yield content


def _text(header: str | bytes) -> str:
    return header.decode() if isinstance(header, bytes) else header
