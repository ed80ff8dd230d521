"""An endless file of events, made while it is read, so that its size costs neither disk nor memory."""

import time

import numpy as np

from shared.features.columns import EVENT_TYPES

_BEGIN_MS = 1_483_228_800_000  # 2017
_LINES_AT_ONCE = 5_000
_STEP_MS = 500
_TYPES = np.array(EVENT_TYPES[1:9])
_TYPE_SHARES = [0.38, 0.36, 0.07, 0.04, 0.08, 0.02, 0.03, 0.02]
_LINE = (
    b'{"event_id":"e%d","event_type":"%s","timestamp":%d,"customer_id":"c%06d","session_id":"s%d",'
    b'"product_id":"p%d","category":"Category %d","brand":"Brand %d","quantity":%d,"price":%d.%02d,'
    b'"device":"mobile","engagement_seconds":%d}\n'
)


class EventStream:
    """At least `size` bytes of NDJSON, whole lines, about 220 bytes each; every line another event of a customer."""

    def __init__(self, size: int, customers: int, seed: int = 7) -> None:
        self._left = size
        self._customers = customers
        self._rng = np.random.default_rng(seed)
        self._buffer = bytearray()
        self.lines = self.bytes = 0
        self.seconds = 0.0
        """What making the lines took, to be taken off what reading them took."""

    def read(self, size: int = -1, /) -> bytes:
        """The next `size` bytes, fewer only at the end; all that is left where `size` is below zero."""
        while self._left > 0 and (size < 0 or len(self._buffer) < size):
            self._fill()
        end = len(self._buffer) if size < 0 else size
        part = bytes(self._buffer[:end])
        del self._buffer[:end]
        return part

    def _fill(self) -> None:
        began = time.perf_counter()
        n = _LINES_AT_ONCE
        draw = self._rng.integers
        number = np.arange(self.lines, self.lines + n)
        customer = draw(0, self._customers, n)
        columns = [
            number,
            self._rng.choice(_TYPES, n, p=_TYPE_SHARES).astype("S"),
            _BEGIN_MS + _STEP_MS * number,
            customer,
            customer * 1_000 + number // 1_000_000,
            *(draw(0, most, n) for most in (20_000, 20, 50)),
            draw(1, 4, n),
            draw(1, 200, n),
            draw(0, 100, n),
            draw(0, 300, n),
        ]
        block = b"".join([_LINE % values for values in zip(*(column.tolist() for column in columns), strict=True)])
        self._buffer += block
        self._left -= len(block)
        self.lines += n
        self.bytes += len(block)
        self.seconds += time.perf_counter() - began
