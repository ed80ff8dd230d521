"""The text of an event file block by block, unpacked and decoded, from its beginning or from a checkpoint on."""

from __future__ import annotations

import codecs
import struct
import zlib
from collections.abc import Iterator
from typing import Protocol

import msgspec
from msgspec.structs import replace

from shared.events.inflate import Inflater
from shared.events.streams import BLOCK, LARGEST_EXPANSION, MOST_EXPANDED, ByteStream, UnreadableFile

AT_ONCE = 2**14
"""Packed bytes that are looked at once: of many short members each gives back what is behind it."""
RUN = 2**16
"""Bytes unpacked between two checkpoints at least, each of which holds the 32 KB before it."""
_HEADER = struct.Struct("<2sBBIBB")
_TRAILER = struct.Struct("<II")
_MAGIC = b"\x1f\x8b"
_DEFLATE = 8
_HEADER_SUM, _EXTRA, _NAME, _COMMENT = 2, 4, 8, 16
_MODULUS = 2**32


class Member(msgspec.Struct, frozen=True, array_like=True):
    """The inside of one of the members that a gzip file is made of, where a block of deflate ends."""

    bits: int
    """Of the last byte before the checkpoint, those that are still to come."""
    last_byte: int
    window: bytes
    """What was unpacked last, packed."""
    checksum: int
    """Of what was unpacked of the member so far."""
    size: int
    """Bytes that were, modulo 2^32."""


class Checkpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a file can be read from; its beginning, unless said otherwise."""

    offset: int = 0
    """Bytes of the object before it."""
    unpacked: int = 0
    """Bytes that these expand to."""
    member: Member | None = None
    """None outside of a gzip file, and between its members."""
    decoder: tuple[bytes, int] | None = None
    """State of what decodes text that is not UTF-8; None at the beginning."""


type Blocks = Iterator[tuple[Checkpoint | None, bytes]]
"""Blocks of bytes, each with the checkpoint at its beginning, or None where reading cannot begin there."""


class Fetch(Protocol):
    """Gives the bytes of an object."""

    def __call__(self, begin: int, end: int | None = None, /) -> ByteStream:
        """Those from `begin` up to `end`, or to the last."""
        ...


def text_blocks(fetch: Fetch, begin: Checkpoint, *, packed: bool, encoding: str = "utf-8") -> Blocks:
    """The text from a checkpoint on, in UTF-8. Raises UnreadableFile, once all that came before is handed out."""
    blocks = _in_runs(_unpacked(_Packed(fetch(begin.offset), begin.offset), begin)) if packed else _plain(fetch, begin)
    return blocks if encoding == "utf-8" else _decoded(blocks, encoding, begin.decoder)


def _plain(fetch: Fetch, begin: Checkpoint) -> Blocks:
    stream = fetch(begin.offset)
    offset = begin.offset
    while block := stream.read(BLOCK):
        yield replace(begin, offset=offset, unpacked=offset), block
        offset += len(block)


def _decoded(blocks: Blocks, encoding: str, state: tuple[bytes, int] | None) -> Blocks:
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    if state:
        decoder.setstate(state)
    for checkpoint, block in blocks:
        here = replace(checkpoint, decoder=decoder.getstate()) if checkpoint else None
        if text := decoder.decode(block):
            yield here, text.encode()
    if text := decoder.decode(b"", final=True):
        yield None, text.encode()


# ---- gzip: https://www.rfc-editor.org/rfc/rfc1952 --------------------------------------------------------------------


class _Packed:
    """The packed bytes, of which some may be given back."""

    def __init__(self, stream: ByteStream, offset: int) -> None:
        self._stream = stream
        self._read = b""
        self._at = 0
        """Of what was read, what comes next."""
        self.offset = offset
        """Bytes of the object before what comes next."""

    def block(self) -> bytes:
        """What comes next, AT_ONCE bytes at most; none at the end."""
        if self._at == len(self._read):
            self._read = self._stream.read(BLOCK)
            self._at = 0
        block = self._read[self._at : self._at + AT_ONCE]
        self._at += len(block)
        self.offset += len(block)
        return block

    def give_back(self, rest: bytes) -> None:
        """Lets `rest`, the end of the block that was taken last, come again."""
        self._at -= len(rest)
        self.offset -= len(rest)

    def take(self, count: int) -> bytes:
        """So many bytes. Raises UnreadableFile at the end."""
        taken = b""
        while len(taken) < count:
            block = self.block()
            if not block:
                raise _broken()
            taken += block
        self.give_back(taken[count:])
        return taken[:count]

    def skip_text(self) -> None:
        """Passes over a text, which a zero ends. Raises UnreadableFile."""
        while block := self.block():
            _, end, rest = block.partition(b"\0")
            if end:
                self.give_back(rest)
                return
        raise _broken()

    def skip_padding(self) -> bool:
        """Passes over the zeros that may follow a member; whether anything else does."""
        while block := self.block():
            if rest := block.lstrip(b"\0"):
                self.give_back(rest)
                return True
        return False


def _in_runs(blocks: Blocks) -> Blocks:
    """The same in blocks of RUN bytes at least: who packs a file may end a block of deflate after each byte."""
    run = bytearray()
    begin: Checkpoint | None = None
    broken: UnreadableFile | None = None
    try:
        for checkpoint, block in blocks:
            begin = begin if run else checkpoint
            run += block
            if len(run) >= RUN:
                yield begin, bytes(run)
                run.clear()
    except UnreadableFile as error:
        broken = error
    if run:
        yield begin, bytes(run)
    if broken:
        raise broken


def _unpacked(packed: _Packed, begin: Checkpoint) -> Blocks:
    unpacked = begin.unpacked
    member = begin.member or _next_member(packed)
    inflater = Inflater(member.bits, member.last_byte, member.window) if member else Inflater()
    while member:
        checksum = member.checksum
        size = member.size
        while not inflater.is_done:
            if unpacked > max(MOST_EXPANDED, LARGEST_EXPANSION * packed.offset):
                raise UnreadableFile(f"a gzip file may expand {LARGEST_EXPANSION}-fold, and this one expands further")
            state = inflater.state()
            here = state and Checkpoint(packed.offset - inflater.unused, unpacked, Member(*state, checksum, size))
            text = _inflated(inflater, packed)
            checksum = zlib.crc32(text, checksum)
            size = (size + len(text)) % _MODULUS
            if text:
                yield here, text
            unpacked += len(text)
        packed.give_back(inflater.rest)
        if _TRAILER.unpack(packed.take(_TRAILER.size)) != (checksum, size):
            raise _broken()
        member = _next_member(packed)
        inflater.restart()


def _inflated(inflater: Inflater, packed: _Packed) -> bytes:
    is_at_end = False
    if inflater.unused == 0:
        block = packed.block()
        is_at_end = not block
        inflater.feed(block)
    try:
        text = inflater.read()
    except zlib.error as error:
        raise _broken() from error
    if is_at_end and inflater.is_stuck:
        raise _broken()
    return text


def _next_member(packed: _Packed) -> Member | None:
    """The next member at its beginning; None at the end of the file. Raises UnreadableFile."""
    is_first = packed.offset == 0
    if is_first:
        first = packed.block()
        packed.give_back(first)
        if not first:
            return None
    elif not packed.skip_padding():
        return None
    magic, method, flags, *_ = _HEADER.unpack(packed.take(_HEADER.size))
    if magic != _MAGIC or method != _DEFLATE:
        raise _broken()
    if flags & _EXTRA:
        packed.take(int.from_bytes(packed.take(2), "little"))
    for text in (_NAME, _COMMENT):
        if flags & text:
            packed.skip_text()
    if flags & _HEADER_SUM:
        packed.take(2)
    return Member(0, 0, b"", 0, 0)


def _broken() -> UnreadableFile:
    return UnreadableFile("not a whole gzip file")
