"""Files in a shop's own columns as batches of events, by a mapping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from shared.events.batches import NOT_UTF8, Batch, is_utf8
from shared.events.csv_text import CsvForm, csv_batches
from shared.events.dialects import LineBroken
from shared.events.readers import json_batches
from shared.events.streams import ByteStream, Transcoded, UnreadableFile, plain_bytes
from shared.events.translator import Translator

_decode = msgspec.json.Decoder().decode


def read_mapped(stream: ByteStream, name: str, translator: Translator) -> Iterator[Batch]:
    """The lines of the file `name`, whose bytes are `stream`, as the events that a mapping makes of them.

    Lines of another encoding are kept as UTF-8. Raises UnreadableFile, with all columns that the mapping names in vain.
    """
    mapping = translator.mapping
    ending = Path(name.lower().removesuffix(".gz")).suffix
    if ending == ".zst":
        raise UnreadableFile("packed by zstd: unpack it, or pack it by gzip")
    with plain_bytes(stream, name) as unpacked:
        text = unpacked if mapping.encoding == "utf-8" else Transcoded(unpacked, mapping.encoding)
        if ending in (".ndjson", ".jsonl", ".json"):
            yield from json_batches(text, partial(take_line, translator))
        else:
            take, check = partial(take_record, translator), partial(_check, translator)
            yield from csv_batches(text, CsvForm(take, check, mapping.delimiter, mapping.header, mapping.quotes))


def take_line(translator: Translator, batch: Batch, number: int, original: bytes) -> None:
    """Keeps what a line of JSON tells, or the line as a rejection."""
    if not is_utf8(original):
        batch.refuse(number, NOT_UTF8, original)
    elif (record := _record(original)) is None:
        batch.refuse(number, "a line must hold one JSON object", original)
    else:
        take_record(translator, batch, number, original, record)


def in_our_words(translator: Translator, line: bytes) -> list[bytes]:
    """The events that a line of JSON tells which keeps all rules, each as a line of the contract."""
    return [msgspec.json.encode(event) for event in translator.events(_record(line) or {})]


def people_of_line(translator: Translator, line: bytes) -> tuple[str, ...]:
    """Profile keys of those whom a line of JSON names in the shop's columns; none where it is no object."""
    return translator.people(_record(line) or {})


def take_record(translator: Translator, batch: Batch, number: int, original: bytes, record: Mapping[str, Any]) -> None:
    """Keeps what a record tells, or the record as a rejection."""
    try:
        events = translator.events(record)
    except LineBroken as broken:
        batch.refuse(number, str(broken), original, named=translator.people(record))
        return
    for event in events:
        batch.keep(event, number, original, b"")


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        decoded = _decode(line)
    except (ValueError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) else None


def _check(translator: Translator, names: list[str]) -> None:
    if absent := translator.absent(names):
        named = f"it has no column {' and no column '.join(absent)}, which the mapping names"
        raise UnreadableFile("; ".join([named, *_meant(absent, names)]))
    if repeated := sorted(name for name in translator.roots if names.count(name) > 1):
        raise UnreadableFile(f"it has several columns {' and several columns '.join(repeated)}")


def _meant(absent: list[str], names: list[str]) -> Iterator[str]:
    """What columns may be called that are not there."""
    import difflib

    near = [match for column in absent for match in difflib.get_close_matches(column, names, 1)]
    if near and all(map(str.isprintable, near)):
        yield f"did you mean {' and '.join(dict.fromkeys(near))}?"
