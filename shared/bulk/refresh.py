"""Decisions that time alone changes: whoever is due by now is decided on anew, shard by shard of the index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Any

from shared.bulk.rescore import Rescored, Rescorer
from shared.clock import Moment
from shared.profiles.due import INDEX
from shared.profiles.races import TooManyRaces
from shared.profiles.stored_profile import StoredProfile
from shared.profiles.table import READS_A_CALL, TableOverloaded

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PROFILES_AT_ONCE = 500
"""Of one query: enough for the bundle to be worth calling, and a few seconds' work where histories are long."""

type Position = dict[str, Any]
"""The index entry that was read last."""


@dataclass(frozen=True, slots=True)
class DuePage:
    """Profiles of one shard that are due, those due first coming first."""

    keys: Sequence[str]
    first_due_ms: int | None
    """When the first of them was due; None where there are none."""
    next: Position | None
    """From where the query goes on; None at the end."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What became of profiles that were due."""

    read: int = 0
    """Index entries read, and as many profiles: those that were due, and nobody else."""
    decided: int = 0
    """Profiles decided anew and written; the others had been by somebody else."""
    moved: int = 0
    """Of these, those that came into another segment."""
    first_due_ms: int | None = None
    """When the first of them was due; None where there were none."""

    def __add__(self, other: Refreshed) -> Refreshed:
        times = [due for due in (self.first_due_ms, other.first_due_ms) if due is not None]
        return Refreshed(
            self.read + other.read, self.decided + other.decided, self.moved + other.moved, min(times, default=None)
        )


def due_page(
    client: DynamoDBClient, table: str, shard: str, now_ms: int, after: Position | None, limit: int = PROFILES_AT_ONCE
) -> DuePage:
    """The next at most `limit` profiles of a shard that were due by `now_ms`, as the index was up to a second ago."""
    request: dict[str, Any] = {
        "TableName": table,
        "IndexName": INDEX,
        "KeyConditionExpression": "due_shard = :shard AND due_ms <= :now",
        "ExpressionAttributeValues": {":shard": {"S": shard}, ":now": {"N": str(now_ms)}},
        "Limit": limit,
    }
    if after:
        request["ExclusiveStartKey"] = after
    answer = client.query(**request)
    items: Any = answer["Items"]
    first = int(items[0]["due_ms"]["N"]) if items else None
    return DuePage([item["pk"]["S"] for item in items], first, answer.get("LastEvaluatedKey"))


def refresh_shards(
    shards: Iterable[str],
    due: Callable[[str, Position | None], DuePage],
    rescorer: Rescorer,
    go_on: Callable[[], bool],
    broke_off: Callable[[str, Exception], None],
) -> tuple[Refreshed, list[str]]:
    """Refreshes each shard: what came of it, and the shards that have more.

    A shard that breaks off at a busy table or profile stops no other: `broke_off` is told of it, and the next tick
    finds what it has left. Raises what else the table and `due` raise.
    """
    total = Refreshed()
    waiting: list[str] = []
    for shard in shards:
        try:
            done, ended = refresh_shard(partial(due, shard), rescorer, go_on)
        except (TableOverloaded, TooManyRaces) as error:
            broke_off(shard, error)
            continue
        total += done
        if not ended:
            waiting.append(shard)
    return total, waiting


def refresh_shard(
    due: Callable[[Position | None], DuePage], rescorer: Rescorer, go_on: Callable[[], bool]
) -> tuple[Refreshed, bool]:
    """Decides on those of a shard who are due, a page at least and then while `go_on` says so.

    Each gets a new due date, later than the rescorer's moment, with the decision, so whoever was reached is not due any
    more, and repeating it after a failure anywhere goes on with the others. Returns what came of it, and whether that
    was the shard's end. Raises TooManyRaces and what the table and `due` raise.
    """
    total = Refreshed()
    position: Position | None = None
    while True:
        page = due(position)
        rescored = Rescored()
        for keys in batched(page.keys, READS_A_CALL, strict=False):
            rescored += rescorer.rescore(rescorer.heads(keys), lambda profile: not _is_due(profile, rescorer.moment))
        total += Refreshed(len(page.keys), rescored.decided, rescored.moved, page.first_due_ms)
        position = page.next
        if position is None or not go_on():
            return total, position is None


def _is_due(profile: StoredProfile, moment: Moment) -> bool:
    return profile.due_ms is not None and profile.due_ms <= moment.as_of_ms
