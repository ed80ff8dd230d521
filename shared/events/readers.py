"""Event files of text, gzipped or not, as batches of parsed lines, in bounded memory."""

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any, Protocol, cast

import msgspec

from shared.events.dialects import LineBroken, dialect_of, translate
from shared.events.event import FIELDS, Event, explain
from shared.keys import customer_key, visitor_key

BATCH_LINES = 50_000
_LONGEST_LINE = 2**20
_BLOCK = 2**20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class ByteStream(Protocol):
    """All that is asked of a source: its next bytes."""

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes; none at the end."""
        ...


class UnreadableFile(ValueError):
    """The file as a whole cannot be read; the message says why. Lines read before it have been handed out."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A line that breaks a rule: kept with its reason, never counted."""

    line: int
    """From 1; in Parquet, the row."""
    reason: str
    original: bytes
    """The line's bytes as they came; of Parquet, the row as JSON."""
    people: tuple[str, ...] = ()
    """Profile keys of those it names; none where it is too broken to tell."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The events of up to BATCH_LINES lines with where they came from, and the lines that could not be parsed."""

    events: list[Event] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    originals: list[bytes] = field(default_factory=list)
    extras: list[bytes] = field(default_factory=list)
    """Of events without an id, the fields beyond the contract's: they tell apart events that are equal otherwise."""
    rejections: list[Rejection] = field(default_factory=list)

    def add(self, line: int, original: bytes, raw: dict[str, Any], *, strict: bool) -> None:
        """Parse one record of named values; where it breaks a rule, keep it as a rejection."""
        try:
            event = msgspec.convert(raw, Event, strict=strict)
        except msgspec.ValidationError as error:
            self._add_translated(line, original, raw, error)
        else:
            self._keep(event, line, original, b"" if event.event_id else _extras(raw))

    def add_json(self, line: int, original: bytes) -> None:
        """Parse one line of JSON; where it breaks a rule, keep it as a rejection."""
        try:
            event = _decode_event(original)
            extras = b"" if event.event_id else _extras(_decode_any(original))
        except (ValueError, RecursionError) as error:
            self._add_translated(line, original, _object(original), error)
        else:
            self._keep(event, line, original, extras)

    def _add_translated(self, line: int, original: bytes, raw: dict[str, Any] | None, error: Exception) -> None:
        """Keep what a record tells in a known dialect; in no dialect, it is refused for `error`."""
        try:
            events = translate(raw or {})
        except (LineBroken, RecursionError) as broken:
            self.rejections.append(Rejection(line, str(broken), original, people(raw)))
            return
        for event in events:
            self._keep(event, line, original, b"")
        if not events:
            self.rejections.append(Rejection(line, explain(error, raw), original, people(raw)))

    def _keep(self, event: Event, line: int, original: bytes, extras: bytes) -> None:
        self.events.append(event)
        self.lines.append(line)
        self.originals.append(original)
        self.extras.append(extras)


