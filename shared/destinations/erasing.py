"""Erasures that destinations are told of: what the vendor is asked, and what a receipt says of it."""

from __future__ import annotations

from shared.decisions.decision import iso
from shared.destinations.calling import Calls
from shared.destinations.contract import Answer, Outcome, text_of
from shared.destinations.delivering import MOST_RECEIVES
from shared.destinations.known_destinations import Destination
from shared.destinations.loading import IN_A_JOB, Loading
from shared.destinations.messages import WANTED, Message, body

GONE = (404, 410)
"""Whom a vendor does not know is erased there."""


def erase(destination: Destination, message: Message, calls: Calls, loading: Loading, now_ms: int) -> str | None:
    """What became of the customer there; None where it has to be tried again. The last try has an answer as well.

    A job of before may still bring them back, so that it is asked last.
    """
    vendor = destination.vendor
    name = message.detail["id"]
    ask = vendor.erase
    if ask is None or not vendor.can_erase(destination.account):
        return f"not erased: {vendor.cannot_erase}"
    if loading.goes_on(destination, message.sent_ms, calls):
        answer: Answer | Outcome = Outcome("again", IN_A_JOB)
    else:
        answer = calls.call(lambda account: ask(account, name, now_ms))
    if not isinstance(answer, Outcome) and (200 <= answer.status < 300 or answer.status in GONE):
        return vendor.erased
    if message.receives < MOST_RECEIVES:
        return None
    reason = answer.reason if isinstance(answer, Outcome) else f"status {answer.status} {text_of(answer)}".strip()
    return f"not erased: {reason}"


def told_again(message: Message, now_ms: int) -> str:
    """A message that has the customer of an erasure sent again, if they came back meanwhile."""
    detail = {
        "customer_id": message.customer_id,
        "transition_id": f"{message.id}-{message.receives}",
        "at": iso(now_ms),
    }
    return body(message.destination, WANTED, detail)
