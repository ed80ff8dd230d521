"""A shop's tool that is called by HTTPS, in this process: connections are urllib3's and http.client's own up to the
socket, which keeps what it is sent and answers each request with 204. The network and TLS are what is missing.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool

_ANSWER = b"HTTP/1.1 204 No Content\r\nDate: Mon, 01 Jan 2018 00:00:00 GMT\r\n\r\n"


class ReceiverStub:
    """Whoever is called while it is `listening`."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        """As they came, head and body."""

    @property
    def bodies(self) -> list[Any]:
        """What was sent, as JSON."""
        return [json.loads(request.partition(b"\r\n\r\n")[2]) for request in self.requests]

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Meanwhile, all new connections by HTTPS lead here."""
        requests = self.requests

        class Connection(HTTPSConnection):
            def connect(self) -> None:
                socket: Any = _Socket(requests)
                self.sock = socket
                self.is_verified = True

            @property
            def is_connected(self) -> bool:
                return self.sock is not None

        with patch.object(HTTPSConnectionPool, "ConnectionCls", Connection):
            yield


class _Socket:
    def __init__(self, requests: list[bytes]) -> None:
        self._requests = requests
        self._sent: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self._sent.append(bytes(data))

    def makefile(self, _mode: str, *_: Any) -> io.BytesIO:
        """The answer to what was sent since the last one."""
        self._requests.append(b"".join(self._sent))
        self._sent.clear()
        return io.BytesIO(_ANSWER)

    def settimeout(self, seconds: float | None) -> None:
        """It always answers at once."""

    def close(self) -> None:
        """There is nothing to close."""
