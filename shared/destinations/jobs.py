"""What vendors took and say more of later: asked for by messages that wait in the destination's own queue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import batched

from shared.destinations.calling import Calls
from shared.destinations.contract import ACCEPTED as TAKEN
from shared.destinations.contract import Outcome
from shared.destinations.deliveries import SENT, Deliveries, Delivery
from shared.destinations.delivering import Delivered
from shared.destinations.known_destinations import Destination
from shared.destinations.messages import JOB, ROWS_A_JOB, Message, body
from shared.identity.keys import customer_id, customer_key

ASK_AFTER_SECONDS = 60
MOST_ASKED = 20
"""Times that a job is asked for; a vendor who has not said no by then is taken at their first word."""


def questions(destination: str, done: Delivered) -> Iterator[str]:
    """Messages that ask for what vendors took, each for as many deliveries as it holds."""
    for job, rows in done.jobs.items():
        for some in batched(rows, ROWS_A_JOB, strict=False):
            asked = [[customer_id(row.key), done.names[row.key], row.at_ms, row.transition_id] for row in some]
            yield body(destination, JOB, {"job": job, "rows": asked})


def ask(
    destination: Destination, message: Message, calls: Calls, deliveries: Deliveries, now_ms: int
) -> Sequence[Delivery] | None:
    """Rows of a job by what the vendor says of it now, kept; None where it has to be asked again."""
    job = destination.vendor.job
    if job is None:
        return ()
    answer = calls.call(lambda account: job.ask(account, message.detail["job"]))
    names = {customer_key(customer): name for customer, name, _, _ in message.detail["rows"]}
    try:
        outcomes = None if isinstance(answer, Outcome) else job.outcomes([*names.values()], answer)
    except (AttributeError, LookupError, TypeError, ValueError):
        outcomes = None  # an answer that is none of the vendor's
    if outcomes is None and message.receives < MOST_ASKED:
        return None
    rows = [*_known(destination.name, message, deliveries)]
    settled = [_settled(row, (outcomes or {}).get(names[row.key], TAKEN), now_ms) for row in rows]
    return [row for row in settled if deliveries.correct(row)]


def _known(destination: str, message: Message, deliveries: Deliveries) -> Iterable[Delivery]:
    places = [
        Delivery(customer_key(customer), destination, transition_id, at_ms, SENT, 0)
        for customer, _, at_ms, transition_id in message.detail["rows"]
    ]
    # Of whom an erasure has removed the rows, none is written again.
    return (row for row in deliveries.known(places).values() if row.state == SENT)


def _settled(row: Delivery, outcome: Outcome, now_ms: int) -> Delivery:
    return replace(row, state=outcome.state, reason=outcome.reason, updated_ms=now_ms)
