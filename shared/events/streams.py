"""The bytes of event files, unpacked and line by line, in bounded memory."""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Protocol, cast

BLOCK = 2**20
LONGEST_LINE = 2**20
"""Bytes of a line of text, of a record of CSV, or of the values in a row of Parquet."""
MOST_EXPANDED = 2**28
LARGEST_EXPANSION = 200
"""How many times its size a packed file may hold, beyond MOST_EXPANDED bytes; event files have some 10 to 30."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class ByteStream(Protocol):
    """All that is asked of a source: its next bytes."""

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes; none at the end."""
        ...


class UnreadableFile(ValueError):
    """The file as a whole cannot be read; the message says why. Lines read before it have been handed out."""


@contextmanager
def plain_bytes(stream: ByteStream, name: str) -> Iterator[ByteStream]:
    """What `stream`, the file of this name, holds, unpacked where it is packed. Raises UnreadableFile."""
    if not name.lower().endswith(".gz"):
        yield stream
        return
    packed = _Counted(stream)
    try:
        with gzip.GzipFile(fileobj=cast(IO[bytes], packed)) as unzipped:
            yield _Unzipped(unzipped, packed)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise UnreadableFile("not a whole gzip file") from error


class _Counted:
    """A stream that knows how many bytes were read of it."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self.count = 0

    def read(self, size: int = -1, /) -> bytes:
        block = self._stream.read(size)
        self.count += len(block)
        return block


class _Unzipped(_Counted):
    """What a gzip file expands to, as long as that is in proportion to the file."""

    def __init__(self, unzipped: ByteStream, packed: _Counted) -> None:
        super().__init__(unzipped)
        self._packed = packed

    def read(self, size: int = -1, /) -> bytes:
        if self.count > max(MOST_EXPANDED, LARGEST_EXPANSION * self._packed.count):
            raise UnreadableFile(f"a gzip file may expand {LARGEST_EXPANSION}-fold, and this one expands further")
        return super().read(size)


class Transcoded:
    """Text of another encoding as a stream in UTF-8; what is none in that encoding is replaced."""

    def __init__(self, stream: ByteStream, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    def read(self, size: int = -1, /) -> bytes:
        """Some bytes, as many as the text of `size` bytes takes; none at the end."""
        while block := self._stream.read(size):
            if text := self._decoder.decode(block):
                return text.encode()
        return self._decoder.decode(b"", final=True).encode()


def lines(stream: ByteStream) -> Iterator[tuple[int, bytes]]:
    """Lines from 1 without their line ends; of one longer than LONGEST_LINE only a beginning that is longer too."""
    read = 0
    rest = b""
    block = stream.read(len(BYTE_ORDER_MARK)).removeprefix(BYTE_ORDER_MARK) or stream.read(BLOCK)
    while block:
        *whole, rest = (rest + block).split(b"\n")
        yield from enumerate(whole, read + 1)
        read += len(whole)
        rest = rest[: LONGEST_LINE + 1]
        block = stream.read(BLOCK)
    if rest:
        yield read + 1, rest
