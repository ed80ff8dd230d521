"""Parquet files piece by piece: some of a file's groups of rows as a file of their own.

https://parquet.apache.org/docs/file-format/metadata/ names the fields, by whose ids they are called here.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from shared.events.checkpoints import Checkpoint, Fetch
from shared.events.pieces import PIECE_BYTES, START, Piece, Position
from shared.events.streams import ByteStream, UnreadableFile
from shared.events.thrift import I64, BrokenThrift, Field, Items, decode, encode

if TYPE_CHECKING:
    from shared.events.translator import Translator

PACKED = 8
"""A byte of Parquet or gzip stands for about as many of text."""
LARGEST_FOOTER = 2**24
_MAGIC = b"PAR1"
_ROWS, _GROUPS = 3, 4
_COLUMNS, _ROWS_OF_GROUP, _OFFSET_OF_GROUP, _ORDINAL = 1, 3, 5, 7
_OFFSET_OF_CHUNK, _META, _BEYOND_META = 2, 3, (4, 5, 6, 7)
_PACKED_BYTES, _DATA_PAGE, _INDEX_PAGE, _DICTIONARY_PAGE, _BLOOM_FILTER = 7, 9, 10, 11, (14, 15)


@dataclass(frozen=True, slots=True)
class _Group:
    """Some consecutive rows, and where in the file they are."""

    fields: dict[int, Field]
    rows: int
    begin: int
    end: int


def parquet_pieces(
    fetch: Fetch,
    size: int,
    translator: Translator | None,
    begin: Position = START,
    least: int = PIECE_BYTES // PACKED,
) -> Iterator[Piece]:
    """The pieces of a Parquet file of `size` bytes: of whole groups of rows, as few as have `least` bytes.

    Raises UnreadableFile.
    """
    try:
        footer = decode(_footer(fetch, size))
        groups = [_group(fields, size) for fields in footer[_GROUPS].value.values]
    except (BrokenThrift, KeyError, AttributeError, TypeError, ValueError) as error:
        raise _broken() from error
    first = begin.group
    line = begin.line
    while first < len(groups):
        last = first + 1
        while last < len(groups) and groups[last - 1].end - groups[first].begin < least:
            last += 1
        some = groups[first:last]
        line_after = line + sum(group.rows for group in some)
        end = _position(groups, last, line_after) if last < len(groups) else None
        here = _position(groups, first, line)
        opened = partial(_opened, fetch, footer, some, line - 1)
        yield Piece(here, end, last - first, "events.parquet", opened, lambda: translator)
        first = last
        line = line_after


def _position(groups: list[_Group], at: int, line: int) -> Position:
    return Position(Checkpoint(groups[at].begin), line=line, group=at)


def _footer(fetch: Fetch, size: int) -> bytes:
    tail = _read(fetch(max(size - 8, 0), size))
    footer_bytes = int.from_bytes(tail[:4], "little")
    if tail[4:] != _MAGIC or footer_bytes > min(LARGEST_FOOTER, size - 8):
        raise _broken()
    return _read(fetch(size - 8 - footer_bytes, size - 8))


def _read(stream: ByteStream) -> bytes:
    content = io.BytesIO()
    while block := stream.read(2**20):
        content.write(block)
    return content.getvalue()


def _group(fields: dict[int, Field], size: int) -> _Group:
    chunks = [column[_META].value for column in fields[_COLUMNS].value.values]
    begins = [min(m[at].value for at in (_DATA_PAGE, _DICTIONARY_PAGE) if at in m and m[at].value > 0) for m in chunks]
    ends = [begin + chunk[_PACKED_BYTES].value for begin, chunk in zip(begins, chunks, strict=True)]
    begin = min(begins)
    end = max(ends)
    rows = fields[_ROWS_OF_GROUP].value
    if not (len(_MAGIC) <= begin <= end <= size and rows >= 0):
        raise _broken()
    return _Group(fields, rows, begin, end)


def _opened(fetch: Fetch, footer: dict[int, Field], groups: list[_Group], shift: int) -> tuple[ByteStream, int]:
    begin = min(group.begin for group in groups)
    end = max(group.end for group in groups)
    moved = [_moved(group.fields, begin - len(_MAGIC)) for group in groups]
    rows = sum(group.rows for group in groups)
    own = {**footer, _ROWS: Field(I64, rows), _GROUPS: Field(footer[_GROUPS].kind, Items(12, moved))}
    tail = encode(dict(sorted(own.items())))
    end_of_file = tail + len(tail).to_bytes(4, "little") + _MAGIC
    return _Joined([io.BytesIO(_MAGIC), fetch(begin, end), io.BytesIO(end_of_file)]), shift


def _moved(group: dict[int, Field], by: int) -> dict[int, Any]:
    """A group of rows whose pages are `by` bytes nearer to the beginning; without indexes, which are elsewhere."""
    columns = []
    for column in group[_COLUMNS].value.values:
        meta = {id_: field for id_, field in column[_META].value.items() if id_ not in _BLOOM_FILTER}
        meta.pop(_INDEX_PAGE, None)
        for id_ in (_DATA_PAGE, _DICTIONARY_PAGE):
            if id_ in meta and meta[id_].value > 0:
                meta[id_] = Field(I64, meta[id_].value - by)
        own = {id_: field for id_, field in column.items() if id_ not in _BEYOND_META}
        columns.append({**own, _OFFSET_OF_CHUNK: Field(I64, 0), _META: Field(column[_META].kind, meta)})
    rest = {id_: field for id_, field in group.items() if id_ not in (_OFFSET_OF_GROUP, _ORDINAL)}
    return {**rest, _COLUMNS: Field(group[_COLUMNS].kind, Items(12, columns))}


class _Joined:
    """Streams one after the other."""

    def __init__(self, streams: list[ByteStream]) -> None:
        self._streams = streams

    def read(self, size: int = -1, /) -> bytes:
        while self._streams:
            if block := self._streams[0].read(size):
                return block
            self._streams.pop(0)
        return b""


def _broken() -> UnreadableFile:
    return UnreadableFile("not a readable Parquet file: it is damaged, or no Parquet")
