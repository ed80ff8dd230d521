"""Files in a shop's own columns as batches of events, by a mapping."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from shared.events.batches import Batch
from shared.events.event import Event
from shared.events.mapping import WHITESPACE
from shared.events.streams import BLOCK, LONGEST_LINE, ByteStream, UnreadableFile, plain_bytes
from shared.events.tables import MOST_COLUMNS
from shared.events.translator import LineBroken, Translator

_decode = msgspec.json.Decoder().decode


def read_mapped(stream: ByteStream, name: str, translator: Translator) -> Iterator[Batch]:
    """The lines of the file `name`, whose bytes are `stream`, as the events that a mapping makes of them.

    Raises UnreadableFile, with all columns that the mapping names in vain.
    """
    plain = Path(name.lower().removesuffix(".gz")).suffix
    with plain_bytes(stream, name) as unpacked:
        if plain in (".ndjson", ".jsonl", ".json"):
            yield from _json(unpacked, translator)
        else:
            yield from _csv(unpacked, translator)


def _json(stream: ByteStream, translator: Translator) -> Iterator[Batch]:
    batch = Batch()
    for number, line in _Lines(stream, "utf-8"):
        if not line.strip():
            continue
        original = line.encode(errors="surrogateescape")
        try:
            record = _decode(original)
        except (ValueError, RecursionError):
            record = None
        if isinstance(record, dict):
            add(batch, number, original, record, translator)
        else:
            batch.refuse(number, "a line must hold one JSON object", original)
        if batch.is_full:
            yield batch
            batch = Batch()
    yield batch


def _csv(stream: ByteStream, translator: Translator) -> Iterator[Batch]:
    lines = _Lines(stream, translator.mapping.encoding)
    records = _records(lines, translator.mapping.delimiter)
    names: list[str] | None = None
    number, batch = 1, Batch()
    while True:
        try:
            values = next(records)
        except StopIteration:
            break
        except csv.Error as error:
            taken, original = lines.taken()
            batch.refuse(number, f"not valid CSV: {error}", original)
            number += taken
            continue
        taken, original = lines.taken()
        if names is None:
            names = _header(values, translator)
            if translator.mapping.header:
                number += taken
                continue
        if values and len(values) != len(names):
            batch.refuse(number, f"another number of values than the {len(names)} columns", original)
        elif values:
            add(batch, number, original, dict(zip(names, values, strict=True)), translator)
        number += taken
        if batch.is_full:
            yield batch
            batch = Batch()
    yield batch


def _header(first: list[str], translator: Translator) -> list[str]:
    if len(first) > MOST_COLUMNS:
        raise UnreadableFile(f"it has {len(first):,} columns, more than {MOST_COLUMNS:,}")
    names = [name.strip() for name in first]
    if not translator.mapping.header:
        names = [f"column_{i}" for i in range(1, len(first) + 1)]
    if absent := translator.absent(names):
        raise UnreadableFile(f"it has no column {' and no column '.join(absent)}, which the mapping names")
    return names


def add(batch: Batch, number: int, original: bytes, record: Mapping[str, Any], translator: Translator) -> None:
    """Keeps what a record tells, or the record as a rejection."""
    try:
        events: list[Event] = translator.events(record)
    except LineBroken as broken:
        batch.refuse(number, str(broken), original, translator.people(record))
        return
    for at, event in enumerate(events):
        # Lines without an id of their own are told apart by all that they say.
        batch.keep(event, number, original, b"" if event.event_id else original + b"%d" % at)


def _records(lines: _Lines, delimiter: str) -> Iterator[list[str]]:
    texts = (f"{line}\n" for _, line in lines)
    if delimiter == WHITESPACE:
        return (line.split() for line in texts)
    return csv.reader(texts, delimiter=delimiter, strict=False)


class _Lines:
    """Lines of text, numbered from 1, and the bytes of those taken since they were last asked for."""

    def __init__(self, stream: ByteStream, encoding: str) -> None:
        self._stream = stream
        self._encoding = encoding
        self._taken: list[str] = []
        self._lines = self._read()

    def __iter__(self) -> Iterator[tuple[int, str]]:
        return self

    def __next__(self) -> tuple[int, str]:
        number, line = next(self._lines)
        self._taken.append(line)
        if sum(map(len, self._taken)) > LONGEST_LINE:
            raise UnreadableFile(f"a record has more than {LONGEST_LINE:,} characters")
        return number, line

    def taken(self) -> tuple[int, bytes]:
        """How many lines were taken since the last call, and these, in UTF-8."""
        count = len(self._taken)
        text = "\n".join(self._taken)
        self._taken.clear()
        return count, text.encode(errors="surrogateescape")

    def _read(self) -> Iterator[tuple[int, str]]:
        decoder = codecs.getincrementaldecoder(self._encoding)(
            "surrogateescape" if self._encoding == "utf-8" else "replace"
        )
        rest = ""
        number = 0
        while block := self._stream.read(BLOCK):
            text = rest + decoder.decode(block)
            if number == 0:
                text = text.removeprefix("\ufeff")
            *whole, rest = text.split("\n")
            for line in whole:
                number += 1
                yield number, line.removesuffix("\r")
            if len(rest) > LONGEST_LINE:
                raise UnreadableFile(f"a line has more than {LONGEST_LINE:,} characters")
        rest += decoder.decode(b"", final=True)
        if rest:
            yield number + 1, rest.removesuffix("\r")
