"""Where the next page of an answer begins, sealed: nobody can make a cursor, or use it for another request."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from typing import Any

import msgspec

_SEAL_BYTES = 16


class InvalidCursor(ValueError):
    """The cursor was not given out for this request."""


class Cursors:
    """Cursors sealed with a secret, which is asked for when it is first needed."""

    def __init__(self, secret: Callable[[], bytes]) -> None:
        self._secret = secret

    def seal(self, request: str, place: Any) -> str:
        """The cursor that leads to `place`, whatever JSON can say, within one `request`."""
        body = msgspec.json.encode(place)
        return base64.urlsafe_b64encode(self._seal(request, body) + body).decode().rstrip("=")

    def open(self, request: str, cursor: str) -> Any:
        """The place that a cursor leads to. Raises InvalidCursor."""
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidCursor from error
        seal, body = sealed[:_SEAL_BYTES], sealed[_SEAL_BYTES:]
        if not hmac.compare_digest(seal, self._seal(request, body)):
            raise InvalidCursor
        return msgspec.json.decode(body)

    def _seal(self, request: str, body: bytes) -> bytes:
        signed = msgspec.json.encode([request, body])
        return hmac.new(self._secret(), signed, hashlib.sha256).digest()[:_SEAL_BYTES]
