"""A page of the table as rows of the tables that are exported, without those who are to be nowhere any more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared.destinations.deliveries import PARTITION, ROW
from shared.exports import ledger_rows, rows
from shared.exports.ledger_rows import recorded_ms, whose
from shared.exports.plan import Plan
from shared.exports.rows import Names, Rows
from shared.exports.tables import CUSTOMERS, DECISIONS, DELIVERIES, EXPOSURES, MOVES, ORDERS, STATES
from shared.features import BrokenState, UnknownStateVersion
from shared.features.time_zone import TimeZone
from shared.identity.consents import NEVER, Mark
from shared.identity.keys import customer_key
from shared.ledger import audience_rows
from shared.ledger.rows import PREFIX as TRANSITION
from shared.profiles.histories import BROKEN, histories, parts, unreadable
from shared.profiles.item import Item, ItemsUnreadable, decode_profiles
from shared.profiles.members import MOVES as MOVES_OF
from shared.profiles.stored_profile import PROFILE, StoredProfile
from shared.profiles.unwritten import Unwritten

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from shared.profiles.marks import Marks
    from shared.profiles.table import ProfileTable
    from shared.recommending.recommender import Recommender

type Cursor = tuple[str, str]
"""Partition and sort key of the last item that was read."""

_WANTED = (
    "(begins_with(pk, :customer) AND (sk = :profile OR begins_with(sk, :transition)))"
    " OR (begins_with(pk, :moves) AND (begins_with(sk, :transition) OR begins_with(sk, :audience)))"
    " OR (begins_with(pk, :deliveries) AND begins_with(sk, :row))"
)
_VALUES = {
    ":customer": customer_key(""),
    ":profile": PROFILE,
    ":transition": TRANSITION,
    ":moves": MOVES_OF,
    ":audience": audience_rows.PREFIX,
    ":deliveries": PARTITION,
    ":row": ROW,
}


def scan_page(
    client: DynamoDBClient, table: str, partition: int, partitions: int, after: Cursor | None
) -> tuple[list[Item], Cursor | None]:
    """What is exported of the next items of a partition, at most 1 MB, and where the scan goes on; None at the end.

    Any of it may be as it was up to a second ago.
    """
    request: Any = {
        "TableName": table,
        "Segment": partition,
        "TotalSegments": partitions,
        "FilterExpression": _WANTED,
        "ExpressionAttributeValues": {name: {"S": value} for name, value in _VALUES.items()},
    }
    if after:
        request["ExclusiveStartKey"] = {"pk": {"S": after[0]}, "sk": {"S": after[1]}}
    answer = client.scan(**request)
    last: Any = answer.get("LastEvaluatedKey")
    return [*answer["Items"]], (last["pk"]["S"], last["sk"]["S"]) if last else None


@dataclass
class Counts:
    """Profiles of customers that were read, by what became of them: the rest of them are rows."""

    read: int = 0
    erased: int = 0
    """Gone meanwhile, or about to go."""
    unreadable: int = 0


@dataclass
class Reader:
    """Makes rows of items, for one plan."""

    table: ProfileTable
    marks: Marks
    names: Names
    zone: TimeZone
    plan: Plan
    counts: Counts = field(default_factory=Counts)
    unreadable: dict[str, Unwritten] = field(default_factory=dict)
    """Profiles that this code cannot read, and why."""
    recommender: Recommender | None = None
    """The live one, if there is one."""

    def rows(self, items: Sequence[Item]) -> Iterator[tuple[str, Rows]]:
        """The rows that items become, by the table's name. Raises what tables and marks raise."""
        heads, others = self._heads(items)
        broken = self.counts.unreadable
        complete = self._read(lambda: self.table.complete(heads)) if heads else []
        # Marks come last: who has none by now was read by a function that an erasure begun since waits for.
        marks = self.marks.load(sorted({*(profile.key for profile in complete), *map(whose, others)}))
        known = [profile for profile in complete if not _is_refused(marks.get(profile.key))]
        self.counts.erased += len(heads) - (self.counts.unreadable - broken) - len(known)
        for some in parts(known):
            yield from self._of_profiles(some)
        yield from self._of_others([item for item in others if _is_of_this_life(item, marks.get(whose(item)))])

    def _heads(self, items: Sequence[Item]) -> tuple[list[StoredProfile], list[Item]]:
        profiles = [item for item in items if item["sk"]["S"] == PROFILE]
        self.counts.read += len(profiles)
        others = [item for item in items if item["sk"]["S"] != PROFILE]
        return self._read(lambda: decode_profiles(profiles)), others

    def _read(self, read: Callable[[], dict[str, StoredProfile]]) -> list[StoredProfile]:
        try:
            return [*read().values()]
        except ItemsUnreadable as error:
            self._leave_out(dict.fromkeys(error.unreadable, BROKEN))
            return [*error.profiles.values()]

    def _leave_out(self, problems: dict[str, Unwritten]) -> None:
        self.unreadable.update(problems)
        self.counts.unreadable += len(problems)

    def _of_profiles(self, profiles: Sequence[StoredProfile]) -> Iterator[tuple[str, Rows]]:
        try:
            whole = histories(profiles)
        except (BrokenState, UnknownStateVersion):
            problems = unreadable(profiles)
            self._leave_out(problems)
            profiles = [profile for profile in profiles if profile.key not in problems]
            whole = histories(profiles)
        known = rows.before(whole, self.plan.as_of_ms)
        keys = [profile.key for profile in profiles]
        made = [profile.decision for profile in profiles]
        as_of_ms = self.plan.as_of_ms
        columns = rows.customers(keys, made, known, self.names, as_of_ms, self.zone)
        yield CUSTOMERS.name, {**columns, **rows.recommended(keys, made, known, as_of_ms, self.recommender)}
        yield STATES.name, rows.states(known)
        yield ORDERS.name, rows.orders(known)
        yield EXPOSURES.name, rows.exposures(known)
        new = [(p.key, p.decision) for p in profiles if p.decision and self.plan.is_new(p.decision.scored_at_ms)]
        yield DECISIONS.name, rows.decisions([key for key, _ in new], [one for _, one in new], self.names)

    def _of_others(self, items: Iterable[Item]) -> Iterator[tuple[str, Rows]]:
        new = [item for item in items if self.plan.is_new(recorded_ms(item))]
        sent = [item for item in new if item["pk"]["S"].startswith(PARTITION)]
        yield DELIVERIES.name, ledger_rows.deliveries(sent)
        yield MOVES.name, ledger_rows.moves([item for item in new if not item["pk"]["S"].startswith(PARTITION)])


def _is_refused(mark: Mark | None) -> bool:
    return mark is not None and mark.counts_from_ms == NEVER


def _is_of_this_life(item: Item, mark: Mark | None) -> bool:
    """Whether a row is to stay of one who was erased, and perhaps came back since."""
    if mark is None or mark.counts_from_ms is None:
        return True
    if "version" in item:
        return not _is_refused(mark) and int(item["version"]["N"]) > mark.ended
    return int(item["at_ms"]["N"]) >= mark.counts_from_ms
