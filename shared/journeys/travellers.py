"""Who is on which journey and where they stand: items of the table under a keyed hash of the customer.

The state machine's history keeps for months what it is given, and an erasure cannot reach it: it is given the hash.
All items of a customer stand in one partition, which goes with them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import batched
from typing import TYPE_CHECKING, Any

from shared.aws.backoff import Sleep, attempts
from shared.destinations.steps import belongs
from shared.durations import DAY_SECONDS
from shared.profiles.marks import keyed_hash
from shared.profiles.members import shard_of
from shared.profiles.table import CALLS_AT_MOST, WRITES_A_CALL, TableOverloaded

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from shared.profiles.stored_profile import StoredProfile

LEADING = "journeys#"
ON = "on#"
SENT = "sent"
"""Sort key of the item that says when journeys sent something to the customer."""
SENDS_KEPT = 1_000
ENDED_DAYS = 90
"""How long it is kept how a journey ended."""

GONE_DAYS = 400
"""After their entry nobody is on a journey any more, which takes a year at most."""

type Item = dict[str, Any]


class Overtaken(Exception):
    """Somebody else moved them meanwhile: look anew."""


@dataclass(frozen=True, slots=True)
class Traveller:
    """Somebody on a journey. Times are UTC milliseconds."""

    pk: str
    """The partition of the customer."""
    key: str
    """Their profile key."""
    journey: str
    version: int
    """Of the journey."""
    audience: str
    entry: str
    """Of which they are on it: its id under the same keyed hash."""
    entered_ms: int
    arm: str
    position: int = 0
    due_ms: int | None = None
    """Of a wait that has begun."""
    sent_ms: int | None = None
    """When the sending at their position was decided, which then is to be carried out."""
    outcome: str | None = None
    turn: int = 0
    """One more with each write."""

    @property
    def sk(self) -> str:
        """Their place in the partition."""
        return f"{ON}{self.journey}#{self.entry}"

    @property
    def place(self) -> int | str:
        """The position of their step, or how the journey ended for them."""
        return self.outcome or self.position


class Travellers:
    """Items of the table, whose partitions are hashes under a secret that is asked for when it is first needed."""

    def __init__(
        self, client: DynamoDBClient, table: str, secret: Callable[[], bytes], sleep: Sleep = time.sleep
    ) -> None:
        self._client = client
        self._table = table
        self._secret = secret
        self._sleep = sleep

    def partition(self, key: str) -> str:
        """Where the items of a customer stand."""
        return LEADING + keyed_hash(self._secret(), key)

    def entry(self, transition_id: str) -> str:
        """What is kept of an entry's id, of which the customer could be guessed."""
        return keyed_hash(self._secret(), transition_id)

    def begin(self, traveller: Traveller) -> Traveller:
        """Puts somebody at the begin of a journey; whoever is on it by the same entry stays where they are."""
        item = _encode(traveller)
        try:
            self._client.put_item(TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(pk)")
        except self._client.exceptions.ConditionalCheckFailedException:
            return self.get(traveller.pk, traveller.sk) or traveller
        return traveller

    def get(self, pk: str, sk: str) -> Traveller | None:
        """Who stands there; None where nobody does, or not any more."""
        item = self._item(pk, sk)
        return decode_traveller(item) if item else None

    def put(self, traveller: Traveller, now_ms: int) -> Traveller:
        """Keeps where they are now. Raises Overtaken where that changed since they were read, or they are gone."""
        after = replace(traveller, turn=traveller.turn + 1)
        try:
            self._client.put_item(TableName=self._table, **_after(traveller, after, now_ms))
        except self._client.exceptions.ConditionalCheckFailedException:
            raise Overtaken from None
        return after

    def sends(self, pk: str) -> tuple[list[int], int]:
        """When journeys sent something to the customer, and the turn of that item."""
        return _decode_sends(self._item(pk, SENT) or {})

    def decide(self, traveller: Traveller, sends: tuple[list[int], int], now_ms: int) -> Traveller:
        """Keeps at once that they are sent at `now_ms`, and that it counts for the cap. Raises Overtaken."""
        after = replace(traveller, sent_ms=now_ms, turn=traveller.turn + 1)
        counted = self._sends([*sends[0], now_ms][-SENDS_KEPT:], traveller.pk, sends[1])
        moved: Any = {"TableName": self._table, **_after(traveller, after, now_ms)}
        try:
            self._client.transact_write_items(TransactItems=[{"Put": moved}, {"Put": counted}])
        except self._client.exceptions.TransactionCanceledException:
            raise Overtaken from None
        return after

    def of_customer(self, key: str) -> list[Traveller]:
        """All journeys that a customer is on, or was on lately."""
        return [decode_traveller(item) for item in self._query(self.partition(key), ON)]

    def remove(self, traveller: Traveller) -> None:
        """Removes somebody from one journey. Raises TableOverloaded."""
        self._delete([(traveller.pk, traveller.sk)])

    def forget(self, key: str, now: Callable[[], StoredProfile | None]) -> None:
        """Removes all items of a customer but those of who came back: of journeys begun by memberships that they have
        `now`, which is asked for when the items are read.

        Raises TableOverloaded, and Overtaken where a journey of theirs sends something just then.
        """
        items = self._query(self.partition(key), "")
        profile = now()
        travellers = [decode_traveller(item) for item in items if item["sk"]["S"].startswith(ON)]
        stay = [one for one in travellers if profile and belongs(profile, one.audience, one.entered_ms)]
        for item in items:
            if stay and item["sk"]["S"] == SENT:
                self._keep_sends(item, min(one.entered_ms for one in stay))
        kept = {one.sk for one in stay} | ({SENT} if stay else set())
        places = [(item["pk"]["S"], item["sk"]["S"]) for item in items]
        self._delete([(pk, sk) for pk, sk in places if sk not in kept])

    def _keep_sends(self, item: Item, since_ms: int) -> None:
        """Of when journeys sent something what is since then. Raises Overtaken."""
        times, turn = _decode_sends(item)
        if all(time_ms >= since_ms for time_ms in times):
            return
        put = self._sends([time_ms for time_ms in times if time_ms >= since_ms], item["pk"]["S"], turn)
        try:
            self._client.put_item(**put)
        except self._client.exceptions.ConditionalCheckFailedException:
            raise Overtaken from None

    def _sends(self, times: Sequence[int], pk: str, turn: int) -> Any:
        """What writes when journeys sent something, where nobody else did since it was of that `turn`."""
        return {
            "TableName": self._table,
            "Item": {
                "pk": {"S": pk},
                "sk": {"S": SENT},
                "turn": {"N": str(turn + 1)},
                "sent_ms": {"L": [{"N": str(time_ms)} for time_ms in times]},
            },
            "ConditionExpression": "turn = :turn" if turn else "attribute_not_exists(pk)",
            **({"ExpressionAttributeValues": {":turn": {"N": str(turn)}}} if turn else {}),
        }

    def _delete(self, places: Sequence[tuple[str, str]]) -> None:
        for some in batched(places, WRITES_A_CALL, strict=False):
            deletes = [{"DeleteRequest": {"Key": {"pk": {"S": pk}, "sk": {"S": sk}}}} for pk, sk in some]
            request: Any = {self._table: deletes}
            for _ in attempts(CALLS_AT_MOST, self._sleep):
                request = self._client.batch_write_item(RequestItems=request).get("UnprocessedItems")
                if not request:
                    break
            else:
                raise TableOverloaded(f"items still there after {CALLS_AT_MOST} attempts")

    def _item(self, pk: str, sk: str) -> Item | None:
        key = {"pk": {"S": pk}, "sk": {"S": sk}}
        return self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")

    def _query(self, pk: str, prefix: str) -> list[Item]:
        values: Any = {":key": {"S": pk}} | ({":prefix": {"S": prefix}} if prefix else {})
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :key AND begins_with(sk, :prefix)" if prefix else "pk = :key",
            ExpressionAttributeValues=values,
            ConsistentRead=True,
        )
        return [item for page in pages for item in page["Items"]]


