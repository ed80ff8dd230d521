"""Events that come one by one or by the handful, from queues and streams, rather than in files."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from shared.aws.message_text import message_text
from shared.events import Chunk, Rejection, Rules, people_of, read_lines
from shared.intake.gathering import Intake, Source
from shared.intake.quarantine import Folder, Quarantine
from shared.telemetry.errors import AnonymousError

if TYPE_CHECKING:
    from shared.events.translator import Translator

NO_MAPPING = "the mapping that it names is none of the bucket's, or cannot be used"
LONGEST_EVENT_BYTES = 100_000
"""Of an event as JSON, so that it fits every queue on the way."""
MESSAGE_BYTES = 200_000
"""Bytes of events in one message of the queue, which takes 256 KB."""

MOST_EVENTS = 10_000
"""In one message: an event takes far more memory than the two bytes of JSON that may stand for one."""
LATEST_MS = 4_102_444_800_000
"""The year 2100, UTC milliseconds."""

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


class NoBatch(AnonymousError):
    """The invocation brings nothing that could be messages."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a queue or a stream delivers at once, or a part of it."""

    id: str
    """Of a stream, the sequence number; of Kafka, the place in its topic."""
    source: str
    """`bus`, `api`, `kinesis` or `kafka`; `unknown` where it comes as none of them would."""
    lines: Sequence[bytes]
    """An event each, if all is well."""
    sent_ms: int = 0
    """When it was sent, UTC milliseconds: the same whenever it is delivered."""
    first: int = 1
    """The number of its first line."""
    part: str = ""
    """Which part it is; empty for all of it."""
    problem: str = ""
    """Why none of it is taken, be its lines what they may."""
    mapping: str = ""
    """The name of the mapping by which its lines are read; empty for the contract's columns."""
    translator: Translator | None = None
    """What that mapping says."""

    def read_by(self, mapping: Callable[[str], Translator | None]) -> Message:
        """The message with the mapping that it names, as it is known by its name; whole where there is none."""
        if not self.mapping:
            return self
        if translator := mapping(self.mapping):
            return replace(self, translator=translator)
        return replace(self, lines=[_enveloped(self.lines, mapping=self.mapping)], mapping="", problem=NO_MAPPING)

    def read(self, rules: Rules) -> Chunk:
        """What is counted of it, and what is refused."""
        return read_lines(self.lines, rules, self.first, self.translator)

    def people_of(self, line: bytes) -> tuple[str, ...]:
        """Profile keys of those whom one of its lines names."""
        if self.translator is None:
            return people_of(line)
        from shared.events.mapped import people_of_line

        return people_of_line(self.translator, line)

    def halves(self) -> tuple[Message, Message]:
        """Two parts of it, of one line or more each."""
        middle = len(self.lines) // 2
        return self._slice(0, middle), self._slice(middle, len(self.lines))

    def _slice(self, begin: int, end: int) -> Message:
        first = self.first + begin
        last = self.first + end - 1
        return replace(self, lines=self.lines[begin:end], first=first, part=f" {first}-{last}")


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What was found in a message."""

    message: Message
    chunk: Chunk
    quarantined: int
    """Refused lines that are kept."""

    def valid(self) -> Iterator[bytes]:
        """Its lines that count, in the contract's columns: what a mapping says may change, and these do not."""
        refused = {rejection.line for rejection in self.chunk.rejections}
        lines = (line for number, line in enumerate(self.message.lines, self.message.first) if number not in refused)
        if self.message.translator is None:
            yield from lines
            return
        from shared.events.mapped import in_our_words

        for line in lines:
            yield from in_our_words(self.message.translator, line)


def messages(event: Mapping[str, Any]) -> list[Message]:
    """The messages of an invocation by SQS, Kinesis or Kafka, in their order. Raises NoBatch."""
    match event:
        case {"Records": [*records]}:
            return [_message(record) for record in records]
        case {"records": dict(partitions)}:
            # A Kafka record without a value marks a key as deleted: there is no event in it.
            delivered = (record for partition in partitions.values() for record in partition)
            return [_message(record) for record in delivered if not isinstance(record, dict) or record.get("value")]
        case _:
            raise NoBatch("this is no batch of SQS, Kinesis or Kafka")


def packed(events: Iterable[bytes], mapping: str = "") -> Iterator[str]:
    """Bodies of messages for the queue that hold these events, each event whole, to be read by the `mapping`."""
    body: list[str] = []
    size = 0
    for event in events:
        text = message_text(event.decode())
        bytes_more = len(text.encode())
        if body and size + bytes_more > MESSAGE_BYTES:
            yield _body(body, mapping)
            body = []
            size = 0
        body.append(text)
        size += bytes_more
    if body:
        yield _body(body, mapping)


def can_fail_alone(messages: Iterable[str], event: Mapping[str, Any]) -> bool:
    """Whether the source of an invocation can be told of each of these messages, by its id, that it failed."""
    records = event.get("Records") or ()
    return {_message(record).id for record in records}.issuperset(messages)


