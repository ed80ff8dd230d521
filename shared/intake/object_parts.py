"""Objects of the data bucket that are more than an invocation should read at once: read piece by piece, and cut into
parts, of which messages tell, so that many invocations read them beside each other."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import msgspec

from shared.events.pieces import START, Piece, Position, text_pieces
from shared.events.row_groups import PACKED, parquet_pieces
from shared.events.streams import ByteStream, UnreadableFile
from shared.telemetry.errors import AnonymousError

if TYPE_CHECKING:
    from shared.events.translator import Translator
    from shared.intake.quarantine import Quarantine

PART_BYTES = 64 << 20
"""Of text that one message stands for: seconds of an invocation."""
PIECES_A_PART = 8
"""After each of them an invocation looks whether it has time for another."""

FIRST_RANGE, LONGEST_RANGE = 1 << 20, 16 << 20
"""Bytes that S3 is asked for at once: a few, as that may be all, and more and more of what is read on and on."""

LEAST_SHARE = 1 / 1_000
"""Of what is told by checkpoints, between which a packed file may hold several parts."""


class WrongRange(AnonymousError):
    """The bucket does not keep to what it is asked for; the message says so."""


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """Some consecutive records of an object, as a message tells of them: all of it, unless said otherwise."""

    key: str
    version_id: str | None = None
    """None for the latest, as where the bucket keeps no versions."""
    etag: str = ""
    """Of the object that it was cut from; empty for whichever is there."""
    begin: Position = START
    length: int | None = None
    """Bytes of text, or groups of rows; None up to the end of the file."""
    until: int | None = None
    """Bytes of the object up to about its end; None for all."""

    @property
    def source(self) -> Any:
        """What S3 is asked for."""
        return {"Key": self.key, **({"VersionId": self.version_id} if self.version_id else {})}

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the object."""
        return self.begin == START and self.length is None


@dataclass(frozen=True, slots=True)
class Opened:
    """An object that is there, and of which nothing was read yet."""

    quarantine: Quarantine
    """Which is in the same bucket."""
    part: Part
    etag: str
    size: int
    """Bytes."""
    bodies: list[ByteStream]
    """All of it as a stream, which is taken out once it is read."""
    translator: Translator | None
    part_bytes: int

    def pieces(self) -> Iterator[Piece]:
        """The pieces of the part. Raises UnreadableFile, and what S3 raises."""
        length = self.part.length
        for piece in self._pieces():
            yield piece
            length = None if length is None else length - piece.size
            if length is not None and length <= 0:
                return

    def _pieces(self) -> Iterator[Piece]:
        least = self.part_bytes // PIECES_A_PART
        if self.part.is_whole and self._text_bytes(0) <= least:
            yield self._as_one()
            return
        self.bodies.clear()
        if self.is_parquet:
            groups = parquet_pieces(self._fetch, self.size, self.translator, self.part.begin, least // PACKED)
            try:
                yield next(groups, self._as_one())
            except UnreadableFile:
                yield self._as_one()  # of which its reader says what is wrong, if anything is
                return
            yield from groups
        else:
            yield from text_pieces(self._fetch, self.part.key, self.translator, self.part.begin, least)

    def _as_one(self) -> Piece:
        return Piece(START, None, self.size, self.part.key, self._whole, lambda: self.translator)

    @property
    def is_parquet(self) -> bool:
        """Whether it is read by groups of rows."""
        return self.part.key.lower().endswith(".parquet")

    @property
    def is_large(self) -> bool:
        """Whether it is to be cut into parts."""
        return self.part.length is None and self._text_bytes(self.part.begin.checkpoint.offset) > self.part_bytes

    def _text_bytes(self, offset: int) -> int:
        """About as many bytes of text are behind an offset."""
        is_packed = self.is_parquet or self.part.key.lower().endswith(".gz")
        return (self.size - offset) * (PACKED if is_packed else 1)

    def rest(self, begin: Position, length: int | None = None, until: int | None = None) -> Part:
        """What of it begins there."""
        return Part(self.part.key, self.part.version_id, self.etag, begin, length, until)

    def share(self) -> float:
        """About how much of the object the part is, LEAST_SHARE at least."""
        until = self.size if self.part.until is None else self.part.until
        return max((until - self.part.begin.checkpoint.offset) / max(self.size, 1), LEAST_SHARE)

    def _whole(self) -> tuple[ByteStream, int]:
        return self.bodies.pop() if self.bodies else self._fetch(0), 0

    def _fetch(self, begin: int, end: int | None = None) -> ByteStream:
        if end is None:
            return _Ranges(self._range, begin, self.size)
        return self._range(begin, end)

    def _range(self, begin: int, end: int) -> ByteStream:
        if begin >= end:
            return io.BytesIO()
        wanted = {**self.part.source, "IfMatch": self.etag, "Range": f"bytes={begin}-{end - 1}"}
        answer = self.quarantine.s3.get_object(Bucket=self.quarantine.bucket, **wanted)
        if answer["ContentLength"] != end - begin:
            # Who is asked for a range may give all, and other lines would be counted than those of the part.
            raise WrongRange("the bucket gave other bytes of an object than it was asked for")
        return cast(ByteStream, answer["Body"])


class _Ranges:
    """The bytes of an object range by range, so that little is sent of what nobody reads."""

    def __init__(self, fetch: Callable[[int, int], ByteStream], begin: int, end: int) -> None:
        self._fetch = fetch
        self._next, self._end = begin, end
        self._length = FIRST_RANGE
        self._range: ByteStream = io.BytesIO()

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes; none at the end. Raises what S3 raises, and WrongRange."""
        while True:
            block = self._range.read(size)
            if block or self._next >= self._end:
                return block
            until = min(self._next + self._length, self._end)
            self._range = self._fetch(self._next, until)
            self._next = until
            self._length = min(2 * self._length, LONGEST_RANGE)


def parts_of(opened: Opened, has_time: Callable[[], bool]) -> Iterator[Part]:
    """Cuts an object into parts; once there is no time left, the last of them is all the rest, and of no known length.

    Raises UnreadableFile, once all parts are told that come before, and what S3 raises.
    """
    some: list[tuple[Position, int]] = []
    end: Position | None = None
    try:
        for piece in opened.pieces():
            some.append((piece.begin, piece.size))
            end = piece.end
            if len(some) == PIECES_A_PART:
                yield _joined(opened, some, end)
            if end and not has_time():
                break
    except UnreadableFile:
        yield from [_joined(opened, some, end)] if some else ()
        raise
    if some:
        yield _joined(opened, some, end)
    if end:
        yield opened.rest(end)


def _joined(opened: Opened, some: list[tuple[Position, int]], end: Position | None) -> Part:
    """The pieces that begin there and have these lengths as a part; they are taken out of `some`."""
    part = opened.rest(some[0][0], sum(length for _, length in some), end.checkpoint.offset if end else None)
    some.clear()
    return part
