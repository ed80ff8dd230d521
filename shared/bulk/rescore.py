"""Everyone decided on anew, segment by segment of the table, page by page, so that it can break off anywhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from shared.aws.backoff import Sleep
from shared.bulk.run_parts import span
from shared.clock import Moment
from shared.decisions.deciding import decide
from shared.decisions.decision import Decision
from shared.decisions.transitions import Cause
from shared.features import BrokenState, UnknownStateVersion
from shared.profiles.histories import BROKEN, histories, parts, unreadable
from shared.profiles.races import RACES_AT_MOST, TooManyRaces, races
from shared.profiles.table import PROFILE, Item, ItemsUnreadable, ProfileTable, StoredProfile, decode_profiles
from shared.profiles.unwritten import Unwritten
from shared.telemetry.errors import AnonymousError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from shared.models.bundle import Bundle

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


class PageUnreadable(ItemsUnreadable):
    """Some items of a page are no profiles that this code knows; it has the others, and from where the scan goes on."""

    def __init__(self, error: ItemsUnreadable, cursor: Cursor | None) -> None:
        super().__init__(error.profiles, error.unreadable)
        self.cursor = cursor


def scan_page(
    client: DynamoDBClient, table: str, segment: int, segments: int, after: Cursor | None, limit: int | None = None
) -> Page:
    """The profiles among the next items of a segment, at most 1 MB or `limit` items, possibly a second old.

    Raises PageUnreadable.
    """
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
    cursor = (last["pk"]["S"], last["sk"]["S"]) if last else None
    try:
        return [*decode_profiles(items).values()], cursor
    except ItemsUnreadable as error:
        raise PageUnreadable(error, cursor) from error


def rescore_segment(
    progress: SegmentProgress,
    scan: Callable[[Cursor | None], Page],
    table: ProfileTable,
    live: Callable[[], Bundle],
    clock: Callable[[], Moment],
    keep: Callable[[SegmentProgress], None],
    go_on: Callable[[], bool],
    sleep: Sleep = time.sleep,
    unreadable: dict[str, Unwritten] | None = None,
) -> SegmentProgress:
    """Goes on from `progress`, a page at least and then while `go_on` says so; `keep` is given it after every page.

    Whatever happens between two calls of `keep`, going on from what was kept last decides on nobody twice.
    `live` gives the live bundle, and the segment ends early when that is another than it began with. Profiles that this
    code cannot read are left as they are and noted in `unreadable`.
    Raises TooManyRaces, and what the table, `live` and `keep` raise.
    """
    problems = {} if unreadable is None else unreadable
    while not progress.done:
        bundle, moment = live(), clock()
        if progress.model_version not in (None, bundle.bundle_id):
            progress = _later(progress, moment, done=True, superseded=True, cursor=None)
        else:
            try:
                profiles, cursor = scan(progress.cursor)
            except PageUnreadable as error:
                profiles, cursor = [*error.profiles.values()], error.cursor
                problems |= dict.fromkeys(error.unreadable, BROKEN)
            stands = partial(_stands, bundle, progress.since_ms)
            decided, moved = rescore(profiles, table, bundle, moment, stands, sleep, problems)
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
    unreadable: dict[str, Unwritten] | None = None,
) -> tuple[int, int]:
    """Decides anew on those of `profiles` whose decision does not stand, and stores it.

    Each is written only as it was read; where another writer came first, the profile is read again. Who moves does so
    because of the model if the decision before was another one's, else because of the events that came when no model
    was known, or because of time. Returns how many were
    decided on, and how many of them moved. Those that this code cannot read are left as they are and noted in
    `unreadable`. Raises TooManyRaces and what the table raises, once it has been tried with all.
    """
    decided = moved = 0
    problems = {} if unreadable is None else unreadable
    for _ in races(sleep):
        lost = set[str]()
        for some in parts(profile for profile in profiles if profile.is_someone and not stands(profile)):
            due = {profile.key: profile for profile in some}
            after = [_decided(due[key], decision) for key, decision in _decisions(due, bundle, moment, problems)]
            late = table.save(after)
            done = [profile for profile in after if profile.key not in late]
            decided += len(done)
            moved += sum(profile.moved is not None for profile in done)
            lost |= late
        if not lost:
            return decided, moved
        profiles = load_readable(table, sorted(lost), problems)
    raise TooManyRaces(f"{len(lost)} profiles were changed by others in each of {RACES_AT_MOST} attempts")


def load_readable(table: ProfileTable, keys: Sequence[str], problems: dict[str, Unwritten]) -> list[StoredProfile]:
    """The profiles that exist among `keys`; those whose items cannot be read are noted in `problems`."""
    try:
        return [*table.load(keys).values()]
    except ItemsUnreadable as error:
        problems |= dict.fromkeys(error.unreadable, BROKEN)
        return [*error.profiles.values()]


def _decisions(
    due: Mapping[str, StoredProfile], bundle: Bundle, moment: Moment, problems: dict[str, Unwritten]
) -> Iterable[tuple[str, Decision]]:
    before = {key: profile.decision for key, profile in due.items()}
    try:
        known = histories(due.values())
    except (BrokenState, UnknownStateVersion):
        problems |= unreadable(due.values())
        known = histories(profile for key, profile in due.items() if key not in problems)
    return decide(known, before, bundle, moment).items()


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
