"""Events that a caller sends, held to the rules before they are queued, so that the answer says what was wrong."""

from contextlib import suppress
from typing import Any

import msgspec

from shared.events import Rejection, Rules
from shared.events.dialects import LineBroken
from shared.intake.live_events import LONGEST_EVENT_BYTES, Message


class _Consent(msgspec.Struct, frozen=True):
    """Of an event, whether it says anything of consent."""

    consent: Any = None


_decode_consent = msgspec.json.Decoder(_Consent).decode


def rejections(message: Message, rules: Rules, takes_consent: bool) -> list[Rejection]:
    """Those of the message's events that are not taken, in their order, numbered from 1; one reason each."""
    by_line = {rejection.line: rejection for rejection in message.read(rules).rejections}
    for number, line in enumerate(message.lines, 1):
        if reason := _refusal(message, line, takes_consent):
            by_line[number] = Rejection(number, reason, line, message.people_of(line))
    return [by_line[number] for number in sorted(by_line)]


def _refusal(message: Message, line: bytes, takes_consent: bool) -> str | None:
    """Why an event that may keep all rules of events is not taken from a caller."""
    if len(line) > LONGEST_EVENT_BYTES:
        return f"an event may take {LONGEST_EVENT_BYTES:,} bytes, not {len(line):,}"
    if not takes_consent and any(map(_says_consent, _in_our_words(message, line))):
        return "consent is not taken from the API: the parameter ConsentByApi says so"
    return None


def _in_our_words(message: Message, line: bytes) -> list[bytes]:
    if message.translator is None:
        return [line]
    from shared.events.mapped import in_our_words

    with suppress(LineBroken):  # which is why it is refused
        return in_our_words(message.translator, line)
    return []


def _says_consent(line: bytes) -> bool:
    try:
        return _decode_consent(line).consent is not None
    except (ValueError, RecursionError):
        return False
