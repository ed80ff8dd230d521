"""What was sent of a customer where, and what became of it: rows in a partition of each customer's.

Beside them stand the names under which a customer was sent to a vendor, so that an erasure knows what to ask for there,
and which job of many they were sent by, which nobody who sends them alone writes over.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import TYPE_CHECKING, Any

from shared.aws.backoff import Sleep, attempts
from shared.decisions.decision import iso
from shared.durations import DAY_SECONDS
from shared.telemetry.errors import AnonymousError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PARTITION = "deliveries#"
"""Before the customer's key: who writes deliveries need not be able to write profiles."""
ROW, SENT_AS, BY_JOB = "row#", "as#", "job#"
JOBS_KEPT_DAYS = 30
"""Longer than any message waits."""
READS_A_CALL, WRITES_A_CALL, CALLS_AT_MOST = 100, 25, 10
ACCEPTED, SENT, REJECTED, WITHHELD, STOPPED, WAITING, GIVEN_UP, SENDING = (
    "accepted",
    "sent",
    "rejected",
    "withheld",
    "stopped",
    "waiting",
    "given_up",
    "sending",
)
"""The vendor has it; has taken it and will say; refused it; the customer is of a control group; what stops a journey
happened before it could be sent; it is tried again; it was tried for days; it is being sent, by a vendor who cannot be
asked twice."""
SETTLED = frozenset({ACCEPTED, SENT, REJECTED, WITHHELD, STOPPED})

type Item = dict[str, Any]


class DeliveriesOverloaded(AnonymousError):
    """The table refused rows in every attempt; the same can be written again."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One row: of one move or entry, at one destination. Times are UTC milliseconds."""

    key: str
    """The customer's profile key."""
    destination: str
    transition_id: str
    at_ms: int
    """When what it tells of happened."""
    state: str
    updated_ms: int
    reason: str = ""
    """Why it was rejected or waits: the vendor's own words where there are any."""
    attempts: int = 1
    audience: str | None = None
    arm: str | None = None
    job: str = ""
    """What the vendor calls it while it is `sent`."""

    @property
    def place(self) -> str:
        """Where it stands in the customer's partition: by time, then by what makes it one of its kind."""
        return f"{ROW}{self.at_ms:013d}#{self.destination}#{self.transition_id}"


@dataclass(frozen=True, slots=True)
class ByJob:
    """What is to be looked at again when a job of many has ended."""

    job: str
    """The vendor's name for it."""
    version: int
    """Of the profile that was sent."""
    at_ms: int
    """When this was noted, before the job began."""


def answer(delivery: Delivery) -> dict[str, Any]:
    """A delivery as the API tells it."""
    return {
        "destination": delivery.destination,
        "transition_id": delivery.transition_id,
        "audience": delivery.audience,
        "arm": delivery.arm,
        "at": iso(delivery.at_ms),
        "state": delivery.state,
        "reason": delivery.reason or None,
        "attempts": delivery.attempts,
        "updated_at": iso(delivery.updated_ms),
    }