def people(raw: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Profile keys of those whom a record names, in the contract's words or a dialect's, however broken it is."""
    named = [(key, (raw or {}).get(name)) for name, key in _PEOPLE.items()]
    return tuple(dict.fromkeys(key(str(value)) for key, value in named if isinstance(value, str | int) and value))


def people_of(line: bytes) -> tuple[str, ...]:
    """Profile keys of those whom a line of JSON names, as `people` finds them; none where it is no object."""
    try:
        return people({name: getattr(_decode_people(line), name) for name in _PEOPLE})
    except (ValueError, RecursionError):
        return ()


_PEOPLE: Mapping[str, Callable[[str], str]] = {
    **dict.fromkeys(("customer_id", "userId", "user_id"), customer_key),
    **dict.fromkeys(("anonymous_id", "previousId", "anonymousId", "user_pseudo_id"), visitor_key),
}
_decode_people = msgspec.json.Decoder(msgspec.defstruct("People", [(name, Any, None) for name in _PEOPLE])).decode
_decode_event = msgspec.json.Decoder(Event).decode
_decode_any = msgspec.json.Decoder().decode


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        decoded = _decode_any(line)
    except (ValueError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) else None


def _extras(raw: dict[str, Any]) -> bytes:
    extras = {name: value for name, value in raw.items() if name not in FIELDS and value is not None}
    return msgspec.json.encode(extras, order="deterministic") if extras else b""


def read_batches(stream: ByteStream, name: str) -> Iterator[Batch]:
    """The lines of the file `name` whose bytes are `stream`. Raises UnreadableFile."""
    plain = name.lower().removesuffix(".gz")
    read = _READERS.get(Path(plain).suffix)
    if read is None:
        raise UnreadableFile(f"the name must end in .ndjson, .jsonl, .csv (each also with .gz) or .parquet: {name}")
    if plain == name.lower():
        yield from read(stream)
        return
    try:
        with gzip.GzipFile(fileobj=cast(IO[bytes], stream)) as unzipped:
            yield from read(unzipped)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise UnreadableFile(f"not a whole gzip file: {error}") from error


def _json_batches(stream: ByteStream) -> Iterator[Batch]:
    for numbered in _batched(_lines(stream)):
        batch = Batch()
        for number, line in numbered:
            if line and not line.isspace():
                batch.add_json(number, line)
        yield batch


def _csv_batches(stream: ByteStream) -> Iterator[Batch]:
    taken: list[bytes] = []

    def text() -> Iterator[str]:
        for _, line in _lines(stream):
            taken.append(line)
            yield line.decode(errors="surrogateescape") + "\n"

    records = csv.reader(text(), strict=True)
    header = _csv_header(next(records, []))
    taken.clear()
    while True:
        batch = Batch()
        for _ in range(BATCH_LINES):
            number = records.line_num + 1
            try:
                values = next(records)
            except StopIteration:
                yield batch
                return
            except csv.Error as error:
                batch.rejections.append(Rejection(number, f"not valid CSV: {error}", b"\n".join(taken)))
            else:
                _add_csv(batch, number, b"\n".join(taken), header, values)
            taken.clear()
        yield batch


def _csv_header(names: list[str]) -> list[str]:
    missing = [name for name in ("event_type", "timestamp") if name not in names]
    if missing and dialect_of(names) is None:
        raise UnreadableFile(f"the CSV header has no column {' and no column '.join(missing)}: it reads {names[:30]}")
    if repeated := {name for name in names if names.count(name) > 1}:
        raise UnreadableFile(f"the CSV header names {', '.join(sorted(repeated))} more than once")
    return names


def _add_csv(batch: Batch, number: int, original: bytes, header: list[str], values: list[str]) -> None:
    if not values:
        return
    if len(values) != len(header):
        reason = f"{len(values)} values where the header names {len(header)} columns"
        batch.rejections.append(Rejection(number, reason, original))
    elif not "".join(values).isprintable() and not _is_utf8(original):
        batch.rejections.append(Rejection(number, "not valid UTF-8", original))
    else:
        named = zip(header, values, strict=True)
        batch.add(number, original, {name: value for name, value in named if value}, strict=False)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


_READERS: dict[str, Callable[[ByteStream], Iterator[Batch]]] = {
    ".ndjson": _json_batches,
    ".jsonl": _json_batches,
    ".csv": _csv_batches,
}


def _lines(stream: ByteStream) -> Iterator[tuple[int, bytes]]:
    """Lines from 1 without their line ends, in blocks rather than one read a line; never more than one held."""
    read, rest = 0, stream.read(len(_BYTE_ORDER_MARK)).removeprefix(_BYTE_ORDER_MARK)
    while block := stream.read(_BLOCK):
        *whole, rest = (rest + block).split(b"\n")
        yield from enumerate(whole, read + 1)
        read += len(whole)
        if len(rest) > _LONGEST_LINE:
            raise UnreadableFile(f"line {read + 1} is longer than {_LONGEST_LINE:,} bytes")
    if rest:
        yield read + 1, rest


def _batched(lines: Iterator[tuple[int, bytes]]) -> Iterator[Sequence[tuple[int, bytes]]]:
    while batch := list(islice(lines, BATCH_LINES)):
        yield batch
