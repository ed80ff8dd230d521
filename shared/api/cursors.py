"""Where the next page of an answer begins, sealed: nobody can read a cursor, make one, or use it for another request.

A place names a customer, and cursors come to stand in addresses and their logs. No library for encryption is in the
layer, and what a cursor needs of one is little. So it is made of HMAC-SHA-256, which Python has, in the way of
synthetic initialisation vectors (P. Rogaway and T. Shrimpton, A Provable-Security Treatment of the Key-Wrap Problem,
Eurocrypt 2006): a tag of request and place under one key, and under another key a keystream that begins from the tag.
The same place of the same request gives the same cursor, and that is all that is to be learned from it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from itertools import count
from typing import Any

import msgspec

_SEAL_BYTES = 16
_PADDED_TO = 64
"""Bytes, so that the length of an id does not show."""


class InvalidCursor(ValueError):
    """The cursor was not given out for this request."""


class Cursors:
    """Cursors sealed with a secret, which is asked for when it is first needed."""

    def __init__(self, secret: Callable[[], bytes]) -> None:
        self._secret = secret

    def seal(self, request: str, place: Any) -> str:
        """The cursor that leads to `place`, whatever JSON can say, within one `request`."""
        body = msgspec.json.encode(place)
        body = body.ljust(-(-len(body) // _PADDED_TO) * _PADDED_TO)
        seal = self._seal(request, body)
        return base64.urlsafe_b64encode(seal + self._hidden(seal, body)).decode().rstrip("=")

    def open(self, request: str, cursor: str) -> Any:
        """The place that a cursor leads to. Raises InvalidCursor."""
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidCursor from error
        seal, hidden = sealed[:_SEAL_BYTES], sealed[_SEAL_BYTES:]
        body = self._hidden(seal, hidden)
        if not hmac.compare_digest(seal, self._seal(request, body)):
            raise InvalidCursor
        return msgspec.json.decode(body)

    def _seal(self, request: str, body: bytes) -> bytes:
        return self._keyed(b"seal", msgspec.json.encode([request, body]))[:_SEAL_BYTES]

    def _hidden(self, seal: bytes, body: bytes) -> bytes:
        """The body combined with the keystream of its seal, which is undone by doing it again."""
        stream = b""
        blocks = count()
        while len(stream) < len(body):
            stream += self._keyed(b"hide", seal + next(blocks).to_bytes(8))
        return bytes(left ^ right for left, right in zip(body, stream, strict=False))

    def _keyed(self, purpose: bytes, message: bytes) -> bytes:
        key = hmac.digest(self._secret(), purpose, hashlib.sha256)
        return hmac.digest(key, message, hashlib.sha256)
