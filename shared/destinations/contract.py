"""What every vendor is asked: the request that a batch of records makes, and what the answer says of each of them.

A vendor is one file of `shared/destinations/vendors/` with one `Vendor`: pure functions, so that what leaves the stack
can be looked at without sending it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from shared.telemetry.errors import AnonymousError

type Value = str | float | bool | list[str] | None

LONGEST_REASON = 500
"""Characters that are kept of a vendor's reason."""
LONGEST_WAIT_SECONDS = 86_400.0
"""A vendor that asks for more is asked again after this."""


class BadAccount(AnonymousError):
    """Options or secret of a destination are none that its vendor can be called with."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is to be known of one customer."""

    key: str
    """The customer's profile key."""
    id: str
    """The value by which the vendor knows them."""
    fields: Mapping[str, Value]
    """By the vendor's names."""
    delivery: str
    """The same whenever the same is sent again: an idempotency key."""
    version: int = 0
    """Of the profile that it was made of: of two records of a customer the newer has the greater one."""
    at_ms: int = 0
    """When what it tells of happened, UTC milliseconds."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call by HTTPS."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""
    service: str = ""
    """The service of AWS that it is for, whose calls are signed with the function's own role."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a vendor answers; names of headers are in small letters."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def document(self) -> Any:
        """The body as JSON; an empty object where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return {}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one record."""

    state: Literal["accepted", "sent", "rejected", "again", "apart"]
    """`sent` is accepted so far, with a `job` to ask later; `again` may be accepted later as it is; `apart` says that
    the batch was refused as a whole, so that its halves have to be tried."""
    reason: str = ""
    """Why it was not accepted, in the vendor's words."""
    job: str = ""


ACCEPTED = Outcome("accepted")


@dataclass(frozen=True, slots=True)
class Rate:
    """At most so many calls in so many seconds."""

    calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a vendor is called for."""

    options: Mapping[str, str]
    """Of the destination's file, its `base_url` included."""
    secret: Mapping[str, str] = field(repr=False)
    identify_by: str
    """The vendor's name for what customers are known by."""
    token: str = field(default="", repr=False)
    """From signing in, where the vendor asks for it."""

    def url(self, path: str) -> str:
        """The address of a path of the vendor's API."""
        return self.options["base_url"].rstrip("/") + path

    def own(self, name: str) -> str:
        """A value of the secret. Raises BadAccount."""
        try:
            return self.secret[name]
        except KeyError:
            raise BadAccount(f"the secret has no {name}") from None


@dataclass(frozen=True)
class Job:
    """How to ask a vendor later what became of what it took."""

    ask: Callable[[Account, str], Request]
    outcomes: Callable[[Sequence[str], Answer], Mapping[str, Outcome] | None]
    """Those of the customers known by these ids, by id; None while it is not known yet."""


type Progress = Literal["waiting", "running", "taken", "partly", "broken"]
"""Of a job: its records are waited for; the vendor works on it; took all of it; took some of it; it ended otherwise."""


@dataclass(frozen=True)
class Load:
    """How a vendor takes many at once: a job is made, given its records, started, and looked at until it has ended."""

    fewest: int
    """Records that are worth a job."""
    most: int
    most_bytes: int
    """Of a job's records."""
    size: Callable[[Record], int | None]
    """Bytes that a record takes in it; None where it cannot say what a call says."""
    make: Callable[[Account], Request]
    made: Callable[[Answer], str]
    """The vendor's name for the job; none where there is no job."""
    give: Callable[[Account, str, Sequence[Record]], Request]
    start: Callable[[Account, str], Request]
    abort: Callable[[Account, str], Request]
    look: Callable[[Account, str], Request]
    progress: Callable[[Answer], Progress | None]
    """None where the answer does not say."""
    failures: Callable[[Account, str], Request]
    failed: Callable[[Account, Answer], Mapping[str, Outcome]]
    """What became of those whom the vendor did not take, by id."""


