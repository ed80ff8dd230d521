"""How fast a vendor may be called by all functions together: permits that they take from one item of the table.

A bucket of permits for each rate, kept as the time at which it would be empty of debts (GCRA: Generic Cell Rate
Algorithm, ITU-T I.371). A bucket holds a fifth of a rate's calls and fills with four fifths of them a period, so that
no period, wherever it begins, sees more calls than the rate allows. A vendor that asks to be left alone is, by all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.aws.backoff import Sleep, attempts
from shared.destinations.contract import Rate

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PARTITION = "pace#"
SORT_KEY = "pace"
AT_ONCE = 0.2
"""The share of a rate's calls that may come at once."""
CALLS_AT_MOST = 8
BUSY_MS = 200
"""How long to wait where others take permits all the time."""


@dataclass(frozen=True, slots=True)
class Permits:
    """Calls that may be made now, or how long to wait for one, milliseconds."""

    calls: int
    wait_ms: int = 0


class Pace:
    """Permits of destinations; `now_ms` is the clock."""

    def __init__(
        self, client: DynamoDBClient, table: str, now_ms: Callable[[], int], sleep: Sleep = time.sleep
    ) -> None:
        self._client = client
        self._table = table
        self._now_ms = now_ms
        self._sleep = sleep

    def take(self, destination: str, rates: Sequence[Rate], wanted: int) -> Permits:
        """At most `wanted` permits, and at least one where it need not be waited for. Raises what the table raises."""
        for _ in attempts(CALLS_AT_MOST, self._sleep):
            now_ms = self._now_ms()
            item = self._item(destination)
            owed = [max(float(item.get(_name(rate), {"N": "0"})["N"]), now_ms) for rate in rates]
            if (left_alone_ms := int(item.get("until_ms", {"N": "0"})["N"]) - now_ms) > 0:
                return Permits(0, left_alone_ms)
            calls = min([wanted, *(_affordable(rate, at, now_ms) for rate, at in zip(rates, owed, strict=True))])
            if calls < 1:
                waits = (_next(rate, at, now_ms) for rate, at in zip(rates, owed, strict=True))
                return Permits(0, max(1, max(waits)))
            after = {_name(rate): at + calls * _every_ms(rate) for rate, at in zip(rates, owed, strict=True)}
            if self._write(destination, item, after):
                return Permits(calls)
        return Permits(0, BUSY_MS)

    def leave_alone(self, destination: str, wait_ms: int) -> None:
        """Nobody calls the vendor before that, be it longer than what was said before or not."""
        self._client.update_item(
            TableName=self._table,
            Key=_key(destination),
            UpdateExpression="SET until_ms = :until",
            ExpressionAttributeValues={":until": {"N": str(self._now_ms() + wait_ms)}},
        )

    def _item(self, destination: str) -> Any:
        answer = self._client.get_item(TableName=self._table, Key=_key(destination), ConsistentRead=True)
        return answer.get("Item", {})

    def _write(self, destination: str, before: Any, after: dict[str, float]) -> bool:
        """Whether it was still as it was read."""
        version = int(before.get("version", {"N": "0"})["N"])
        sets = {"version": str(version + 1), **{name: repr(value) for name, value in after.items()}}
        names = {f"#{i}": name for i, name in enumerate(sets)}
        values: dict[str, Any] = {f":{i}": {"N": value} for i, value in enumerate(sets.values())}
        unread = "attribute_not_exists(#0)" if version == 0 else "#0 = :read"
        if version:
            values[":read"] = {"N": str(version)}
        try:
            self._client.update_item(
                TableName=self._table,
                Key=_key(destination),
                UpdateExpression="SET " + ", ".join(f"#{i} = :{i}" for i in range(len(sets))),
                ConditionExpression=unread,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True


def _every_ms(rate: Rate) -> float:
    """Milliseconds from one call to the next where they come evenly."""
    return rate.seconds * 1_000 / (rate.calls * (1 - AT_ONCE))


def _room_ms(rate: Rate) -> float:
    """What may be owed: as many calls at once as the bucket holds, and never fewer than one."""
    return max(1, int(rate.calls * AT_ONCE)) * _every_ms(rate)


def _affordable(rate: Rate, owed_ms: float, now_ms: int) -> int:
    # A hair more than the room, for what division leaves.
    return int((now_ms + _room_ms(rate) - owed_ms) / _every_ms(rate) + 1e-9)


def _next(rate: Rate, owed_ms: float, now_ms: int) -> int:
    return int(owed_ms + _every_ms(rate) - _room_ms(rate) - now_ms) + 1


def _name(rate: Rate) -> str:
    return f"owed_{rate.calls}_{rate.seconds:g}"


def _key(destination: str) -> Any:
    return {"pk": {"S": PARTITION + destination}, "sk": {"S": SORT_KEY}}