class Deliveries:
    """Rows and names of the table. `keep_days` after it was written a row goes; names go with their customer."""

    def __init__(
        self, client: DynamoDBClient, table: str, keep_days: int | None = None, sleep: Sleep = time.sleep
    ) -> None:
        self._client = client
        self._table = table
        self._keep_days = keep_days
        self._sleep = sleep

    def put(self, rows: Iterable[Delivery]) -> None:
        """Writes rows, each in the place of what it said before. Raises DeliveriesOverloaded."""
        distinct = {(row.key, row.place): row for row in rows}
        self._write([{"PutRequest": {"Item": self._encode(row)}} for row in distinct.values()])

    def claim(self, row: Delivery) -> bool:
        """Writes a row unless there is one; whether it did. Of two who try to, one does."""
        return self._put_where("attribute_not_exists(pk)", row)

    def correct(self, row: Delivery) -> bool:
        """Writes a row where there is one: whose rows were removed gets none again."""
        return self._put_where("attribute_exists(pk)", row)

    def claim_again(self, row: Delivery) -> bool:
        """Writes a row over one that waits, or was given up; whether it did."""
        values = {":waiting": {"S": WAITING}, ":given_up": {"S": GIVEN_UP}}
        return self._put_where("#state = :waiting OR #state = :given_up", row, {"#state": "state"}, values)

    def _put_where(self, condition: str, row: Delivery, names: Any = None, values: Any = None) -> bool:
        more = {"ExpressionAttributeNames": names, "ExpressionAttributeValues": values} if names else {}
        try:
            self._client.put_item(TableName=self._table, Item=self._encode(row), ConditionExpression=condition, **more)
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def known(self, rows: Iterable[Delivery]) -> dict[tuple[str, str], Delivery]:
        """What stands at the places of rows, by key and place. Raises DeliveriesOverloaded."""
        places = {(row.key, row.place) for row in rows}
        items = self._read([{"pk": {"S": PARTITION + key}, "sk": {"S": place}} for key, place in sorted(places)])
        stored = [decode_delivery(item) for item in items]
        return {(row.key, row.place): row for row in stored}

    def note_jobs(self, sent: Iterable[tuple[Delivery, ByJob]]) -> None:
        """Remembers by which job rows are about to be sent. Raises DeliveriesOverloaded."""
        self._write([{"PutRequest": {"Item": _encode_job(row, by_job)}} for row, by_job in sent])

    def jobs(self, rows: Iterable[Delivery]) -> dict[tuple[str, str], ByJob]:
        """The last job that each of these rows was sent by, by key and place. Raises DeliveriesOverloaded."""
        keys = {(row.key, row.place): _job_key(row) for row in rows}
        stored = {(item["pk"]["S"], item["sk"]["S"]): item for item in self._read([*keys.values()])}
        items = {place: stored.get((key["pk"]["S"], key["sk"]["S"])) for place, key in keys.items()}
        return {
            place: ByJob(item["job"]["S"], int(item["version"]["N"]), int(item["at_ms"]["N"]))
            for place, item in items.items()
            if item is not None
        }

    def note(self, destination: str, names: Iterable[tuple[str, str]]) -> None:
        """Remembers names that customers are about to be sent under, as profile keys and names.

        Raises DeliveriesOverloaded.
        """
        keys = {(key, name): _name_key(key, destination, name) for key, name in names}
        there = {(item["pk"]["S"], item["sk"]["S"]) for item in self._read([*keys.values()])}
        new = [key for key in keys.values() if (key["pk"]["S"], key["sk"]["S"]) not in there]
        self._write([{"PutRequest": {"Item": key}} for key in new])

    def names(self, key: str) -> list[tuple[str, str]]:
        """Destinations that a customer was sent to, with the name there."""
        parts = (item["sk"]["S"].removeprefix(SENT_AS) for item in self._query(key, SENT_AS))
        return [(destination, name) for destination, _, name in (part.partition("#") for part in parts)]

    def page(self, key: str, limit: int, before: str | None = None) -> tuple[list[Delivery], str | None]:
        """At most `limit` deliveries of a customer, newest first, and the place to go on `before`; None at the end."""
        items = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :key AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues={
                ":key": {"S": PARTITION + key},
                ":first": {"S": ROW},
                ":last": {"S": before or f"{ROW}~"},
            },
            ScanIndexForward=False,
            # `before` itself is counted and left out, and one more tells whether there are more.
            Limit=limit + 2,
        )["Items"]
        rows = [decode_delivery(item) for item in items if item["sk"]["S"] != before]
        return rows[:limit], rows[limit - 1].place if len(rows) > limit else None

    def forget(self, key: str) -> None:
        """Removes all rows and names of a customer. Raises DeliveriesOverloaded."""
        self._write([{"DeleteRequest": {"Key": item}} for item in self._query(key, "")])

    def _query(self, key: str, prefix: str) -> list[Item]:
        condition = "pk = :key AND begins_with(sk, :prefix)" if prefix else "pk = :key"
        values: Any = {":key": {"S": PARTITION + key}} | ({":prefix": {"S": prefix}} if prefix else {})
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ProjectionExpression="pk, sk",
            ConsistentRead=True,
        )
        return [item for page in pages for item in page["Items"]]

    def _read(self, keys: Sequence[Item]) -> list[Item]:
        items: list[Item] = []
        for some in batched(keys, READS_A_CALL, strict=False):
            request: Any = {self._table: {"Keys": [*some], "ConsistentRead": True}}
            for _ in attempts(CALLS_AT_MOST, self._sleep):
                answered = self._client.batch_get_item(RequestItems=request)
                items += answered["Responses"].get(self._table, ())
                request = answered.get("UnprocessedKeys")
                if not request:
                    break
            else:
                raise DeliveriesOverloaded(f"rows still unread after {CALLS_AT_MOST} attempts")
        return items

    def _write(self, requests: Sequence[Any]) -> None:
        for some in batched(requests, WRITES_A_CALL, strict=False):
            request: Any = {self._table: [*some]}
            for _ in attempts(CALLS_AT_MOST, self._sleep):
                request = self._client.batch_write_item(RequestItems=request).get("UnprocessedItems")
                if not request:
                    break
            else:
                raise DeliveriesOverloaded(f"rows still unwritten after {CALLS_AT_MOST} attempts")

    def _encode(self, row: Delivery) -> Item:
        texts = {
            "destination": row.destination,
            "transition_id": row.transition_id,
            "state": row.state,
            "reason": row.reason,
            "audience": row.audience,
            "arm": row.arm,
            "job": row.job,
        }
        numbers = {"at_ms": row.at_ms, "updated_ms": row.updated_ms, "attempts": row.attempts}
        if self._keep_days is not None:
            numbers["expires"] = row.updated_ms // 1_000 + self._keep_days * DAY_SECONDS
        return {
            "pk": {"S": PARTITION + row.key},
            "sk": {"S": row.place},
            **{name: {"S": text} for name, text in texts.items() if text},
            **{name: {"N": str(number)} for name, number in numbers.items()},
        }


def _name_key(key: str, destination: str, name: str) -> Item:
    return {"pk": {"S": PARTITION + key}, "sk": {"S": f"{SENT_AS}{destination}#{name}"}}


def _job_key(row: Delivery) -> Item:
    return {"pk": {"S": PARTITION + row.key}, "sk": {"S": BY_JOB + row.place.removeprefix(ROW)}}


def _encode_job(row: Delivery, by_job: ByJob) -> Item:
    expires = by_job.at_ms // 1_000 + JOBS_KEPT_DAYS * DAY_SECONDS
    numbers = {"version": by_job.version, "at_ms": by_job.at_ms, "expires": expires}
    return {**_job_key(row), "job": {"S": by_job.job}, **{name: {"N": str(n)} for name, n in numbers.items()}}


def decode_delivery(item: Item) -> Delivery:
    """The delivery of a row."""

    def text(name: str) -> str | None:
        return item[name]["S"] if name in item else None

    return Delivery(
        key=item["pk"]["S"].removeprefix(PARTITION),
        destination=item["destination"]["S"],
        transition_id=item["transition_id"]["S"],
        at_ms=int(item["at_ms"]["N"]),
        state=item["state"]["S"],
        updated_ms=int(item["updated_ms"]["N"]),
        reason=text("reason") or "",
        attempts=int(item["attempts"]["N"]),
        audience=text("audience"),
        arm=text("arm"),
        job=text("job") or "",
    )
