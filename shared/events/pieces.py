"""Event files piece by piece: each a file of its own that holds some whole records, so that each can be read alone.

Where pieces begin and end follows from the file alone, wherever reading it begins.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from shared.events import Chunk, Rules, read_file
from shared.events.checkpoints import Blocks, Checkpoint, Fetch, text_blocks
from shared.events.csv_text import WHITESPACE, header_of, numbered_names
from shared.events.record_ends import record_end
from shared.events.streams import LONGEST_LINE, ByteStream, UnreadableFile

if TYPE_CHECKING:
    from shared.events.mapping import MappingFile
    from shared.events.translator import Translator

PIECE_BYTES = 8 * 2**20
"""Of text, in whole records."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_OF_LINES = (".ndjson", ".jsonl", ".json")


class Position(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a record of a file begins; the first one, unless said otherwise."""

    checkpoint: Checkpoint = Checkpoint()
    """Where reading begins on the way to it."""
    skip: int = 0
    """Bytes of text from there to the record."""
    text: int = 0
    """Bytes of text from the beginning of the file to the record."""
    line: int = 1
    """Its number; in Parquet, the row's."""
    group: int = 0
    """Of Parquet, the group of rows that it is the first of."""


START = Position()


def without_text(position: Position) -> Position:
    """The same, as reading from the beginning of a packed file gets there: nothing of what is in the file is in it."""
    return (
        Position(skip=position.text, text=position.text, line=position.line) if position.checkpoint.member else position
    )


@dataclass(frozen=True, slots=True)
class Piece:
    """Some consecutive records of a file, as a file."""

    begin: Position
    end: Position | None
    """Where the next piece begins; None where the file ends."""
    size: int
    """Bytes of text, or groups of rows."""
    name: str
    open: Callable[[], tuple[ByteStream, int]]
    """Gives its bytes, and by how much the numbers of its lines fall short of those in the whole file."""
    translator: Callable[[], Translator | None]

    def chunks(self, rules: Rules) -> Iterator[Chunk]:
        """The events, with lines numbered as in the whole file. Raises UnreadableFile."""
        stream, shift = self.open()
        for chunk in read_file(stream, self.name, rules, self.translator()):
            yield _shifted(chunk, shift) if shift else chunk


def text_pieces(
    fetch: Fetch, name: str, translator: Translator | None, begin: Position = START, least: int = PIECE_BYTES
) -> Iterator[Piece]:
    """The pieces of the file `name` of text from `begin` on: each ends with the record that makes it `least` bytes.

    Raises UnreadableFile where the file cannot be read on.
    """
    form = _Form(fetch, name, translator)
    cutter = _Cutter(form.blocks(begin.checkpoint), begin, is_plain=form.is_plain)
    end: Position | None = begin
    while end:
        begin = end
        text, size, end = cutter.cut(least, form.quoted)
        yield form.piece(begin, end, size, text)


class _Cutter:
    """Takes text apart between records."""

    def __init__(self, blocks: Blocks, begin: Position, *, is_plain: bool = False) -> None:
        """Where the file `is_plain`, its bytes are the text, which can be read from anywhere."""
        self._blocks = blocks
        self._is_plain = is_plain
        self._line = begin.line
        self._text = begin.text
        self._checkpoint = begin.checkpoint
        self._since = 0
        """Bytes of text from that checkpoint to what is held."""
        self._ahead: list[tuple[int, Checkpoint]] = []
        """Further checkpoints, each with how many bytes of text it is after the first that is held."""
        self._held = bytearray()
        self._left_out: list[tuple[int, int]] = []
        """Of lines that are too long: after how many held bytes how many are not held."""
        self._unended = 0
        """Held bytes of the last line."""
        self._error: UnreadableFile | None = None
        self._skip(begin.skip)

    def cut(self, least: int, quoted: str | None) -> tuple[bytes, int, Position | None]:
        """The next piece, the bytes of text that it takes in the file, and where the one after it begins."""
        while len(self._held) < least and self._read():
            pass
        while (end := self._record_end(least, quoted)) is None and self._read():
            pass
        if end is None:
            if self._error:
                raise self._error
            end = len(self._held)
        text = bytes(self._held[:end])
        size = self._pass(end)
        self._text += size
        self._line += text.count(b"\n")
        if self._held or self._read() or self._error:
            return text, size, self._position()
        return text, size, None

    def _position(self) -> Position:
        if self._is_plain:
            return Position(Checkpoint(self._text, self._text), 0, self._text, self._line)
        return Position(self._checkpoint, self._since, self._text, self._line)

    def _record_end(self, least: int, quoted: str | None) -> int | None:
        mark = len(_BYTE_ORDER_MARK) if self._line == 1 and self._held.startswith(_BYTE_ORDER_MARK) else 0
        end = record_end(bytes(self._held[mark:]), least - mark, quoted)
        return None if end is None else end + mark

    def _read(self) -> bool:
        """Holds one block more; whether there is one."""
        try:
            checkpoint, block = next(self._blocks)
        except StopIteration:
            return False
        except UnreadableFile as error:
            self._error = error
            return False
        if checkpoint:
            self._ahead.append((self._text_bytes(len(self._held)), checkpoint))
        self._hold(block)
        return True

    def _hold(self, block: bytes) -> None:
        line_end = block.find(b"\n")
        size = len(block) if line_end < 0 else line_end
        kept = min(size, max(LONGEST_LINE + 2 - self._unended, 0))
        if kept < size:
            self._left_out.append((len(self._held) + kept, size - kept))
        self._held += block[:kept]
        self._held += block[size:]
        self._unended = self._unended + kept if line_end < 0 else len(block) - 1 - block.rfind(b"\n")

    def _skip(self, count: int) -> None:
        for checkpoint, block in self._blocks if count else ():
            if checkpoint:
                self._checkpoint = checkpoint
                self._since = 0
            if count < len(block):
                self._since += count
                self._hold(block[count:])
                return
            self._since += len(block)
            count -= len(block)

    def _pass(self, end: int) -> int:
        """Lets go of what is held before `end`; how many bytes of text that is."""
        size = self._text_bytes(end)
        self._since += size
        for at, checkpoint in self._ahead:
            if at <= size:
                self._checkpoint = checkpoint
                self._since = size - at
        self._ahead = [(at - size, checkpoint) for at, checkpoint in self._ahead if at > size]
        self._left_out = [(at - end, count) for at, count in self._left_out if at > end]
        del self._held[:end]
        return size

    def _text_bytes(self, end: int) -> int:
        """How many bytes of text the first `end` held ones stand for."""
        return end + sum(count for at, count in self._left_out if at <= end)


class _Form:
    """How a file of text is written, and what makes a file of a piece of it."""

    def __init__(self, fetch: Fetch, name: str, translator: Translator | None) -> None:
        self._fetch = fetch
        self._is_packed = name.lower().endswith(".gz")
        self._name = name[: -len(".gz")] if self._is_packed else name
        self._mapping = translator.mapping if translator else None
        self.is_plain = not self._is_packed and (self._mapping is None or self._mapping.encoding == "utf-8")
        """Whether the bytes are the text."""
        self._is_csv = Path(self._name.lower()).suffix not in _OF_LINES
        self._has_header = self._is_csv and (self._mapping is None or self._mapping.header is True)
        self._delimiter = self._mapping.delimiter if self._mapping else ","
        is_quoted = self._delimiter != WHITESPACE and (self._mapping is None or self._mapping.quotes)
        self.quoted = self._delimiter if self._is_csv and is_quoted else None
        """The delimiter of CSV whose records may hold line ends; None where each line is a record."""

    def blocks(self, begin: Checkpoint) -> Blocks:
        """The text from a checkpoint on."""
        encoding = self._mapping.encoding if self._mapping else "utf-8"
        return text_blocks(self._fetch, begin, packed=self._is_packed, encoding=encoding)

    def piece(self, begin: Position, end: Position | None, size: int, text: bytes) -> Piece:
        """A piece of the file, whose bytes are `text`."""
        if begin.line == 1:
            return Piece(begin, end, size, self._name, lambda: (io.BytesIO(text), 0), self._as_first)

        def opened() -> tuple[ByteStream, int]:
            # At the beginning of a file, and there alone, a mark of the order of bytes is none of its text.
            header = self._header if self._has_header else b"\n"
            return io.BytesIO(header + text), begin.line - 1 - header.count(b"\n")

        return Piece(begin, end, size, self._name, opened, self._as_later)

    @cached_property
    def _header(self) -> bytes:
        """The record that the file begins with."""
        first, _, _ = _Cutter(self.blocks(START.checkpoint), START).cut(1, self.quoted)
        return first.removeprefix(_BYTE_ORDER_MARK)

    def _as_first(self) -> Translator | None:
        return self._translator(self._mapping, self._mapping.header) if self._mapping else None

    def _as_later(self) -> Translator | None:
        if self._mapping is None or not self._is_csv or self._mapping.header:
            return self._as_first()
        return self._translator(self._mapping, self._names(self._mapping))

    def _names(self, mapping: MappingFile) -> list[str]:
        """What the columns are called, of which the file says nothing."""
        text = self._header.decode(errors="surrogateescape")
        if self._delimiter == WHITESPACE:
            return numbered_names(text.split())
        if mapping.quotes:
            return numbered_names(header_of(csv.reader([text], delimiter=self._delimiter, strict=True)))
        return numbered_names(
            header_of(csv.reader([text], delimiter=self._delimiter, strict=True, quoting=csv.QUOTE_NONE))
        )

    @staticmethod
    def _translator(mapping: MappingFile, header: bool | list[str]) -> Translator:
        from shared.events.translator import Translator

        return Translator(msgspec.structs.replace(mapping, encoding="utf-8", header=header))


def _shifted(chunk: Chunk, by: int) -> Chunk:
    return replace(
        chunk,
        rejections=[replace(line, line=line.line + by) for line in chunk.rejections],
        claims=[replace(claim, line=claim.line + by) for claim in chunk.claims],
        unwritten=[replace(line, line=line.line + by) for line in chunk.unwritten],
    )
