"""Everyone decided on anew, segment by segment of the table, page by page, so that it can break off anywhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from shared.backoff import Sleep, attempts
from shared.clock import Moment
from shared.deciding import decide
from shared.decision import Decision
from shared.errors import AnonymousError
from shared.histories import histories
from shared.profile_table import PROFILE, Item, ProfileTable, StoredProfile, decode_profile
from shared.run_parts import span
from shared.transitions import Cause
from shared.update import RACES_AT_MOST, TooManyRaces

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from shared.bundle import Bundle

type Cursor = tuple[str, str]
"""Partition and sort key of the last item that was read."""
type Page = tuple[Sequence[StoredProfile], Cursor | None]
"""Profiles, and from where the scan goes on; None at the end."""


class NoBundle(AnonymousError):
    """There is none, or the live one does not load; the message says why."""


class SegmentProgress(msgspec.Struct, frozen=True):
    """How far one segment of the table is, and what came of it. Times are UTC milliseconds."""

    segment: int
    segments: int
    since_ms: int
    """Decisions of the same model as of this instant or later stand as they are."""
    started_ms: int
    updated_ms: int
    model_version: str | None = None
    """The model that this segment is decided with; None until the first page."""
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


def scan_page(
    client: DynamoDBClient, table: str, segment: int, segments: int, after: Cursor | None, limit: int | None = None
) -> Page:
    """The profiles among the next items of a segment, at most 1 MB or `limit` items, possibly a second old."""
    request: dict[str, Any] = {
        "TableName": table,
        "Segment": segment,
        "TotalSegments": segments,
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
    return [decode_profile(item) for item in items], (last["pk"]["S"], last["sk"]["S"]) if last else None


def rescore_segment(
    progress: SegmentProgress,
    scan: Callable[[Cursor | None], Page],
    table: ProfileTable,
    live: Callable[[], Bundle],
    clock: Callable[[], Moment],
    keep: Callable[[SegmentProgress], None],
    go_on: Callable[[], bool],
    sleep: Sleep = time.sleep,
) -> SegmentProgress:
    """Goes on from `progress`, a page at least and then while `go_on` says so; `keep` is given it after every page.

    Whatever happens between two calls of `keep`, going on from what was kept last decides on nobody twice.
    `live` gives the live bundle, and the segment ends early when that is another than it began with.
    Raises TooManyRaces, and what the table, `live` and `keep` raise.
    """
    while not progress.done:
        bundle, moment = live(), clock()
        if progress.model_version not in (None, bundle.bundle_id):
            progress = _later(progress, moment, done=True, superseded=True, cursor=None)
        else:
            profiles, cursor = scan(progress.cursor)
            stands = partial(_stands, bundle, progress.since_ms)
            decided, moved = rescore(profiles, table, bundle, moment, stands, sleep)
            progress = _later(
                progress,
                moment,
                model_version=bundle.bundle_id,
                read=progress.read + len(profiles),
                decided=progress.decided + decided,
                moved=progress.moved + moved,
                cursor=cursor,
                done=cursor is None,
            )
        keep(progress)
        if not go_on():
            break
    return progress


def rescore(
    profiles: Iterable[StoredProfile],
    table: ProfileTable,
    bundle: Bundle,
    moment: Moment,
    stands: Callable[[StoredProfile], bool],
    sleep: Sleep = time.sleep,
) -> tuple[int, int]:
    """Decides anew on those of `profiles` whose decision does not stand, and stores it.

    Each is written only as it was read; where another writer came first, the profile is read again. Who moves does so
    because of the model if the decision before was another one's, else because of the events that came when no model
    was known, or because of time. Returns how many were
    decided on, and how many of them moved. Raises TooManyRaces and what the table raises.
    """
    decided = moved = 0
    for _ in attempts(RACES_AT_MOST, sleep):
        due = {p.key: p for p in profiles if p.is_someone and not stands(p)}
        decisions = decide(histories(due.values()), {key: p.decision for key, p in due.items()}, bundle, moment)
        after = [_decided(due[key], decision) for key, decision in decisions.items()]
        lost = table.save(after)
        done = [profile for profile in after if profile.key not in lost]
        decided += len(done)
        moved += sum(profile.moved is not None for profile in done)
        if not lost:
            return decided, moved
        profiles = table.load(sorted(lost)).values()
    raise TooManyRaces(f"{len(lost)} profiles were changed by others in each of {RACES_AT_MOST} attempts")


def _later(progress: SegmentProgress, moment: Moment, **changes: Any) -> SegmentProgress:
    return msgspec.structs.replace(progress, updated_ms=moment.scored_at_ms, **changes)


def _stands(bundle: Bundle, since_ms: int, profile: StoredProfile) -> bool:
    decision = profile.decision
    if decision is None or profile.waits_since_ms is not None:
        return False
    return decision.model_version == bundle.bundle_id and decision.as_of_ms >= since_ms


def _decided(profile: StoredProfile, decision: Decision) -> StoredProfile:
    before = profile.decision
    by_itself = Cause.TIME if profile.waits_since_ms is None else Cause.EVENTS
    cause = by_itself if before and before.model_version == decision.model_version else Cause.MODEL
    stays = before is not None and before.segment == decision.segment
    moved = None if stays else cause
    return replace(profile, version=profile.version + 1, decision=decision, waits_since_ms=None, moved=moved)


def report(parts: Sequence[SegmentProgress], expected: int) -> Mapping[str, Any]:
    """The run's sums; `unfinished` counts those of the `expected` segments that are not at their end."""
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
