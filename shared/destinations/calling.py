"""Calls of one vendor in one invocation: at everybody's pace, in time, and in halves where a batch is refused."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from shared.destinations.contract import (
    Account,
    Answer,
    BadAccount,
    Outcome,
    Record,
    Request,
    Vendor,
    batches,
    wait_seconds,
)
from shared.destinations.known_destinations import Destination
from shared.destinations.pacing import Pace
from shared.destinations.sending import Unanswered

LONGEST_NAP_MS = 2_000
"""A permit is waited for here; for longer, messages go back to the queue."""
PERMITS_AT_ONCE = 20
WAITS_FOR_NOTHING = 10_000
"""Milliseconds to leave a vendor alone who says "too many" without saying for how long."""
TOO_MANY = (429, 503)
OUT_OF_TIME = Outcome("again", "no time was left in the invocation")
LEFT_ALONE = Outcome("again", "the vendor takes no more calls for a while")

type Send = Callable[[Request], Answer]


class Calls:
    """What is left of an invocation: `go_on` says whether there is time for one more call."""

    def __init__(
        self,
        destination: Destination,
        pace: Pace,
        send: Send,
        now_ms: Callable[[], int],
        go_on: Callable[[], bool],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._destination = destination
        self._pace = pace
        self._send = send
        self._now_ms = now_ms
        self._go_on = go_on
        self._sleep = sleep
        self._permits = 0
        self._account: Account | None = None
        self.wait_ms = 0
        """For how long the vendor is to be left alone; while it is above 0 nothing more is called."""

    def send(self, records: Sequence[Record]) -> dict[str, Outcome]:
        """What became of each record, by profile key."""
        outcomes: dict[str, Outcome] = {}
        waiting = [*batches(records, self._destination.vendor)][::-1]
        while waiting:
            batch = waiting.pop()
            results = [*zip(batch, self._outcomes(batch, len(waiting) + 1), strict=True)]
            apart = [record for record, result in results if result.state == "apart"]
            middle = (len(apart) + 1) // 2
            waiting += [half for half in (apart[middle:], apart[:middle]) if half]
            outcomes |= {record.key: result for record, result in results if result.state != "apart"}
        return outcomes

    def call(self, request: Callable[[Account], Request], calls: int = 1) -> Answer | Outcome:
        """The vendor's answer to one call, or why there is none. Raises nothing of the vendor's."""
        if problem := self._permit(calls):
            return problem
        self._permits -= 1
        try:
            answer = self._send(request(self._signed_in()))
        except BadAccount as error:
            return Outcome("again", str(error))
        except Unanswered as error:
            if self._destination.vendor.once:
                return Outcome("rejected", f"no answer ({error}): whether it was sent is not known")
            return Outcome("again", f"no answer: {error}")
        if answer.status in TOO_MANY:
            asked = wait_seconds(answer, self._now_ms())
            self.wait_ms = WAITS_FOR_NOTHING if asked is None else max(1, round(asked * 1_000))
            self._pace.leave_alone(self._destination.name, self.wait_ms)
        if answer.status == 401:
            self._account = None
        return answer

    def _outcomes(self, batch: Sequence[Record], calls: int) -> Sequence[Outcome]:
        vendor = self._destination.vendor
        answer = self.call(lambda account: vendor.upsert(account, batch, self._now_ms()), calls)
        return [answer] * len(batch) if isinstance(answer, Outcome) else understood(vendor, batch, answer)

    def _permit(self, wanted: int) -> Outcome | None:
        """None once a call may be made; otherwise why not."""
        while True:
            if not self._go_on():
                return OUT_OF_TIME
            if self.wait_ms:
                return LEFT_ALONE
            if self._permits:
                return None
            rates = self._destination.file.rates
            permits = self._pace.take(self._destination.name, rates, min(wanted, PERMITS_AT_ONCE))
            self._permits = permits.calls
            if permits.wait_ms > LONGEST_NAP_MS:
                self.wait_ms = permits.wait_ms
            elif permits.wait_ms:
                self._sleep(permits.wait_ms / 1_000)

    def _signed_in(self) -> Account:
        """Raises BadAccount and Unanswered."""
        if self._account is None:
            account = self._destination.account
            if (sign_in := self._destination.vendor.sign_in) is not None:
                answer = self._send(sign_in(account))
                token = answer.document.get("access_token") if isinstance(answer.document, dict) else None
                if answer.status != 200 or not isinstance(token, str):
                    raise BadAccount(f"signing in was answered with status {answer.status}")
                account = replace(account, token=token)
            self._account = account
        return self._account


def understood(vendor: Vendor, batch: Sequence[Record], answer: Answer) -> Sequence[Outcome]:
    """What an answer says of each record; of one that is not as the vendor documents it, that it comes again."""
    try:
        outcomes = vendor.outcomes(batch, answer)
    except (AttributeError, LookupError, TypeError, ValueError):
        outcomes = ()
    if len(outcomes) == len(batch):
        return outcomes
    state: Literal["again", "rejected"] = "rejected" if vendor.once else "again"
    return [Outcome(state, f"status {answer.status}, with an answer that is none of {vendor.name}'s")] * len(batch)
