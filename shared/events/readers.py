"""Event files of text, gzipped or not, as batches of parsed lines, in bounded memory."""

import csv
import gzip
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol, cast

import msgspec

from shared.events.dialects import PEOPLE, LineBroken, dialect_of, translate
from shared.events.dialects.dialect import value_at
from shared.events.event import FIELDS, Event, explain, first_broken

BATCH_LINES = 50_000
BATCH_BYTES = 8 * 2**20
"""Of lines held at once: what is made of them takes many times as much."""
LONGEST_LINE = 2**20
"""Bytes of a line of text, of a record of CSV, or of the values in a row of Parquet."""
MOST_COLUMNS = 1_000
"""Of a table: beyond any shop's, and few enough for a statement that names them all."""
BLOCK = 2**20
_KEPT_BYTES = 10_000
"""Of a line that is too long: an object of quarantine has a place for many."""
MOST_EXPANDED = 2**28
LARGEST_EXPANSION = 200
"""How many times its size a packed file may hold, beyond MOST_EXPANDED bytes; event files have some 10 to 30."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_TOO_LONG = f"longer than {LONGEST_LINE:,} bytes, of which the beginning is kept"
_NOT_UTF8 = "not valid UTF-8"
csv.field_size_limit(LONGEST_LINE)


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


@dataclass(slots=True)
class Batch:
    """The events of some lines with where they came from, and the lines that could not be parsed."""

    events: list[Event] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    originals: list[bytes] = field(default_factory=list)
    extras: list[bytes] = field(default_factory=list)
    """Of events without an id, the fields beyond the contract's: they tell apart events that are equal otherwise."""
    rejections: list[Rejection] = field(default_factory=list)
    held: int = 0
    """Bytes of all these lines."""

    @property
    def is_full(self) -> bool:
        """Whether what follows belongs into another batch."""
        return len(self.events) + len(self.rejections) >= BATCH_LINES or self.held >= BATCH_BYTES

    def refuse(self, line: int, reason: str, original: bytes, raw: Mapping[str, Any] | None = None) -> None:
        """Keep a line as a rejection; `raw` is what is known of its values."""
        self.held += len(original)
        self.rejections.append(Rejection(line, reason, original, people(raw)))

    def refuse_long(self, line: int, original: bytes, raw: Mapping[str, Any] | None = None) -> None:
        """Keep the beginning of a line that has more than LONGEST_LINE bytes."""
        self.refuse(line, _TOO_LONG, original[:_KEPT_BYTES], raw)

    def add(self, line: int, original: bytes, raw: dict[str, Any], *, strict: bool) -> None:
        """Parse one record of named values; where it breaks a rule, keep it as a rejection."""
        try:
            event = msgspec.convert(raw, Event, strict=strict)
        except msgspec.ValidationError as error:
            self._add_translated(line, original, raw, first_broken(raw, strict=strict) or error)
        else:
            self.keep(event, line, original, b"" if event.event_id else _extras(raw))

    def add_json(self, line: int, original: bytes) -> None:
        """Parse one line of JSON; where it breaks a rule, keep it as a rejection."""
        if not _is_utf8(original):
            self.refuse(line, _NOT_UTF8, original)
            return
        try:
            event = _decode_event(original)
            extras = b"" if event.event_id else _extras(_decode_any(original))
        except (ValueError, RecursionError) as error:
            raw = _object(original)
            self._add_translated(line, original, raw, (raw and first_broken(raw)) or error)
        else:
            self.keep(event, line, original, extras)

    def _add_translated(self, line: int, original: bytes, raw: dict[str, Any] | None, error: Exception) -> None:
        """Keep what a record tells in a known dialect; in no dialect, it is refused for `error`."""
        try:
            events = translate(raw or {})
        except (LineBroken, RecursionError) as broken:
            self.refuse(line, str(broken), original, raw)
            return
        for event in events:
            self.keep(event, line, original, b"")
        if not events:
            self.refuse(line, explain(error, raw), original, raw)

    def keep(self, event: Event, line: int, original: bytes, extras: bytes) -> None:
        """Take in an event that is valid; `extras` tell it apart where it has no id."""
        if not self.lines or self.lines[-1] != line:
            self.held += len(original)
        self.events.append(event)
        self.lines.append(line)
        self.originals.append(original)
        self.extras.append(extras)