@dataclass(frozen=True)
class Vendor:
    """One vendor. Functions get the account and never keep it."""

    name: str
    most: int
    """Records a call."""
    most_bytes: int
    """Of a call's body."""
    rates: tuple[Rate, ...]
    upsert: Callable[[Account, Sequence[Record], int], Request]
    """The call that says what is now known of these customers; the clock is in UTC milliseconds."""
    outcomes: Callable[[Sequence[Record], Answer], Sequence[Outcome]]
    """What became of each record."""
    secret: tuple[str, ...]
    """Names that the secret holds."""
    base_url: str = ""
    """Where its API is; empty where only the destination's file knows."""
    options: Mapping[str, str | None] = field(default_factory=dict)
    """What the file may say beside that, with the default; None where the file has to say it."""
    identify_by: tuple[str, ...] = ()
    """Names that customers may be known by there; any where empty."""
    erase: Callable[[Account, str, int], Request] | None = None
    """The call that erases the customer of an id; None where the vendor cannot."""
    erases_by: tuple[str, ...] = ()
    """Names by which it can; any where empty."""
    erased: str = ""
    """What an erasure's receipt says of it then."""
    cannot_erase: str = "it does not delete customers"
    """What it says otherwise."""
    sign_in: Callable[[Account], Request] | None = None
    """The call that gives a token."""
    job: Job | None = None
    load: Load | None = None
    """How it takes many at once, where that is another way."""
    once: bool = False
    """A call has an effect each time: nothing is sent again that may have been, and only who is to be approached is."""

    def can_erase(self, account: Account) -> bool:
        """Whether it erases customers by what the account knows them by."""
        return self.erase is not None and (not self.erases_by or account.identify_by in self.erases_by)


def problem(answer: Answer, of_vendor: str = "") -> Outcome:
    """What an answer without good news says of every record of the call.

    Refused credentials, addresses that lead nowhere and all that is the vendor's trouble may pass; a batch that is not
    understood is tried in halves, until the record to blame is alone.
    """
    said = of_vendor or text_of(answer)
    if answer.status in (400, 413, 422):
        return Outcome("apart", said)
    return Outcome("again", f"{answer.status}: {said}" if said else f"status {answer.status}")


def everyone(records: Sequence[Record], outcome: Outcome) -> list[Outcome]:
    """The same for all of a batch; what refuses a batch of one refuses that record."""
    if outcome.state == "apart" and len(records) == 1:
        outcome = Outcome("rejected", outcome.reason or "refused without a reason")
    return [outcome] * len(records)


def text_of(answer: Answer) -> str:
    """The reason in an answer's usual places, cut to what is kept."""
    document = answer.document
    if isinstance(document, list):
        document = document[0] if document else {}
    if not isinstance(document, dict):
        return ""
    for name in ("message", "detail", "error_description", "error"):
        if isinstance(text := document.get(name), str):
            return shortened(text)
    return ""


def shortened(reason: Any) -> str:
    """A vendor's reason on one line, cut to what is kept."""
    return " ".join(str(reason).split())[:LONGEST_REASON]


def wait_seconds(answer: Answer, now_ms: int) -> float | None:
    """How long the vendor asks to be left alone: `Retry-After`, in seconds or as a date; None where it does not."""
    said = answer.headers.get("retry-after", "").strip()
    if not said:
        return None
    try:
        seconds = float(said)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(said).timestamp() - now_ms / 1_000
        except (ValueError, TypeError):
            return None
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS) if seconds == seconds else None


def batches(records: Sequence[Record], vendor: Vendor) -> Iterator[list[Record]]:
    """The records as calls of the vendor take them: not too many, not too long, and of one id one."""
    batch: list[Record] = []
    ids = set[str]()
    size = 0
    for record in records:
        # What a record takes as JSON, in a text of JSON too, with room for the words that vendors put around it.
        bytes_more = 2 * len(json.dumps([record.id, record.fields])) + 200 + 40 * len(record.fields)
        if batch and (len(batch) >= vendor.most or size + bytes_more > vendor.most_bytes or record.id in ids):
            yield batch
            batch = []
            ids = set()
            size = 0
        batch.append(record)
        ids.add(record.id)
        size += bytes_more
    if batch:
        yield batch


def json_body(document: Any) -> bytes:
    """A body of JSON in UTF-8."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
