"""Files of text, piece by piece, and which of the pieces are about people who are looked for; in bounded memory."""

from __future__ import annotations

import base64
import binascii
import codecs
import csv
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from shared.erasure.streams import Begun, NotSearchable
from shared.erasure.wanted import LONGEST_MENTION_BYTES, Wanted, about_people, as_bytes, same
from shared.events.streams import ByteStream
from shared.intake.archive import people_in

BLOCK_BYTES = 1 << 20
LONGEST_LINE_BYTES = 16 << 20
_MARK = codecs.BOM_UTF8.decode("latin-1")
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Piece(NamedTuple):
    """Consecutive bytes of a file."""

    raw: bytes
    theirs: bool = False
    doubtful: bool = False
    """It names them, and it cannot be told whether it is about them."""
    people: tuple[str, ...] = ()
    """Profile keys of all whom it names, where it says so."""


type Pieces = Callable[[ByteStream, Wanted], Iterator[Piece]]


def quarantined(stream: ByteStream, wanted: Wanted) -> Iterator[Piece]:
    """Refused lines, of which each says whom it names, or holds the line that was too broken to tell."""
    for line in lines(stream):
        try:
            record = _decode_refused(line)
            original = base64.b64decode(record.original_base64) or record.original.encode()
        except (ValueError, RecursionError, binascii.Error):
            yield Piece(line, doubtful=wanted.mentioned(line))
            continue
        theirs = not wanted.people.isdisjoint(record.people) if record.people else wanted.mentioned(original)
        yield Piece(line, theirs, people=tuple(record.people))


def archived(stream: ByteStream, wanted: Wanted) -> Iterator[Piece]:
    """Live events as they came."""
    for line in lines(stream):
        people = people_in(line)
        yield Piece(line, not wanted.people.isdisjoint(people), not people and wanted.mentioned(line), tuple(people))


def reasons(stream: ByteStream, wanted: Wanted) -> Iterator[Piece]:
    """Why a whole file was refused; where that names them, the reason goes and the rest stays."""
    body = b"".join(blocks(stream))
    try:
        record = msgspec.json.decode(body, type=dict[str, Any])
        reason = str(record["reason"])
    except (ValueError, RecursionError, KeyError):
        yield Piece(body, doubtful=wanted.mentioned(body))
        return
    if not wanted.mentioned(reason.encode()):
        yield Piece(body)
        return
    yield Piece(b"", theirs=True)
    yield Piece(msgspec.json.encode(record | {"reason": "taken out, as it named somebody who was erased"}))


def json_rows(stream: ByteStream, wanted: Wanted) -> Iterator[Piece]:
    """Lines of one JSON object each."""
    for line in lines(stream):
        if not wanted.may_be_in(line):
            yield Piece(line, doubtful=_BINARY.search(line) is not None)
            continue
        try:
            row = _decode_row(line)
        except (ValueError, RecursionError):
            yield Piece(line, doubtful=wanted.mentioned(line) or _BINARY.search(line) is not None)
            continue
        if any(same(value, ids) for name, value in row.items() if (ids := wanted.of_column(name))):
            yield Piece(line, theirs=True)
        else:
            yield Piece(line, doubtful=not any(map(about_people, row)) and wanted.mentioned(line))


def csv_rows(stream: ByteStream, wanted: Wanted) -> Iterator[Piece]:
    """Rows below a header, parted by commas, semicolons, tabs or bars, in any encoding that keeps ASCII or in UTF-16.

    Raises NotSearchable where no column says whose a row is.
    """
    numbered, decode = _decodable(stream)
    taken: list[bytes] = []

    def texts() -> Iterator[str]:
        for raw in numbered:
            taken.append(raw)
            yield decode(raw)

    source = texts()
    header = next((text for text in source if text.strip(f"\r\n {_MARK}\ufeff")), "")
    if not header:
        yield Piece(b"".join(taken))
        return
    delimiter, columns, width = _columns(header.removeprefix(_MARK).removeprefix("\ufeff"), wanted)
    wide = decode is not _latin
    columns = {at: ids if wide else as_bytes(ids) for at, ids in columns.items()}
    anybody = frozenset[str]().union(*columns.values())
    yield Piece(b"".join(taken))
    taken.clear()
    records = csv.reader(source, delimiter=delimiter)
    while True:
        try:
            row = next(records)
        except StopIteration:
            return
        except csv.Error:
            yield Piece(raw := b"".join(taken), doubtful=wanted.mentioned(raw))
        else:
            theirs = any(at < len(row) and same(row[at], ids) for at, ids in columns.items())
            is_irregular = len(row) != width or len(taken) > 1
            doubtful = not theirs and is_irregular and _names(row, anybody, wanted)
            yield Piece(b"".join(taken), theirs, doubtful)
        taken.clear()


