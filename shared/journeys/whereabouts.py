"""Where everybody stands on journeys, by the table's index: how many at each step, and who.

What was written within the last second may be missing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from shared.aws.backoff import Sleep, attempts
from shared.journeys.interpreting import OUTCOMES
from shared.journeys.travellers import Traveller, decode_traveller, place_of
from shared.profiles.members import INDEX, SHARDS
from shared.profiles.table import CALLS_AT_MOST, TableOverloaded

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from shared.journeys.journey import Journey

AT_ONCE = 8
"""Queries: boto3's clients have ten connections."""

type Place = int | str
"""The position of a step, or how a journey ended."""
type After = tuple[int, str, str]
"""The place's and shard's number, and the key of the last item that was listed there; empty at its begin."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many stand at each place of a journey. Where it is not `complete`, there are at least as many."""

    by_place: Mapping[Place, int]
    complete: bool


class Whereabouts:
    """Reads the index `members`, where travellers stand by their place."""

    def __init__(self, client: DynamoDBClient, table: str, sleep: Sleep = time.sleep) -> None:
        self._client = client
        self._table = table
        self._sleep = sleep

    def counts(self, journey: Journey, seconds: float) -> Counts:
        """How many stand where, as far as they can be counted in so many seconds. Raises what the table raises."""
        until = time.monotonic() + seconds
        places = [*product(places_of(journey), range(SHARDS))]
        with ThreadPoolExecutor(AT_ONCE) as threads:
            counted = threads.map(lambda place: self._count(place_of(journey.key, *place), until), places)
            by_shard = [*zip(places, counted, strict=True)]
        by_place = Counter[Place]()
        for (place, _), (number, _) in by_shard:
            by_place[place] += number
        return Counts(by_place, all(complete for _, (_, complete) in by_shard))

    def page(
        self, journey: str, places: Sequence[Place], limit: int, after: After | None = None
    ) -> tuple[list[Traveller], After | None]:
        """At most `limit` of those who stand at some of the places, and where to go on; None at the end.

        Raises TableOverloaded.
        """
        shards = [*product(places, range(SHARDS))]
        number, pk, sk = after or (0, "", "")
        keys: list[Any] = []
        while number < len(shards) and len(keys) < limit:
            place = {"S": place_of(journey, *shards[number])}
            start: Any = {"ExclusiveStartKey": {"member_of": place, "pk": {"S": pk}, "sk": {"S": sk}}} if pk else {}
            answer = self._client.query(
                TableName=self._table,
                IndexName=INDEX,
                KeyConditionExpression="member_of = :place",
                ExpressionAttributeValues={":place": place},
                Limit=limit - len(keys),
                **start,
            )
            keys += [{name: item[name] for name in ("pk", "sk")} for item in answer["Items"]]
            if last := answer.get("LastEvaluatedKey"):
                pk, sk = last["pk"]["S"], last["sk"]["S"]
            else:
                number, pk, sk = number + 1, "", ""
        return self._travellers(keys, {*places}), (number, pk, sk) if number < len(shards) else None

    def _travellers(self, keys: Sequence[Any], places: set[Place]) -> list[Traveller]:
        """Those at the keys who still stand at one of the places, in the order of the keys."""
        travellers: dict[tuple[str, str], Traveller] = {}
        wanted: Any = {self._table: {"Keys": [*keys]}} if keys else {}
        for _ in attempts(CALLS_AT_MOST, self._sleep):
            if not wanted:
                break
            answer = self._client.batch_get_item(RequestItems=wanted)
            for item in answer["Responses"].get(self._table, ()):
                traveller = decode_traveller(item)
                travellers[traveller.pk, traveller.sk] = traveller
            wanted = answer.get("UnprocessedKeys")
        if wanted:
            raise TableOverloaded(f"items still unread after {CALLS_AT_MOST} attempts")
        known = [travellers.get((key["pk"]["S"], key["sk"]["S"])) for key in keys]
        return [traveller for traveller in known if traveller and traveller.place in places]

    def _count(self, place: str, until: float) -> tuple[int, bool]:
        number = 0
        start: Any = {}
        while time.monotonic() < until:
            answer = self._client.query(
                TableName=self._table,
                IndexName=INDEX,
                KeyConditionExpression="member_of = :place",
                ExpressionAttributeValues={":place": {"S": place}},
                Select="COUNT",
                **start,
            )
            number += answer["Count"]
            if "LastEvaluatedKey" not in answer:
                return number, True
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
        return number, False


def places_of(journey: Journey) -> list[Place]:
    """All places of a journey; of those who began with an earlier version, too."""
    return [*range(max(journey.reach, len(journey.steps))), *OUTCOMES]