def take_in(message: Message, quarantine: Quarantine, rules: Rules, intake: Intake) -> TakenIn:
    """Hands the message's valid events to `intake`, and keeps the others in quarantine."""
    folder = folder_of(message, quarantine)
    chunk = message.read(rules)
    if message.problem:
        chunk = replace(read_lines([], rules), rejections=refusals(message, message.problem))
    source = Source(
        message.id,
        lambda unwritten: message.read(replace(rules, unwritten=unwritten)).unwritten,
        keep=partial(folder.lines, kind="unwritten"),
    )
    intake.add(chunk, partial(folder.lines, kind="claims"), source)
    if rejections := intake.keepable(chunk.rejections):
        folder.lines(rejections)
    return TakenIn(message, chunk, len(rejections))


def refusals(message: Message, reason: str) -> list[Rejection]:
    """All lines of a message, refused for one reason."""
    return [
        Rejection(number, reason, line, message.people_of(line))
        for number, line in enumerate(message.lines, message.first)
    ]


def folder_of(message: Message, quarantine: Quarantine) -> Folder:
    """Where the message's refused events are kept; delivered again, they are written to the same place."""
    return quarantine.folder(f"live/{message.source}", message.id)


def _body(events: list[str], mapping: str) -> str:
    # A name may hold what the queue does not take, as events may.
    named = f'"mapping":{message_text(json.dumps(mapping))},' if mapping else ""
    return f'{{"source":"api",{named}"events":[{",".join(events)}]}}'


def _enveloped(lines: Sequence[bytes], mapping: str) -> bytes:
    return b'{"mapping":' + json.dumps(mapping).encode() + b',"events":[' + b",".join(lines) + b"]}"


def _message(record: Any) -> Message:
    try:
        if "body" in record:
            return _queued(record)
        return _streamed(record) if "kinesis" in record else _kafka(record)
    except (KeyError, TypeError, ValueError, AttributeError):
        # No service of AWS sends such a record; it is kept as it came.
        body = json.dumps(record, default=repr).encode()
        problem = "the record is none that a queue or a stream has"
        return Message(hashlib.sha256(body).hexdigest(), "unknown", [body], problem=problem)


def _queued(record: Mapping[str, Any]) -> Message:
    body = record["body"].encode(errors="surrogatepass")
    source = "api" if body.startswith(b'{"source":"api",') else "bus"
    return _holding(body, record["messageId"], source, int(record["attributes"]["SentTimestamp"]))


def _streamed(record: Mapping[str, Any]) -> Message:
    delivered = record["kinesis"]
    sent_ms = round(delivered["approximateArrivalTimestamp"] * 1_000)
    return _holding(base64.b64decode(delivered["data"], validate=True), delivered["sequenceNumber"], "kinesis", sent_ms)


def _kafka(record: Mapping[str, Any]) -> Message:
    place = f"{record['topic']}-{record['partition']}-{record['offset']}"
    return _holding(base64.b64decode(record["value"], validate=True), place, "kafka", int(record["timestamp"]))


def _holding(body: bytes, message_id: str, source: str, sent_ms: int) -> Message:
    if not isinstance(message_id, str):
        raise TypeError
    # Kafka takes whatever time a producer says.
    sent_ms = sent_ms if 0 <= sent_ms < LATEST_MS else 0
    mapping, lines = _lines(_detail(body))
    if len(lines) <= MOST_EVENTS:
        return Message(message_id, source, lines, sent_ms, mapping=mapping)
    problem = f"a message may hold {MOST_EVENTS:,} events, not {len(lines):,}"
    return Message(message_id, source, [body], sent_ms, problem=problem)


def _detail(body: bytes) -> bytes:
    """What a bus has put its own words around; anything else as it is."""
    with suppress(ValueError, RecursionError):
        envelope = _decode_object(body)
        if "detail-type" in envelope and "detail" in envelope:
            return bytes(envelope["detail"])
    return body


def _lines(body: bytes) -> tuple[str, list[bytes]]:
    """The events in a message: one, a list of them, an object with a list `events`, or lines; before them the name of
    the mapping that stands beside such a list. What is none of it stays one line, which is then refused."""
    with suppress(ValueError, RecursionError):
        return "", [bytes(event) for event in _decode_list(body)]
    with suppress(ValueError, RecursionError):
        fields = _decode_object(body)
        if "events" in fields and "event_type" not in fields:
            return _name(fields.get("mapping")), [bytes(event) for event in _decode_list(fields["events"])]
        return "", [body]
    return "", [line for line in body.splitlines() if line.strip()] or [body]


def _name(mapping: msgspec.Raw | None) -> str:
    """What is no text is the name of none."""
    named = None if mapping is None else msgspec.json.decode(mapping)
    return named if isinstance(named, str) else "" if named is None else "no name"
