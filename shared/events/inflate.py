"""What deflate packed, unpacked from a checkpoint on: zlib itself, of which Python's own module keeps its blocks' ends.

https://zlib.net/manual.html: `inflate` with Z_BLOCK stops where a block ends, and there all that it knows is 32 KB of
what came before and the bits of a byte that were not used yet (its example `zran.c` does the same).
"""

from __future__ import annotations

import ctypes
import sys
import zlib
from functools import cache

WINDOW = 32 * 2**10
"""Bytes before a checkpoint that what follows may repeat."""
OUTPUT = 2**18
"""Bytes unpacked at once."""
_RAW = -15
_BLOCK = 5
_OK = 0
_STREAM_END = 1
_STUCK = -5
_AT_BLOCK_END = 128
_IN_LAST_BLOCK = 64
_UNUSED_BITS = 7


class _Stream(ctypes.Structure):
    """z_stream of zlib.h, whose layout is part of the library's binary interface."""

    _fields_ = (
        ("next_in", ctypes.c_void_p),
        ("avail_in", ctypes.c_uint),
        ("total_in", ctypes.c_ulong),
        ("next_out", ctypes.c_void_p),
        ("avail_out", ctypes.c_uint),
        ("total_out", ctypes.c_ulong),
        ("msg", ctypes.c_void_p),
        ("state", ctypes.c_void_p),
        ("zalloc", ctypes.c_void_p),
        ("zfree", ctypes.c_void_p),
        ("opaque", ctypes.c_void_p),
        ("data_type", ctypes.c_int),
        ("adler", ctypes.c_ulong),
        ("reserved", ctypes.c_ulong),
    )


@cache
def _zlib() -> ctypes.CDLL:
    """The library that Python's own zlib is linked to, and that every wheel for Linux may count on."""
    library = ctypes.CDLL("libz.dylib" if sys.platform == "darwin" else "libz.so.1")
    library.zlibVersion.restype = ctypes.c_char_p
    return library


class Inflater:
    """Unpacks one stream of deflate, from its beginning, or from where a block ends."""

    def __init__(self, bits: int = 0, last_byte: int = 0, window: bytes = b"") -> None:
        """`bits` of the `last_byte` that was read are still to come, and `window` is what was unpacked last."""
        self._library = _zlib()
        self._stream = _Stream()
        self._input = b""
        self._output = ctypes.create_string_buffer(OUTPUT)
        self._window = window
        self._last_byte = last_byte
        self.is_done = False
        """Whether the stream is at its end."""
        self.is_stuck = False
        """Whether there was nothing to do with what it had been fed."""
        self._check(
            self._library.inflateInit2_(
                ctypes.byref(self._stream), _RAW, self._library.zlibVersion(), ctypes.sizeof(_Stream)
            )
        )
        if bits:
            self._check(self._library.inflatePrime(ctypes.byref(self._stream), bits, last_byte >> (8 - bits)))
        if window:
            self._check(self._library.inflateSetDictionary(ctypes.byref(self._stream), window, len(window)))

    def __del__(self) -> None:
        if self._stream.state:
            self._library.inflateEnd(ctypes.byref(self._stream))

    def restart(self) -> None:
        """Begins another stream, once this one is at its end; what it was fed and has not used is not part of it."""
        self.feed(b"")
        self._check(self._library.inflateReset(ctypes.byref(self._stream)))
        self._stream.data_type = 0
        self._window = b""
        self.is_done = False

    @property
    def unused(self) -> int:
        """Bytes that it was fed and has not used."""
        return int(self._stream.avail_in)

    @property
    def rest(self) -> bytes:
        """What it was fed and has not used."""
        return self._input[len(self._input) - self.unused :]

    def feed(self, packed: bytes) -> None:
        """Gives it what comes next, once it has used what came before."""
        self._input = packed
        self._stream.next_in = ctypes.cast(ctypes.c_char_p(packed), ctypes.c_void_p)
        self._stream.avail_in = len(packed)

    def read(self) -> bytes:
        """Some of what it has been fed, unpacked: up to the end of a block at most. Raises zlib.error."""
        self._stream.next_out = ctypes.addressof(self._output)
        self._stream.avail_out = OUTPUT
        result = self._library.inflate(ctypes.byref(self._stream), _BLOCK)
        used = len(self._input) - self.unused
        if used:
            self._last_byte = self._input[used - 1]
        self.is_done = result == _STREAM_END
        self.is_stuck = result == _STUCK
        if result not in (_OK, _STREAM_END, _STUCK):
            raise zlib.error(f"inflate answered {result}")
        text = ctypes.string_at(self._output, OUTPUT - self._stream.avail_out)
        self._window = (self._window + text)[-WINDOW:]
        return text

    def state(self) -> tuple[int, int, bytes] | None:
        """With what another one goes on from here; None where no block ends."""
        kind = self._stream.data_type
        if self.is_done or not kind & _AT_BLOCK_END or kind & _IN_LAST_BLOCK:
            return None
        return kind & _UNUSED_BITS, self._last_byte, self._window

    @staticmethod
    def _check(result: int) -> None:
        if result != _OK:
            raise zlib.error(f"zlib answered {result}")
