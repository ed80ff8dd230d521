"""Events that come one by one or by the handful, from queues and streams, rather than in files."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from shared.events import Chunk, Rules, read_lines
from shared.ingest import Intake
from shared.message_text import message_text
from shared.quarantine import Folder, Quarantine

LONGEST_EVENT_BYTES = 100_000
"""Of an event as JSON, so that it fits every queue on the way."""
MESSAGE_BYTES = 200_000
"""Bytes of events in one message of the queue, which takes 256 KB."""

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class Message:
    """What a queue or a stream delivers at once."""

    id: str
    """By which a batch's failures are reported; of a stream, the sequence number."""
    source: str
    """`bus`, `api`, `kinesis` or `kafka`."""
    lines: Sequence[bytes]
    """An event each, if all is well."""
    sent_ms: int = 0
    """When it was sent, UTC milliseconds: the same whenever it is delivered."""


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What was found in a message."""

    message: Message
    chunk: Chunk
    quarantined: int
    """Refused lines that are kept."""


def messages(event: Mapping[str, Any]) -> list[Message]:
    """The messages of an invocation by SQS, Kinesis or Kafka, in their order."""
    if "Records" in event:
        return [_queued(record) if "body" in record else _streamed(record) for record in event["Records"]]
    records = [record for partition in event["records"].values() for record in partition]
    # A Kafka record without a value marks a key as deleted: there is no event in it.
    return [_kafka(record) for record in records if record.get("value")]


def packed(events: Iterable[bytes]) -> Iterator[str]:
    """Bodies of messages for the queue that hold these events, each event whole."""
    body: list[str] = []
    size = 0
    for event in events:
        text = message_text(event.decode())
        bytes_more = len(text.encode())
        if body and size + bytes_more > MESSAGE_BYTES:
            yield _body(body)
            body, size = [], 0
        body.append(text)
        size += bytes_more
    if body:
        yield _body(body)


def take_in(message: Message, quarantine: Quarantine, rules: Rules, intake: Intake) -> TakenIn:
    """Hands the message's valid events to `intake`, and keeps the others in quarantine."""
    folder = folder_of(message, quarantine)
    chunk = read_lines(message.lines, rules)
    intake.add(chunk, refuse=lambda claims: folder.lines(claims, kind="claims"))
    if rejections := intake.keepable(chunk.rejections):
        folder.lines(rejections)
    return TakenIn(message, chunk, len(rejections))


def folder_of(message: Message, quarantine: Quarantine) -> Folder:
    """Where the message's refused events are kept; delivered again, they are written to the same place."""
    return quarantine.folder(f"live/{message.source}", message.id)


def _body(events: list[str]) -> str:
    return '{"source":"api","events":[' + ",".join(events) + "]}"


def _queued(record: Mapping[str, Any]) -> Message:
    body = record["body"].encode()
    source = "api" if body.startswith(b'{"source":"api",') else "bus"
    return Message(record["messageId"], source, _lines(body), int(record["attributes"]["SentTimestamp"]))


def _streamed(record: Mapping[str, Any]) -> Message:
    delivered = record["kinesis"]
    sent_ms = round(delivered["approximateArrivalTimestamp"] * 1_000)
    return Message(delivered["sequenceNumber"], "kinesis", _lines(base64.b64decode(delivered["data"])), sent_ms)


def _kafka(record: Mapping[str, Any]) -> Message:
    place = f"{record['topic']}-{record['partition']}-{record['offset']}"
    return Message(place, "kafka", _lines(base64.b64decode(record["value"])), int(record["timestamp"]))


def _lines(body: bytes) -> list[bytes]:
    """The events in a message: one, a list of them, an object with a list `events`, what a bus puts around any of
    these, or lines. What is none of it stays one line, which is then refused."""
    with suppress(ValueError, RecursionError):
        return [bytes(event) for event in _decode_list(body)]
    with suppress(ValueError, RecursionError):
        found = _decode_object(body)
        if "detail-type" in found and "detail" in found:
            return _lines(bytes(found["detail"]))
        if "events" in found and "event_type" not in found:
            return [bytes(event) for event in _decode_list(found["events"])]
        return [body]
    return [line for line in body.splitlines() if line.strip()] or [body]