def people(raw: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Profile keys of those whom a record names, in the contract's words or a dialect's, however broken it is."""
    named = [(key, value_at(raw or {}, path)) for path, key in PEOPLE.items()]
    return tuple(dict.fromkeys(key(str(value)) for key, value in named if isinstance(value, str | int) and value))


def people_of(line: bytes) -> tuple[str, ...]:
    """Profile keys of those whom a line of JSON names, as `people` finds them; none where it is no object."""
    try:
        return people(msgspec.structs.asdict(_decode_people(line)))
    except (ValueError, RecursionError):
        return ()


_NAMING = dict.fromkeys(path.partition(".")[0] for path in PEOPLE)
_decode_people = msgspec.json.Decoder(msgspec.defstruct("People", [(name, Any, None) for name in _NAMING])).decode
_decode_event = msgspec.json.Decoder(Event).decode
_decode_any = msgspec.json.Decoder().decode


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        decoded = _decode_any(line)
    except (ValueError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) else None


def _extras(raw: dict[str, Any]) -> bytes:
    extras = {name: _as_text(value) for name, value in raw.items() if name not in FIELDS and value is not None}
    return msgspec.json.encode(extras, order="deterministic") if extras else b""


def _as_text(value: Any) -> Any:
    """A number or a truth value as a table of texts has it, so that a record is the same in every format."""
    return str(value).lower() if isinstance(value, bool | int | float) else value


def read_batches(stream: ByteStream, name: str) -> Iterator[Batch]:
    """The lines of the file `name` whose bytes are `stream`. Raises UnreadableFile."""
    read = _READERS.get(Path(name.lower().removesuffix(".gz")).suffix)
    if read is None:
        raise UnreadableFile("the name must end in .ndjson, .jsonl, .csv (each also with .gz) or .parquet")
    with plain_bytes(stream, name) as plain:
        yield from read(plain)


@contextmanager
def plain_bytes(stream: ByteStream, name: str) -> Iterator[ByteStream]:
    """What `stream`, the file of this name, holds, unpacked where it is packed. Raises UnreadableFile."""
    if not name.lower().endswith(".gz"):
        yield stream
        return
    packed = _Counted(stream)
    try:
        with gzip.GzipFile(fileobj=cast(IO[bytes], packed)) as unzipped:
            yield _Unzipped(unzipped, packed)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise UnreadableFile("not a whole gzip file") from error


class _Counted:
    """A stream that knows how many bytes were read of it."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self.count = 0

    def read(self, size: int = -1, /) -> bytes:
        block = self._stream.read(size)
        self.count += len(block)
        return block


class _Unzipped(_Counted):
    """What a gzip file expands to, as long as that is in proportion to the file."""

    def __init__(self, unzipped: ByteStream, packed: _Counted) -> None:
        super().__init__(unzipped)
        self._packed = packed

    def read(self, size: int = -1, /) -> bytes:
        if self.count > max(MOST_EXPANDED, LARGEST_EXPANSION * self._packed.count):
            raise UnreadableFile(f"a gzip file may expand {LARGEST_EXPANSION}-fold, and this one expands further")
        return super().read(size)


def _json_batches(stream: ByteStream) -> Iterator[Batch]:
    batch = Batch()
    for number, line in _lines(stream):
        if not line or line.isspace():
            continue
        if len(line) > LONGEST_LINE:
            batch.refuse_long(number, line)
        else:
            batch.add_json(number, line)
        if batch.is_full:
            yield batch
            batch = Batch()
    yield batch


class _LongRecord(ValueError):
    """A record of CSV has more than LONGEST_LINE bytes so far."""


class _CsvText:
    """Lines for Python's reader, and the bytes that it took for the record it is at."""

    def __init__(self, stream: ByteStream) -> None:
        self._lines = _lines(stream)
        self._taken: list[bytes] = []
        self._size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        _, line = next(self._lines)
        self._taken.append(line)
        self._size += len(line) + 1
        if self._size > LONGEST_LINE + 1:
            raise _LongRecord
        return line.decode(errors="surrogateescape") + "\n"

    def record(self) -> tuple[int, bytes]:
        """How many lines were taken since the last call, and these."""
        count, record = len(self._taken), b"\n".join(self._taken)
        self._taken.clear()
        self._size = 0
        return count, record


def _csv_batches(stream: ByteStream) -> Iterator[Batch]:
    text = _CsvText(stream)
    records = csv.reader(text, strict=True)
    header = _csv_header(records)
    number, batch = 1 + text.record()[0], Batch()
    while True:
        broken, values = None, []
        try:
            values = next(records)
        except StopIteration:
            break
        except (csv.Error, _LongRecord) as error:
            broken = error
        count, original = text.record()
        if isinstance(broken, _LongRecord):
            batch.refuse_long(number, original)
        elif broken:
            batch.refuse(number, f"not valid CSV: {broken}", original)
        else:
            _add_csv(batch, number, original, header, values)
        number += count
        if batch.is_full:
            yield batch
            batch = Batch()
    yield batch


def _csv_header(records: Iterator[list[str]]) -> list[str]:
    try:
        names = next(records, [])
    except csv.Error as error:
        raise UnreadableFile(
            "the CSV header is not valid CSV: lines end in \\n or \\r\\n, and quotes are closed"
        ) from error
    except _LongRecord as error:
        raise UnreadableFile(f"the CSV header is longer than {LONGEST_LINE:,} bytes") from error
    if len(names) > MOST_COLUMNS:
        raise UnreadableFile(f"the CSV header names {len(names):,} columns, more than {MOST_COLUMNS:,}")
    if not _is_utf8("".join(names).encode(errors="surrogateescape")):
        raise UnreadableFile("the CSV header is not valid UTF-8")
    check_names(names, "the CSV header")
    return names


def check_names(names: Sequence[str], table: str = "it") -> None:
    """Raises UnreadableFile where columns of these names cannot hold events; the names themselves may be anybody's."""
    missing = [name for name in ("event_type", "timestamp") if name not in names]
    if missing and dialect_of(names) is None:
        known = [name for name in FIELDS if name in names]
        found = f"{len(names):,} column{'s' * (len(names) != 1)}, of the contract's {', '.join(known) or 'none'}"
        split = next((what for mark, what in _SEPARATORS.items() if len(names) == 1 and mark in names[0]), None)
        hint = f"; {split} separate values where commas must" if split else ""
        raise UnreadableFile(f"{table} has no column {' and no column '.join(missing)}, but {found}{hint}")
    if repeated := sorted(name for name, count in Counter(names).items() if count > 1):
        known = [name for name in repeated if name in FIELDS]
        others = len(repeated) - len(known)
        told = [*known, *([f"{others:,} other column{'s' * (others != 1)}"] if others else [])]
        raise UnreadableFile(f"{table} names {', '.join(told)} more than once")


_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def _add_csv(batch: Batch, number: int, original: bytes, header: list[str], values: list[str]) -> None:
    if not values:
        return
    if not "".join(values).isprintable() and not _is_utf8(original):
        batch.refuse(number, _NOT_UTF8, original)
    elif len(values) != len(header):
        batch.refuse(number, f"{len(values)} values where the header names {len(header)} columns", original)
    else:
        named = zip(header, values, strict=True)
        batch.add(number, original, {name: value for name, value in named if value}, strict=False)


def _is_utf8(line: bytes) -> bool:
    if line.isascii():
        return True
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
    """Lines from 1 without their line ends; of one longer than LONGEST_LINE only a beginning that is longer too."""
    read, rest = 0, stream.read(len(_BYTE_ORDER_MARK)).removeprefix(_BYTE_ORDER_MARK)
    while block := stream.read(BLOCK):
        *whole, rest = (rest + block).split(b"\n")
        yield from enumerate(whole, read + 1)
        read += len(whole)
        rest = rest[: LONGEST_LINE + 1]
    if rest:
        yield read + 1, rest
