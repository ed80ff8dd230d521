"""The ledger: every transition of every customer, kept once, beside the customer's profile in the table."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Collection, Sequence
from itertools import batched
from typing import TYPE_CHECKING, Any

import msgspec

from shared.aws.backoff import Sleep, attempts
from shared.decisions.transitions import Cause, Transition
from shared.profiles.members import MEMBER, MOVES, SHARDS, size_key
from shared.telemetry.errors import AnonymousError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Item = dict[str, Any]

ROWS_A_CALL = 33
"""A transaction takes 100 items: a row each, and the sizes of at most two segments a row."""
DELETES_A_CALL = 25
CALLS_AT_MOST = 10
PREFIX = "transition#"
RECORDED = "recorded_ms"
KNOWN = "ConditionalCheckFailed"
TRANSIENT_CANCELLATIONS = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})


class LedgerOverloaded(AnonymousError):
    """The table refused transitions in every attempt; nothing is lost, the same can be recorded again."""


class Ledger:
    """Rows in a partition of each customer's, in the order of the profile's versions.

    Rows of releases before stand under the customer's own key, beside the profile: they are read and forgotten too.
    """

    def __init__(self, client: DynamoDBClient, table: str, sleep: Sleep = time.sleep) -> None:
        self._client = client
        self._table = table
        self._sleep = sleep

    def record(self, transitions: Sequence[Transition], now_ms: int | None = None) -> int:
        """Keeps those that are not kept yet, and counts them in the sizes of segments; returns how many those are.

        Each row says when it was kept, if the clock's time `now_ms` is given. A row and what it changes in the sizes
        are one transaction, so that repeating changes nothing. Raises LedgerOverloaded and what the table raises.
        """
        distinct = {moved.id: moved for moved in transitions}
        return sum(self._record(some, now_ms) for some in batched(distinct.values(), ROWS_A_CALL, strict=False))

    def close(self, left: int | None, once: Any, audiences: Sequence[Any] = ()) -> None:
        """Counts one who was erased out of their segment, along with `once`: a part of a transaction that happens once.

        No row is kept of it; `audiences` are the parts that count them out of theirs. Raises LedgerOverloaded and what
        the table raises.
        """
        gain = [self._gain(left, -1, random.randrange(SHARDS))] if left is not None else []
        for _ in attempts(CALLS_AT_MOST, self._sleep):
            try:
                self._client.transact_write_items(TransactItems=[once, *gain, *audiences])
            except self._client.exceptions.TransactionCanceledException as error:
                codes = [reason.get("Code", "None") for reason in error.response["CancellationReasons"]]
                if KNOWN in codes:
                    return
                if any(code not in {"None", *TRANSIENT_CANCELLATIONS} for code in codes):
                    raise
            else:
                return
        raise LedgerOverloaded(f"an erasure was still uncounted after {CALLS_AT_MOST} attempts")

    def forget(self, key: str, version: int, *, former: bool = True, inside: Collection[str] = ()) -> None:
        """Removes a customer's rows and memberships up to a version; the rows of releases before only if `former`.

        The audiences that they are `inside` still, who came back before they were erased, go on listing them. Raises
        LedgerOverloaded and what the table raises.
        """
        if former:
            rows = {":first": {"S": PREFIX}, ":last": {"S": f"{PREFIX}{version:010d}"}}
            self._forget(self._rows(key, "pk = :key AND sk BETWEEN :first AND :last", rows), version)
        until = {":version": {"N": str(version)}}
        earlier = self._rows(partition(key), "pk = :key", until, FilterExpression="version <= :version")
        listed = {MEMBER + audience for audience in inside}
        self._forget([row for row in earlier if row["sk"]["S"] not in listed], version)

    def _rows(self, where: str, condition: str, values: Item, **more: Any) -> list[Item]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=condition,
            ExpressionAttributeValues={":key": {"S": where}, **values},
            ProjectionExpression="pk, sk",
            **more,
        )
        return [item for page in pages for item in page["Items"]]

    def _forget(self, rows: Sequence[Item], version: int) -> None:
        for item in rows:
            if item["sk"]["S"].startswith(MEMBER):
                self._forget_membership(item, version)
        moves = [item for item in rows if not item["sk"]["S"].startswith(MEMBER)]
        for some in batched(moves, DELETES_A_CALL, strict=False):
            request: Any = {self._table: [{"DeleteRequest": {"Key": item}} for item in some]}
            for _ in attempts(CALLS_AT_MOST, self._sleep):
                request = self._client.batch_write_item(RequestItems=request).get("UnprocessedItems")
                if not request:
                    break
            else:
                raise LedgerOverloaded(f"rows were still there after {CALLS_AT_MOST} attempts")

    def _forget_membership(self, item: Item, version: int) -> None:
        try:
            self._client.delete_item(
                TableName=self._table,
                Key=item,
                ConditionExpression="version <= :version",
                ExpressionAttributeValues={":version": {"N": str(version)}},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return  # who came back is in it

    def history(self, key: str, limit: int, before: int | None = None) -> tuple[list[Transition], int | None]:
        """At most `limit` transitions of a customer, newest first, and the version to go on `before`; None at the end.

        With `before`, only those of versions below it.
        """
        # One more than asked for tells whether there are more. Of both partitions, since after a roll-back either may
        # hold the newer moves, and a move that came to both releases is in both.
        rows = [row for place in (key, partition(key)) for row in self._newest(place, limit + 1, before)]
        distinct = {row.version: row for row in rows}
        newest = [distinct[version] for version in sorted(distinct, reverse=True)]
        return newest[:limit], newest[limit - 1].version if len(newest) > limit else None

    def _newest(self, partition: str, limit: int, before: int | None) -> list[Transition]:
        last = f"{PREFIX}{before:010d}" if before is not None else f"{PREFIX}~"
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :key AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues={":key": {"S": partition}, ":first": {"S": PREFIX}, ":last": {"S": last}},
            ScanIndexForward=False,
            # `before` itself is counted and left out.
            Limit=limit + 1,
        )
        return [decode_transition(item) for item in answer["Items"] if item["sk"]["S"] != last][:limit]

    def _record(self, transitions: Sequence[Transition], now_ms: int | None) -> int:
        unknown = list(transitions)
        for _ in attempts(CALLS_AT_MOST, self._sleep):
            if not unknown:
                return 0
            try:
                puts = [self._put(moved, now_ms) for moved in unknown]
                self._client.transact_write_items(TransactItems=[*puts, *self._count(unknown)])
            except self._client.exceptions.TransactionCanceledException as error:
                codes = [reason.get("Code", "None") for reason in error.response["CancellationReasons"]]
                if any(code not in {KNOWN, "None", *TRANSIENT_CANCELLATIONS} for code in codes):
                    raise
                unknown = [moved for moved, code in zip(unknown, codes, strict=False) if code != KNOWN]
            else:
                return len(unknown)
        raise LedgerOverloaded(f"{len(unknown)} transitions still unrecorded after {CALLS_AT_MOST} attempts")

    def _put(self, moved: Transition, now_ms: int | None) -> Any:
        item = _encode(moved) | recorded(now_ms)
        put = {"TableName": self._table, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}
        return {"Put": put}

    def _count(self, transitions: Sequence[Transition]) -> list[Any]:
        gains = Counter[int | None](moved.entered for moved in transitions)
        gains.subtract(moved.left for moved in transitions)
        # Another shard each time: those who collided seldom do so again.
        shard = random.randrange(SHARDS)
        return [self._gain(segment, gain, shard) for segment, gain in gains.items() if segment is not None and gain]

    def _gain(self, segment: int, gain: int, shard: int) -> Any:
        return {
            "Update": {
                "TableName": self._table,
                "Key": size_key(segment, shard),
                "UpdateExpression": "ADD customers :gain",
                "ExpressionAttributeValues": {":gain": {"N": str(gain)}},
            }
        }


def recorded(now_ms: int | None) -> Item:
    """What a row says of when it was kept. Exports of what is new go by it: moves are kept later than they happen."""
    return {} if now_ms is None else {RECORDED: {"N": str(now_ms)}}


def partition(key: str) -> str:
    """Where the moves of a customer stand: apart, so that who writes them need not be able to write profiles."""
    return f"{MOVES}{key}"


def _encode(moved: Transition) -> Item:
    numbers = {"left": moved.left, "entered": moved.entered, "at_ms": moved.at_ms, "version": moved.version}
    texts = {
        "cause": moved.cause.value,
        "model_version": moved.model_version,
        "intent": moved.intent,
        "action": moved.action,
    }
    return {
        "pk": {"S": partition(moved.key)},
        "sk": {"S": f"{PREFIX}{moved.version:010d}"},
        "predictions": {"M": {name: {"N": repr(value)} for name, value in moved.predictions.items()}},
        "reasons": {"S": msgspec.json.encode(moved.reasons).decode()},
        **{name: {"N": str(value)} for name, value in numbers.items() if value is not None},
        **{name: {"S": text} for name, text in texts.items() if text is not None},
    }


def decode_transition(item: Item) -> Transition:
    """The transition of a row."""

    def number(name: str) -> int | None:
        return int(item[name]["N"]) if name in item else None

    def text(name: str) -> str | None:
        return item[name]["S"] if name in item else None

    return Transition(
        key=item["pk"]["S"].removeprefix(MOVES),
        version=int(item["version"]["N"]),
        left=number("left"),
        entered=number("entered"),
        cause=Cause(item["cause"]["S"]),
        at_ms=int(item["at_ms"]["N"]),
        model_version=item["model_version"]["S"],
        intent=text("intent"),
        action=text("action"),
        predictions={name: float(value["N"]) for name, value in item["predictions"]["M"].items()},
        reasons=msgspec.json.decode(item["reasons"]["S"]),
    )