def place_of(journey: str, place: int | str, shard: int) -> str:
    """The key that travellers are listed under in the index: by the position of their step, or by how it ended."""
    return f"journey#{journey}#{place}#{shard}"


def _decode_sends(item: Item) -> tuple[list[int], int]:
    times = [int(one["N"]) for one in item.get("sent_ms", {}).get("L", ())]
    return times, int(item.get("turn", {}).get("N", "0"))


def _after(before: Traveller, after: Traveller, now_ms: int) -> Any:
    return {
        "Item": _encode(after, now_ms),
        # Of whom an erasure has removed this, it is not written again.
        "ConditionExpression": "turn = :turn",
        "ExpressionAttributeValues": {":turn": {"N": str(before.turn)}},
    }


def _encode(traveller: Traveller, now_ms: int = 0) -> Item:
    texts = {
        "customer": traveller.key,
        "journey": traveller.journey,
        "audience": traveller.audience,
        "entry": traveller.entry,
        "arm": traveller.arm,
        "outcome": traveller.outcome,
        "member_of": place_of(traveller.journey, traveller.place, shard_of(traveller.key)),
    }
    numbers = {
        "version": traveller.version,
        "entered_ms": traveller.entered_ms,
        "position": traveller.position,
        "over_ms": traveller.due_ms,
        "sent_ms": traveller.sent_ms,
        "turn": traveller.turn,
        "expires": now_ms // 1_000 + ENDED_DAYS * DAY_SECONDS
        if traveller.outcome
        else traveller.entered_ms // 1_000 + GONE_DAYS * DAY_SECONDS,
    }
    return {
        "pk": {"S": traveller.pk},
        "sk": {"S": traveller.sk},
        **{name: {"S": text} for name, text in texts.items() if text is not None},
        **{name: {"N": str(number)} for name, number in numbers.items() if number is not None},
    }


def decode_traveller(item: Item) -> Traveller:
    """Who an item says stands where."""

    def number(name: str) -> int | None:
        return int(item[name]["N"]) if name in item else None

    return Traveller(
        pk=item["pk"]["S"],
        key=item["customer"]["S"],
        journey=item["journey"]["S"],
        version=int(item["version"]["N"]),
        audience=item["audience"]["S"],
        entry=item["entry"]["S"],
        entered_ms=int(item["entered_ms"]["N"]),
        arm=item["arm"]["S"],
        position=int(item["position"]["N"]),
        due_ms=number("over_ms"),
        sent_ms=number("sent_ms"),
        outcome=item.get("outcome", {}).get("S"),
        turn=int(item["turn"]["N"]),
    )
