"""Which objects of ours in the bucket hold something of a person: what an erasure looks up instead of reading them all.

An entry stands under the same keyed hash as a mark: it tells nobody whom it is of. It is written before its object is,
so that a crash in between leaves an entry without an object, which harms nobody, and never an object without an entry.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import batched
from typing import TYPE_CHECKING, Any

from shared.aws.backoff import Sleep, attempts
from shared.durations import DAY_SECONDS
from shared.profiles.marks import keyed_hash
from shared.profiles.table import CALLS_AT_MOST, WRITES_A_CALL, TableOverloaded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

LEADING = "place#"
_LATE_DAYS = 30
"""S3 takes its time with what has expired."""


class Places:
    """Entries in the profile table, one for each person and object.

    `now_ms` is the clock. Entries go some time after the `keep_days` of their object, when it has gone, or never.
    Noting one costs one write unit, also where it was there.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        secret: Callable[[], bytes],
        now_ms: Callable[[], int],
        keep_days: Callable[[str], int | None] = lambda _: None,
        sleep: Sleep = time.sleep,
    ) -> None:
        self._client = client
        self._table = table
        self._secret = secret
        self._now_ms = now_ms
        self._keep_days = keep_days
        self._sleep = sleep

    def note(self, object_key: str, people: Iterable[str]) -> None:
        """Remembers that the object is to hold something of the people at these profile keys.

        Whoever writes the object calls it before, with all who stand in it, also when the object is written anew.
        Raises TableOverloaded.
        """
        now_ms = self._now_ms()
        times = {"noted_ms": {"N": str(now_ms)}}
        if (days := self._keep_days(object_key)) is not None:
            times["expires"] = {"N": str(now_ms // 1_000 + (days + _LATE_DAYS) * DAY_SECONDS)}
        requests = ({"PutRequest": {"Item": {**self._key(key, object_key), **times}}} for key in sorted({*people}))
        for some in batched(requests, WRITES_A_CALL, strict=False):
            request: Any = {self._table: [*some]}
            for _ in attempts(CALLS_AT_MOST, self._sleep):
                request = self._client.batch_write_item(RequestItems=request)["UnprocessedItems"]
                if not request:
                    break
            else:
                raise TableOverloaded(f"places still unwritten after {CALLS_AT_MOST} attempts")

    def of(self, key: str) -> Iterator[str]:
        """The objects that hold something of the person, in order; some may be gone, or hold it no more."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :person",
            ExpressionAttributeValues={":person": {"S": self._name(key)}},
            ProjectionExpression="sk",
            ConsistentRead=True,
        )
        for page in pages:
            yield from (item["sk"]["S"] for item in page["Items"])

    def forget(self, key: str, before_ms: int) -> None:
        """Takes entries of a person away that were noted before, by when nobody may still write those objects."""
        for object_key in self.of(key):
            try:
                self._client.delete_item(
                    TableName=self._table,
                    Key=self._key(key, object_key),
                    ConditionExpression="noted_ms < :before",
                    ExpressionAttributeValues={":before": {"N": str(before_ms)}},
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                continue  # noted anew, or gone

    def _key(self, key: str, object_key: str) -> Any:
        return {"pk": {"S": self._name(key)}, "sk": {"S": object_key}}

    def _name(self, key: str) -> str:
        return LEADING + keyed_hash(self._secret(), key)
