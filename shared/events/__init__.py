"""Event files and payloads in; columns of valid events, and every refused line with its reason, out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from shared.events.batches import Batch, Rejection, people_of
from shared.events.chunks import Chunk, joined, to_chunk
from shared.events.columnar import Parts, read_text
from shared.events.event import FIELDS, Event
from shared.events.judging import Rules
from shared.events.parquet import read_parquet
from shared.events.streams import ByteStream, UnreadableFile
from shared.identity.links import Claim

if TYPE_CHECKING:
    from shared.events.translator import Translator

__all__ = [
    "FIELDS",
    "ByteStream",
    "Chunk",
    "Claim",
    "Event",
    "Rejection",
    "Rules",
    "UnreadableFile",
    "people_of",
    "read_file",
    "read_lines",
]


def read_file(
    source: Path | ByteStream, name: str, rules: Rules, translator: Translator | None = None
) -> Iterator[Chunk]:
    """The events of one file, chunk by chunk, in memory that does not grow with the file.

    `source` is a path or the bytes as a stream; `name` tells the format by its ending. A `translator` says what
    columns mean that are not the contract's. Raises UnreadableFile where the file as a whole cannot be read: what came
    before stands.
    """
    if isinstance(source, Path):
        with source.open("rb") as stream:
            yield from read_file(stream, name, rules, translator)
    else:
        for plain, rest in _parts(source, name, rules, translator):
            if plain is not None:
                yield Chunk(plain, [], [])
            if rest.lines or rest.rejections:
                yield to_chunk(rest, rules)


def _parts(source: ByteStream, name: str, rules: Rules, translator: Translator | None) -> Parts:
    if name.lower().endswith(".parquet"):
        return read_parquet(source, rules, translator)
    if translator is None:
        return read_text(source, name, rules)
    from shared.events.mapped import read_mapped  # most functions read no files, and most files need none

    return ((None, batch) for batch in read_mapped(source, name, translator))


def read_lines(lines: Iterable[bytes], rules: Rules, first: int = 1, translator: Translator | None = None) -> Chunk:
    """Events that came without a file: lines of one JSON object each, counted from `first`.

    A `translator` says what columns mean that are not the contract's.
    """
    take = Batch.add_json
    if translator is not None:
        from shared.events.mapped import take_line

        take = partial(take_line, translator)
    chunks, batch = [], Batch()
    for number, line in enumerate(lines, first):
        take(batch, number, line)
        if batch.is_full:
            chunks.append(to_chunk(batch, rules))
            batch = Batch()
    chunks.append(to_chunk(batch, rules))
    return chunks[0] if len(chunks) == 1 else joined(chunks)
