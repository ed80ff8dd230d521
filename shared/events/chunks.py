"""Consecutive lines of a file as what is counted of them, and what is said beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import msgspec
from xxhash import xxh3_64_intdigest

from shared.events.batches import Batch, Rejection
from shared.events.columns import FINGERPRINT_MASK, concatenated, product_ids, to_columns
from shared.events.event import BESIDE, Event
from shared.events.judging import (
    RuleBroken,
    Rules,
    check_exposure,
    known_by,
    net_of,
    people_of_event,
    profile_key,
    time_ms_of,
)
from shared.events.texts import Texts
from shared.features.columns import EventColumns
from shared.identity.consents import Consent
from shared.identity.keys import visitor_key
from shared.identity.links import Claim


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some consecutive lines of a file: the valid ones as columns, the others with their reasons."""

    events: EventColumns
    rejections: list[Rejection]
    claims: list[Claim]
    """What events with both ids say of who is who: one for each visitor and customer, the earliest."""
    consents: list[Consent] = field(default_factory=list)
    """What events say of who agrees to be profiled."""
    unwritten: list[Rejection] = field(default_factory=list)
    """Lines that the rules ask for once more."""


class _Valid(NamedTuple):
    """An event that keeps every rule, and the line that tells of it."""

    event: Event
    time_ms: int
    net: int
    key: str
    """Of the profile that it belongs to."""
    known: Mapping[str, str]
    """What it says of its customer."""
    line: int
    original: bytes
    extras: bytes


def to_chunk(batch: Batch, rules: Rules) -> Chunk:
    """What is counted of the batch's lines. A line that tells of several events is counted or refused whole."""
    valid, rejections = _judged(batch, rules)
    columns = to_columns(
        [each.event for each in valid],
        [each.key for each in valid],
        [each.time_ms for each in valid],
        [each.net for each in valid],
        [each.known for each in valid],
        rules.own_types,
    )
    products = Texts.of([each.event.product_id or "" for each in valid] if rules.product_ids else [])
    columns = replace(columns, product_ids=product_ids(products, rules))
    nameless = [i for i, each in enumerate(valid) if not each.event.event_id]
    columns.rows.fingerprint[nameless] = [_content_fingerprint(valid[i]) for i in nameless]
    return Chunk(columns, rejections, _claims(valid), _consents(valid), _unwritten(valid, columns, rules))


def joined(chunks: list[Chunk]) -> Chunk:
    """Chunks as one."""
    return Chunk(
        concatenated([chunk.events for chunk in chunks]),
        [rejection for chunk in chunks for rejection in chunk.rejections],
        [claim for chunk in chunks for claim in chunk.claims],
        [consent for chunk in chunks for consent in chunk.consents],
        [line for chunk in chunks for line in chunk.unwritten],
    )


def _judged(batch: Batch, rules: Rules) -> tuple[list[_Valid], list[Rejection]]:
    """The events that count, and the lines that do not, in their order."""
    refused = {rejection.line: rejection for rejection in batch.rejections}
    valid: list[_Valid] = []
    for event, line, original, extras in zip(batch.events, batch.lines, batch.originals, batch.extras, strict=True):
        try:
            check_exposure(event)
            judged = time_ms_of(event, rules), net_of(event, rules), profile_key(event), known_by(event)
        except RuleBroken as error:
            refused[line] = Rejection(line, str(error), original, people_of_event(event))
        else:
            valid.append(_Valid(event, *judged, line, original, extras))
    rejections = sorted(refused.values(), key=lambda rejection: rejection.line)
    return [each for each in valid if each.line not in refused] if refused else valid, rejections


def _claims(valid: Sequence[_Valid]) -> list[Claim]:
    """What events with both ids say of who is who: of those that say the same, the earliest."""
    claims: dict[tuple[str, str], Claim] = {}
    for each in valid:
        if each.event.anonymous_id is None or each.event.customer_id is None:
            continue
        pair = (visitor_key(each.event.anonymous_id), each.key)
        if pair not in claims or each.time_ms < claims[pair].time_ms:
            claims[pair] = Claim(*pair, each.time_ms, each.line, each.original)
    return list(claims.values())


def _consents(valid: Sequence[_Valid]) -> list[Consent]:
    return [
        Consent(person, each.time_ms, each.event.consent)
        for each in valid
        if each.event.consent is not None
        for person in people_of_event(each.event)
    ]


def _unwritten(valid: Sequence[_Valid], columns: EventColumns, rules: Rules) -> list[Rejection]:
    """The lines that the rules ask for once more, each once."""
    if not rules.unwritten:
        return []
    lines: dict[int, Rejection] = {}
    for each, fingerprint in zip(valid, columns.rows.fingerprint.tolist(), strict=True):
        why = rules.unwritten.get(each.key)
        if why and not why.keeps(fingerprint, each.time_ms):
            lines[each.line] = Rejection(each.line, why.reason, each.original, people_of_event(each.event))
    return list(lines.values())


def _content_fingerprint(nameless: _Valid) -> int:
    """What stands for an event without an id: the hash of all that it says."""
    # Those are among the extras.
    event = msgspec.structs.replace(nameless.event, timestamp=nameless.time_ms, **dict.fromkeys(BESIDE))
    whole = msgspec.json.encode(event)
    return xxh3_64_intdigest(whole + nameless.extras) & FINGERPRINT_MASK