def mentions(stream: ByteStream, wanted: Wanted) -> bool:
    """Whether the bytes mention them. Raises NotSearchable where they are not text, so that nobody could tell."""
    before = b""
    wide = None
    for block in blocks(stream):
        if wanted.mentioned(before + block):
            return True
        wide = block.startswith(_WIDE) if wide is None else wide
        if not wide and _BINARY.search(block):
            raise NotSearchable("it is not text")
        before = block[-LONGEST_MENTION_BYTES:]
    return False


def blocks(stream: ByteStream) -> Iterator[bytes]:
    """The bytes, some at a time."""
    while block := stream.read(BLOCK_BYTES):
        yield block


def lines(stream: ByteStream) -> Iterator[bytes]:
    """Lines with their ends, LF or, in a file that has none, CR. Raises NotSearchable."""
    rest = b""
    end = b""
    for block in blocks(stream):
        end = end or (b"\r" if b"\r" in block and b"\n" not in block else b"\n")
        *whole, rest = (rest + block).split(end)
        yield from (line + end for line in whole)
        if len(rest) > LONGEST_LINE_BYTES:
            raise NotSearchable(f"a line is longer than {LONGEST_LINE_BYTES:,} bytes")
    if rest:
        yield rest


class _Refused(msgspec.Struct):
    original: str = ""
    original_base64: str = ""
    people: list[str] = []


_decode_refused = msgspec.json.Decoder(_Refused).decode
_decode_row = msgspec.json.Decoder(dict[str, Any]).decode


def _latin(raw: bytes) -> str:
    return raw.decode("latin-1")


def _decodable(stream: ByteStream) -> tuple[Iterator[bytes], Callable[[bytes], str]]:
    """Lines as bytes, and what makes text of them; where the encoding is not known, each byte becomes a character."""
    first = stream.read(2)
    if first not in _WIDE:
        return lines(Begun(first, stream)), _latin
    encoding = "utf-16-le" if first == codecs.BOM_UTF16_LE else "utf-16-be"
    end = "\n".encode(encoding)
    return _wide_lines(Begun(first, stream), end), lambda raw: raw.decode(encoding, "replace")


def _wide_lines(stream: ByteStream, end: bytes) -> Iterator[bytes]:
    rest = b""
    for block in blocks(stream):
        rest += block
        begin = at = 0
        while (at := rest.find(end, at)) >= 0:
            if at % 2:
                at += 1
                continue
            at += 2
            yield rest[begin:at]
            begin = at
        rest = rest[begin:]
        if len(rest) > LONGEST_LINE_BYTES:
            raise NotSearchable(f"a line is longer than {LONGEST_LINE_BYTES:,} bytes")
    if rest:
        yield rest


def _columns(header: str, wanted: Wanted) -> tuple[str, dict[int, frozenset[str]], int]:
    for delimiter in ",;\t|":
        try:
            names = next(csv.reader([header], delimiter=delimiter))
        except csv.Error:
            continue
        if any(map(about_people, names)):
            columns = {at: ids for at, name in enumerate(names) if (ids := wanted.of_column(name))}
            return delimiter, columns, len(names)
    raise NotSearchable("no column says whose a row is")


def _names(row: list[str], anybody: frozenset[str], wanted: Wanted) -> bool:
    return any(same(cell, anybody) or ("\n" in cell and wanted.mentioned(cell.encode())) for cell in row)
