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

if TYPE_CHECKING:
    from shared.events.translator import Translator
    from shared.intake.quarantine import Quarantine

PART_BYTES = 64 << 20
"""Of text that one message stands for: seconds of an invocation."""
PIECES_A_PART = 8
"""After each of them an invocation looks whether it has time for another."""


LEAST_SHARE = 1 / 1_000
"""Of what is told by checkpoints, between which a packed file may hold several parts."""


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
        end = self.size if end is None else end
        if begin >= end:
            return io.BytesIO()
        wanted = {**self.part.source, "IfMatch": self.etag, "Range": f"bytes={begin}-{end - 1}"}
        return cast(ByteStream, self.quarantine.s3.get_object(Bucket=self.quarantine.bucket, **wanted)["Body"])


def send_parts(opened: Opened, send: Callable[[Part], None], has_time: Callable[[], bool]) -> int:
    """Cuts an object into parts and sends each as soon as it is known, and the rest as one once there is no time left.

    How many it sent. Raises UnreadableFile, all that came before being sent, and what S3 and `send` raise.
    """
    sender = _Sender(opened, send)
    try:
        for piece in opened.pieces():
            sender.add(piece)
            if piece.end and not has_time():
                sender.flush()
                send(opened.rest(piece.end))
                return sender.sent + 1
    except UnreadableFile:
        sender.flush()
        raise
    sender.flush()
    return sender.sent


class _Sender:
    """Gathers pieces into parts."""

    def __init__(self, opened: Opened, send: Callable[[Part], None]) -> None:
        self._opened = opened
        self._send = send
        self._begin: Position | None = None
        self._end: Position | None = None
        self._length = 0
        self._pieces = 0
        self.sent = 0

    def add(self, piece: Piece) -> None:
        """Takes one piece more, and sends those that are a part."""
        self._begin = self._begin or piece.begin
        self._end = piece.end
        self._length += piece.size
        self._pieces += 1
        if self._pieces == PIECES_A_PART:
            self.flush()

    def flush(self) -> None:
        """Sends what has gathered."""
        if self._begin is None:
            return
        until = self._end.checkpoint.offset if self._end else None
        self._send(self._opened.rest(self._begin, self._length, until))
        self._begin = None
        self._length = 0
        self._pieces = 0
        self.sent += 1
