"""Lines as events, or as rejections with their reasons, in batches of bounded size."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from shared.events.dialects import PEOPLE, LineBroken, translate
from shared.events.dialects.dialect import from_text, value_at
from shared.events.event import BESIDE, FIELDS, Event, explain, first_broken
from shared.events.streams import LONGEST_LINE

BATCH_LINES = 50_000
BATCH_BYTES = 8 * 2**20
"""Of lines held at once: what is made of them takes many times as much."""
_KEPT_BYTES = 10_000
"""Of a line that is too long: an object of quarantine has a place for many."""
_TOO_LONG = f"longer than {LONGEST_LINE:,} bytes, of which the beginning is kept"
NOT_UTF8 = "not valid UTF-8"


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

    def refuse(
        self,
        line: int,
        reason: str,
        original: bytes,
        raw: Mapping[str, Any] | None = None,
        named: tuple[str, ...] = (),
    ) -> None:
        """Keep a line as a rejection; `raw` is what is known of its values, `named` whom it names, by profile keys."""
        self.held += len(original)
        self.rejections.append(Rejection(line, reason, original, named or people(raw)))

    def refuse_long(self, line: int, original: bytes, raw: Mapping[str, Any] | None = None) -> None:
        """Keep the beginning of a line that has more than LONGEST_LINE bytes."""
        self.refuse(line, _TOO_LONG, original[:_KEPT_BYTES], raw)

    def add(self, line: int, original: bytes, raw: dict[str, Any], *, strict: bool) -> None:
        """Parse one record of named values; where it breaks a rule, keep it as a rejection."""
        if isinstance(raw.get("attributes"), str):  # as tables have objects
            raw = {**raw, "attributes": from_text(raw["attributes"])}
        try:
            event = msgspec.convert(raw, Event, strict=strict)
        except msgspec.ValidationError as error:
            self._add_translated(line, original, raw, first_broken(raw, strict=strict) or error)
        else:
            self.keep(event, line, original, b"" if event.event_id else _extras(raw))

    def add_json(self, line: int, original: bytes) -> None:
        """Parse one line of JSON; where it breaks a rule, keep it as a rejection."""
        if not is_utf8(original):
            self.refuse(line, NOT_UTF8, original)
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


_TOLD = {*FIELDS}.difference(BESIDE)
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
    extras = {name: _as_text(value) for name, value in raw.items() if name not in _TOLD and value is not None}
    if isinstance(known := extras.get("attributes"), dict):  # columns of objects have a place for every name
        extras["attributes"] = {name: value for name, value in known.items() if value is not None}
        extras = {name: value for name, value in extras.items() if value or name != "attributes"}
    return msgspec.json.encode(extras, order="deterministic") if extras else b""


def content_of(raw: Mapping[str, Any]) -> bytes:
    """All that a record says, the same in whatever format and order it says it."""
    filled = {name: _as_text(value) for name, value in raw.items() if value not in (None, "")}
    return msgspec.json.encode(filled, order="deterministic")


def _as_text(value: Any) -> Any:
    """A number or a truth value as a table of texts has it, so that a record is the same in every format."""
    return str(value).lower() if isinstance(value, bool | int | float) else value


def is_utf8(line: bytes) -> bool:
    """Whether the bytes are text."""
    if line.isascii():
        return True
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
