"""Events that a caller sends, held to the rules before they are queued, so that the answer says what was wrong."""

from typing import Any

import msgspec

from shared.events import Rejection, Rules, people_of, read_lines
from shared.intake.live_events import LONGEST_EVENT_BYTES


class _Consent(msgspec.Struct, frozen=True):
    """Of an event, whether it says anything of consent."""

    consent: Any = None


_decode_consent = msgspec.json.Decoder(_Consent).decode


def rejections(lines: list[bytes], rules: Rules, takes_consent: bool) -> list[Rejection]:
    """Those of the events `lines` that are not taken, in their order, numbered from 1; one reason each."""
    by_line = {rejection.line: rejection for rejection in read_lines(lines, rules).rejections}
    for number, line in enumerate(lines, 1):
        if reason := _refusal(line, takes_consent):
            by_line[number] = Rejection(number, reason, line, people_of(line))
    return [by_line[number] for number in sorted(by_line)]


def _refusal(line: bytes, takes_consent: bool) -> str | None:
    """Why an event that may keep all rules of events is not taken from a caller."""
    if len(line) > LONGEST_EVENT_BYTES:
        return f"an event may take {LONGEST_EVENT_BYTES:,} bytes, not {len(line):,}"
    if not takes_consent and _says_consent(line):
        return "consent is not taken from the API: the parameter ConsentByApi says so"
    return None


def _says_consent(line: bytes) -> bool:
    try:
        return _decode_consent(line).consent is not None
    except (ValueError, RecursionError):
        return False
