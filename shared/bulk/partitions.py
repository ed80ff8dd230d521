"""Everyone decided on anew, partition by partition of the table, page by page, so that it can break off anywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from shared.bulk.rescore import Rescorer
from shared.bulk.run_parts import span
from shared.clock import Moment
from shared.profiles.histories import BROKEN
from shared.profiles.item import Item, ItemsUnreadable, decode_profiles
from shared.profiles.stored_profile import PROFILE, StoredProfile
from shared.telemetry.errors import AnonymousError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from shared.models.bundle import Bundle
    from shared.models.live_bundle import LiveBundle

type Cursor = tuple[str, str]
"""Partition and sort key of the last item that was read."""
type Page = tuple[Sequence[StoredProfile], Cursor | None]
"""Profiles, and from where the scan goes on; None at the end."""


class NoBundle(AnonymousError):
    """There is none, or the live one does not load; the message says why."""


class PartitionProgress(msgspec.Struct, frozen=True):
    """How far one partition of the table is, and what came of it. Times are UTC milliseconds."""

    partition: int = msgspec.field(name="segment")
    """As DynamoDB calls it, and so do the objects that are stored."""
    partitions: int = msgspec.field(name="segments")
    since_ms: int
    """Decisions of the same model as of this instant or later stand as they are."""
    started_ms: int
    updated_ms: int
    model_version: str | None = None
    """The model that this partition is decided with; None until the first page."""
    read: int = 0
    """Profiles read."""
    decided: int = 0
    """Profiles decided anew and written."""
    moved: int = 0
    """Of these, those that came into another segment, or into their first."""
    cursor: Cursor | None = None
    done: bool = False
    superseded: bool = False
    """Another model went live meanwhile: its own run decides on everyone."""

    @classmethod
    def begin(cls, partition: int, partitions: int, since_ms: int, moment: Moment) -> PartitionProgress:
        """Nothing done yet. Where past data is replayed, the instant that stands for now lies before `since_ms`."""
        now_ms = moment.scored_at_ms
        return cls(partition, partitions, min(since_ms, moment.as_of_ms), now_ms, now_ms)


class PageUnreadable(ItemsUnreadable):
    """Some items of a page are no profiles that this code knows; it has the others, and from where the scan goes on."""

    def __init__(self, error: ItemsUnreadable, cursor: Cursor | None) -> None:
        super().__init__(error.profiles, error.unreadable)
        self.cursor = cursor


def scan_page(
    client: DynamoDBClient, table: str, partition: int, partitions: int, after: Cursor | None, limit: int | None = None
) -> Page:
    """The profiles among the next items of a partition, at most 1 MB or `limit` items, possibly a second old.

    Raises PageUnreadable.
    """
    request: dict[str, Any] = {
        "TableName": table,
        "Segment": partition,
        "TotalSegments": partitions,
        "FilterExpression": "sk = :profile",
        "ExpressionAttributeValues": {":profile": {"S": PROFILE}},
    }
    if after:
        request["ExclusiveStartKey"] = {"pk": {"S": after[0]}, "sk": {"S": after[1]}}
    if limit:
        request["Limit"] = limit
    answer = client.scan(**request)
    items: list[Item] = answer["Items"]
    last: Any = answer.get("LastEvaluatedKey")
    cursor = (last["pk"]["S"], last["sk"]["S"]) if last else None
    try:
        return [*decode_profiles(items).values()], cursor
    except ItemsUnreadable as error:
        raise PageUnreadable(error, cursor) from error


def published(live: LiveBundle, monotonic_s: float) -> Bundle:
    """The live bundle. Raises NoBundle."""
    bundle = live.get(monotonic_s)
    # A bundle that still works is not the one that was published, and deciding with it again is of no use.
    if bundle is None or live.problem:
        raise NoBundle(live.problem or "no bundle is published")
    return bundle


def resumed(kept: PartitionProgress | None, begun: PartitionProgress) -> PartitionProgress:
    """What was kept of a partition, unless that is nothing, or of a run with another number of partitions."""
    return begun if kept is None or kept.partitions != begun.partitions else kept


def rescore_partition(
    progress: PartitionProgress,
    scan: Callable[[Cursor | None], Page],
    rescorer: Callable[[], Rescorer],
    keep: Callable[[PartitionProgress], None],
    go_on: Callable[[], bool],
) -> PartitionProgress:
    """Goes on from `progress`, a page at least and then while `go_on` says so; `keep` is given it after every page.

    Whatever happens between two calls of `keep`, going on from what was kept last decides on nobody twice. `rescorer`
    gives one with the live bundle as of now, and the partition ends early when that is another bundle than it began
    with. Raises TooManyRaces, and what the table, `scan`, `rescorer` and `keep` raise.
    """
    while not progress.done:
        now = rescorer()
        if progress.model_version in (None, now.bundle.bundle_id):
            progress = _page_done(progress, scan, now)
        else:
            progress = _later(progress, now.moment, done=True, superseded=True, cursor=None)
        keep(progress)
        if not go_on():
            break
    return progress


def _page_done(progress: PartitionProgress, scan: Callable[[Cursor | None], Page], now: Rescorer) -> PartitionProgress:
    try:
        profiles, cursor = scan(progress.cursor)
    except PageUnreadable as error:
        profiles = [*error.profiles.values()]
        cursor = error.cursor
        now.unreadable.update(dict.fromkeys(error.unreadable, BROKEN))
    rescored = now.rescore(profiles, partial(_stands, now.bundle, progress.since_ms))
    return _later(
        progress,
        now.moment,
        model_version=now.bundle.bundle_id,
        read=progress.read + len(profiles),
        decided=progress.decided + rescored.decided,
        moved=progress.moved + rescored.moved,
        cursor=cursor,
        done=cursor is None,
    )


def _later(progress: PartitionProgress, moment: Moment, **changes: Any) -> PartitionProgress:
    return msgspec.structs.replace(progress, updated_ms=moment.scored_at_ms, **changes)


def _stands(bundle: Bundle, since_ms: int, profile: StoredProfile) -> bool:
    decision = profile.decision
    if decision is None or profile.waits_since_ms is not None:
        return False
    same = (decision.model_version, decision.audiences_version) == (bundle.bundle_id, bundle.audiences.version)
    return same and decision.as_of_ms >= since_ms


def report(parts: Sequence[PartitionProgress], expected: int) -> Mapping[str, Any]:
    """The run's sums; `unfinished` counts those of the `expected` partitions that are not at their end."""
    return {
        "model_versions": sorted({part.model_version for part in parts if part.model_version}),
        "superseded": any(part.superseded for part in parts),
        "segments": expected,
        "unfinished": expected - sum(part.done for part in parts),
        "read": sum(part.read for part in parts),
        "decided": sum(part.decided for part in parts),
        "moved": sum(part.moved for part in parts),
        **span([(part.started_ms, part.updated_ms) for part in parts]),
    }
