"""A batch of a destination's messages, delivered: exposures first, then the latest of each customer, then the rows.

What is read is read just before it is sent, and looked at again afterwards: whoever changed meanwhile is sent again, so
that of two functions that send the same customer at once neither leaves behind what is older. What comes twice is known
by its row and not sent twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from shared.destinations import deliveries as states
from shared.destinations.contract import Outcome, Record
from shared.destinations.deliveries import SETTLED, ByJob, Deliveries, Delivery
from shared.destinations.exposures import Expose, campaign_of, exposures
from shared.destinations.latest import Customers, Latest, newest_of
from shared.destinations.loading import IN_A_JOB, Ended, Loading, loadable
from shared.destinations.messages import LEFT, MOVED, STEP, Message
from shared.identity.keys import customer_key

if TYPE_CHECKING:
    from shared.audiences.audience import Audiences
    from shared.destinations.calling import Calls
    from shared.destinations.known_destinations import Destination
    from shared.features.time_zone import TimeZone

MOST_RECEIVES = 80
"""Times that a message is taken from its queue, as template.yaml says: some three days, after which it is given up."""
BROKEN_OFF_MS = 600_000
"""By then whoever was sending has ended."""
TIMES_AT_MOST = 3
"""A customer who changes each time they are sent waits for another invocation."""
UNREADABLE = Outcome("again", "the stored profile cannot be read now")
CHANGING = Outcome("again", "the customer changed each time they were sent")


type Waiting = list[tuple[Message, Delivery | None]]
"""Messages that are not settled, with what their row says so far."""


@dataclass
class Delivered:
    """What became of a batch."""

    rows: list[Delivery] = field(default_factory=list)
    """Of each message that tells of a customer, but for those that were known to be settled."""
    again: set[str] = field(default_factory=set)
    """Ids of messages that are to come again."""
    jobs: dict[str, list[Delivery]] = field(default_factory=dict)
    """Rows that a vendor took and will say more of, by its name for the job."""
    names: dict[str, str] = field(default_factory=dict)
    """By profile key, what the customers of `jobs` were sent as."""


@dataclass(frozen=True)
class Delivering:
    """What a batch is delivered with."""

    customers: Customers
    deliveries: Deliveries
    expose: Expose
    audiences: Callable[[], Audiences]
    """Those that are live, which say where who is in them is to be sent."""
    zone: TimeZone
    now_ms: Callable[[], int]
    loading: Loading

    def deliver(self, destination: Destination, messages: Sequence[Message], calls: Calls) -> Delivered:
        """Delivers messages about customers. Raises what the table and the intake raise: the batch comes again then.

        Of whom nothing is known any more, nothing is written either: they may have been erased.
        """
        done = Delivered()
        audiences = self.audiences()
        jobs = self._jobs(destination, messages)
        # Whom a job may overwrite is looked at when it has ended, wanted or not.
        wanted = [message for message in messages if message.id in jobs or _is_wanted(destination, message, audiences)]
        waiting = self._steps_stopped(self._unsettled(wanted, jobs), done)
        # What is read after a job's end is what it may have overwritten.
        ended = self.loading.ended(destination, jobs.values(), calls)
        latest = self.customers.latest(destination, newest_of(message for message, _ in waiting))
        waiting = [(message, before) for message, before in waiting if customer_key(message.customer_id) in latest.keys]
        self.expose(exposures((message for message, before in waiting if not before), destination.file))
        held_back = [message for message, _ in waiting if message.is_held_back]
        done.rows += [self._row(message, states.WITHHELD) for message in held_back]
        attempts = {message.id: before.attempts for message, before in waiting if before}
        to_send = [
            message
            for message, before in self._looked_at(waiting, jobs, ended, latest, done)
            if not message.is_held_back and self._may_send(destination, message, before, done)
        ]
        for message in self._loaded(destination, [m for m in to_send if m.id not in jobs], latest, calls):
            self._settle(message, Outcome("again", IN_A_JOB), attempts.get(message.id, 0) + 1, done)
        to_send = [message for message in to_send if message.id not in done.again]
        outcomes = self._send(destination, newest_of(to_send), latest, calls, done)
        for message in to_send:
            if outcome := outcomes.get(customer_key(message.customer_id)):
                self._settle(message, outcome, attempts.get(message.id, 0) + 1, done)
        self.deliveries.put(done.rows)
        # A copy of a message may be in a job by now, whose end somebody has to see.
        now = self._jobs(destination, messages)
        done.again |= {message_id for message_id, by_job in now.items() if by_job != jobs.get(message_id)}
        return done

    def _jobs(self, destination: Destination, messages: Sequence[Message]) -> dict[str, ByJob]:
        """By message, the job of many that it was sent by."""
        if destination.vendor.load is None:
            return {}
        rows = {message.id: self._row(message, states.WAITING) for message in messages}
        jobs = self.deliveries.jobs(rows.values())
        return {one: jobs[row.key, row.place] for one, row in rows.items() if (row.key, row.place) in jobs}

    def _looked_at(
        self, waiting: Waiting, jobs: Mapping[str, ByJob], ended: Mapping[str, Ended], latest: Latest, done: Delivered
    ) -> Waiting:
        """Without those whom a job took as they are now, or may still take."""
        left: Waiting = []
        for message, before in waiting:
            by_job = jobs.get(message.id)
            outcome: Outcome | None = None
            if by_job is not None:
                result = ended.get(by_job.job)
                record = latest.records.get(customer_key(message.customer_id))
                outcome = Outcome("again", IN_A_JOB) if result is None else result.outcome(record, by_job.version)
            if outcome is None:
                left.append((message, before))
            else:
                self._settle(message, outcome, before.attempts if before else 1, done)
        return left

    def _loaded(
        self, destination: Destination, messages: Sequence[Message], latest: Latest, calls: Calls
    ) -> list[Message]:
        """Those of messages that a job was made of, where they are many: what journeys send goes alone."""
        load = destination.vendor.load
        if load is None or len(messages) < load.fewest:
            return []
        alone = {customer_key(message.customer_id) for message in messages if message.kind == STEP}
        keys = newest_of(messages).keys() - alone
        records = {
            record.key: record
            for record in loadable(load, (latest.records[key] for key in sorted(keys & latest.records.keys())))
        }
        if len(records) < load.fewest:
            return []
        of_job = [message for message in messages if customer_key(message.customer_id) in records]
        rows = [self._row(message, states.WAITING) for message in of_job]
        return of_job if self.loading.load(destination, records, rows, calls) else []

    def _may_send(self, destination: Destination, message: Message, before: Delivery | None, done: Delivered) -> bool:
        """Whether nobody else sends what must not be sent twice, nor may have sent it."""
        if not destination.vendor.once:
            return True
        row = self._row(message, states.SENDING)
        if before is None or before.state in (states.WAITING, states.GIVEN_UP):
            claimed = self.deliveries.claim(row) if before is None else self.deliveries.claim_again(row)
            if not claimed:
                done.again.add(message.id)  # whoever did claim it says what became of it
            return claimed
        if self.now_ms() - before.updated_ms < BROKEN_OFF_MS:
            done.again.add(message.id)
        else:
            done.rows.append(
                replace(row, state=states.REJECTED, reason="it broke off: whether it was sent is not known")
            )
        return False

    def _unsettled(self, messages: Sequence[Message], jobs: Mapping[str, ByJob]) -> Waiting:
        """Messages of which it is not known yet what became of them, with what their row says so far."""
        rows = {message.id: self._row(message, states.WAITING) for message in messages}
        known = self.deliveries.known(rows.values())
        with_rows = [(message, known.get((rows[message.id].key, rows[message.id].place))) for message in messages]
        return [
            (message, before)
            for message, before in with_rows
            if before is None or before.state not in SETTLED or message.id in jobs
        ]

    def _steps_stopped(self, waiting: Waiting, done: Delivered) -> Waiting:
        """Without what journeys are not to send any more, or not now: of those who are held back as of all others."""
        # What may have been sent already is not said to have been stopped.
        sent = {message.id for message, before in waiting if before and before.state == states.SENDING}
        steps = [message for message, _ in waiting if message.kind == STEP and message.id not in sent]
        if not steps:
            return waiting
        reasons, not_now = self.customers.stopped(steps)
        now_ms = self.now_ms()
        quiet = [(message, message.conditions.quiet) for message in steps]
        not_now |= {message.id for message, hours in quiet if hours and hours.over_ms(now_ms, self.zone) > now_ms}
        not_now |= _later_steps([message for message in steps if message.id not in reasons.keys() | not_now])
        done.again |= not_now - reasons.keys()
        stopped = [message for message in steps if message.id in reasons]
        done.rows += [replace(self._row(message, states.STOPPED), reason=reasons[message.id]) for message in stopped]
        return [entry for entry in waiting if entry[0].id not in reasons.keys() | not_now]

    def _send(
        self, destination: Destination, newest: Mapping[str, Message], latest: Latest, calls: Calls, done: Delivered
    ) -> Mapping[str, Outcome]:
        """What became of each customer, by profile key; of whom nothing is known any more, nothing."""
        outcomes: dict[str, Outcome] = {}
        sent: dict[str, Record] = {}
        pending = {*newest}
        for _ in range(TIMES_AT_MOST):
            for key in pending - latest.keys:
                outcomes.pop(key, None)
            outcomes |= {key: Outcome("rejected", latest.refused[key]) for key in pending & latest.refused.keys()}
            outcomes |= dict.fromkeys(pending & latest.unreadable, UNREADABLE)
            made = [latest.records[key] for key in newest if key in pending and key in latest.records]
            records = [record for record in made if _differs(record, sent.get(record.key))]
            self.deliveries.note(destination.name, ((record.key, record.id) for record in records))
            outcomes |= calls.send(records)
            taken = [record for record in made if outcomes[record.key].state in ("accepted", "sent")]
            sent |= {record.key: record for record in taken}
            pending = set() if destination.vendor.once else self.customers.changed(taken)
            if not pending:
                break
            latest = self.customers.latest(destination, {key: newest[key] for key in pending})
        outcomes |= dict.fromkeys(pending, CHANGING)
        done.names |= {key: record.id for key, record in sent.items()}
        return outcomes

    def _settle(self, message: Message, outcome: Outcome, attempts: int, done: Delivered) -> None:
        waits = states.GIVEN_UP if message.receives >= MOST_RECEIVES else states.WAITING
        state = waits if outcome.state == "again" else outcome.state
        row = replace(self._row(message, state), reason=outcome.reason, attempts=attempts, job=outcome.job)
        done.rows.append(row)
        if outcome.state == "again":
            done.again.add(message.id)
        if state == states.SENT:
            done.jobs.setdefault(outcome.job, []).append(row)

    def _row(self, message: Message, state: str) -> Delivery:
        return Delivery(
            key=customer_key(message.customer_id),
            destination=message.destination,
            transition_id=message.transition_id,
            at_ms=message.at_ms,
            state=state,
            updated_ms=self.now_ms(),
            audience=message.audience,
            arm=message.detail.get("arm") or None,
        )


def _is_wanted(destination: Destination, message: Message, audiences: Audiences) -> bool:
    """Whether a destination is to be told: of audiences that name it, of moves unless its own file says no.

    Where each call has an effect, only of what somebody is approached for.
    """
    if destination.vendor.once and campaign_of(message, destination.file) is None:
        return False
    if message.audience is not None:
        named = {audience.key: audience.destinations for audience in audiences.all}
        # Of an audience that is gone, whoever may have heard of it is to hear that it ended.
        return destination.name in named.get(message.audience, (destination.name,) if message.kind == LEFT else ())
    return message.kind != MOVED or destination.file.moves


def _later_steps(messages: Sequence[Message]) -> set[str]:
    """Ids of what journeys send to whom an earlier such message of this batch is sent: each has its own campaign."""
    sent = [message for message in messages if not message.is_held_back]
    first: dict[str, str] = {}
    for message in sorted(sent, key=lambda message: message.at_ms):
        first.setdefault(message.customer_id, message.transition_id)
    return {message.id for message in sent if message.transition_id != first[message.customer_id]}


def _differs(record: Record, sent: Record | None) -> bool:
    return sent is None or (record.id, record.fields) != (sent.id, sent.fields)
