"""The DynamoDB table of profiles, read and written by the batch."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import batched
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.aws.backoff import Sleep, attempts
from shared.identity.keys import anonymous
from shared.profiles.item import (
    Item,
    ItemsUnreadable,
    decode_profile,
    decode_profiles,
    encode_profile,
    removed_attributes,
)
from shared.profiles.sealed import SEALED, Volume, decode_volume, encode_volume, volume_key, volume_number
from shared.profiles.stored_profile import StoredProfile, item_key
from shared.telemetry.errors import AnonymousError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

READS_A_CALL = 100
WRITES_A_CALL = 25
CALLS_AT_MOST = 10

LOST_RACE = frozenset({"ConditionalCheckFailed", "DuplicateItem"})
TRANSIENT_ERRORS = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "ThrottlingError",
        "TransactionConflict",
    }
)
REFUSED_ITEM = frozenset({"ItemCollectionSizeLimitExceeded", "ValidationError"})


class ProfileNotWritten(AnonymousError):
    """DynamoDB refused profiles for a reason that trying again at once does not cure."""

    code: str | None = None
    """DynamoDB's word for it."""

    def __init__(self, message: str, refused: Iterable[str] = (), lost: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.refused = frozenset(refused)
        """The keys of those that it does not take for what is in them; if any, all others are written or lost."""
        self.lost = frozenset(lost)
        """The keys of those that lost a race."""


class TableOverloaded(AnonymousError):
    """The table still throttled after every attempt; nothing is lost, the same input can be given again."""


class ProfileTable:
    """Batched reads, and batched writes that each happen only if the profile is still as it was read."""

    def __init__(self, client: DynamoDBClient, name: str, sleep: Sleep = time.sleep) -> None:
        self._client = client
        self._name = name
        self._sleep = sleep

    def get(self, key: str) -> StoredProfile | None:
        """The profile, possibly as it was up to a second ago, at half the cost of a consistent read."""
        answer = self._client.get_item(TableName=self._name, Key=item_key(key))
        return decode_profile(answer["Item"]) if "Item" in answer else None

    def get_whole(self, key: str) -> StoredProfile | None:
        """The same with its sealed events, which are read consistently where there are some.

        Raises what `load` raises.
        """
        profile = self.get(key)
        return self.load([key]).get(key) if profile and profile.sealed else profile

    def load(self, keys: Iterable[str]) -> dict[str, StoredProfile]:
        """The profiles that exist among the distinct `keys`, with their sealed events.

        Raises TableOverloaded and ItemsUnreadable.
        """
        profiles, unreadable = self._heads(keys)
        return self._completed([*profiles.values()], unreadable)

    def heads(self, keys: Iterable[str]) -> dict[str, StoredProfile]:
        """The same without their sealed events, which nothing can be decided without."""
        profiles, unreadable = self._heads(keys)
        if unreadable:
            raise ItemsUnreadable(profiles, unreadable)
        return profiles

    def versions(self, keys: Iterable[str]) -> dict[str, int]:
        """The version of each profile that is there, by key: a small answer, where no more is asked. An item that is
        broken has none. Raises TableOverloaded."""
        items = self._read(map(item_key, keys), "pk, sk, version")
        return {item["pk"]["S"]: int(item["version"]["N"]) for item in items if "N" in item.get("version", {})}

    def complete(self, profiles: Iterable[StoredProfile]) -> dict[str, StoredProfile]:
        """The profiles with their sealed events; whoever changed since they were read is read anew, or gone.

        Raises TableOverloaded and ItemsUnreadable.
        """
        return self._completed([*profiles], frozenset())

    def save(self, profiles: Sequence[StoredProfile]) -> set[str]:
        """Writes `profiles`, at most one a key, each only if the table holds the version before it.

        Volumes come first, since a profile leaves out what is in them.
        Returns the keys that lost a race: another writer came first, and what it wrote must be read and merged.
        A write that took effect although its answer was lost counts as lost too; merging again finds nothing new.
        Raises ProfileNotWritten, or TableOverloaded when throttled throughout; other profiles may be written by then,
        and are where ProfileNotWritten says whom DynamoDB refused for what is in their items.
        """
        lost: set[str] = set()
        refused: dict[str, str] = {}
        self._write([write for profile in profiles for write in _volume_writes(profile)], lost, refused)
        settled = lost | refused.keys()
        self._write([_head_write(profile) for profile in profiles if profile.key not in settled], lost, refused)
        if refused:
            raise ProfileNotWritten("; ".join(refused.values()), refused, lost)
        return lost

    def delete(self, profile: StoredProfile) -> bool:
        """Removes a profile's item if the table still holds that version of it; whether it did."""
        return self._delete(item_key(profile.key), profile.version)

    def sweep(self, key: str, profile: StoredProfile | None) -> None:
        """Removes the volumes of former lives of the profile at `key`, which is there as `profile` or not at all."""
        until = None
        if profile is not None:
            until = profile.version if profile.sealed is None else profile.sealed.since
        for item in self._query_volumes(key):
            version = int(item["version"]["N"])
            if until is None or version <= until:
                self._delete(volume_key(key, volume_number(item)), version)

    # ---- Requests ----

    def _heads(self, keys: Iterable[str]) -> tuple[dict[str, StoredProfile], frozenset[str]]:
        """The profiles without their sealed events, and the keys of those that are none."""
        try:
            return decode_profiles(self._read([item_key(key) for key in keys])), frozenset()
        except ItemsUnreadable as error:
            return error.profiles, error.unreadable

    def _completed(self, waiting: Sequence[StoredProfile], unreadable: frozenset[str]) -> dict[str, StoredProfile]:
        done: dict[str, StoredProfile] = {}
        behind: list[str] = []
        for _ in attempts(CALLS_AT_MOST, self._sleep):
            volumes, broken = self._volumes(waiting)
            unreadable |= broken
            behind = []
            for profile in waiting:
                sealed = profile.sealed and profile.sealed.of(volumes.get(profile.key, {}))
                if profile.sealed is None or sealed is not None:
                    done[profile.key] = replace(profile, sealed=sealed)
                else:
                    behind.append(profile.key)
            if not behind:
                break
            again, lost = self._heads(behind)
            waiting = [*again.values()]
            unreadable |= lost
        unreadable = unreadable.union(behind)
        if unreadable:
            raise ItemsUnreadable({key: one for key, one in done.items() if key not in unreadable}, unreadable)
        return done

    def _volumes(self, profiles: Sequence[StoredProfile]) -> tuple[dict[str, dict[int, Volume]], frozenset[str]]:
        """The volumes of profiles, by key and number, and the keys of those of whom some are no volumes."""
        volumes: dict[str, dict[int, Volume]] = {}
        broken = set[str]()
        keys = [volume_key(p.key, number) for p in profiles if p.sealed for number in range(len(p.sealed.least))]
        for item in self._read(keys) if keys else ():
            key = item["pk"]["S"]
            try:
                volumes.setdefault(key, {})[volume_number(item)] = decode_volume(item)
            except (AttributeError, KeyError, TypeError, ValueError):
                broken.add(key)
        return volumes, frozenset(broken)

    def _read(self, keys: Iterable[dict[str, Any]], attributes: str | None = None) -> list[Item]:
        """The items that exist at the distinct `keys`; these of their attributes alone, where any are named."""
        items: list[Item] = []
        asked: dict[str, Any] = {"ProjectionExpression": attributes} if attributes else {}
        for some in batched(keys, READS_A_CALL, strict=False):
            request: Any = {self._name: {"Keys": [*some], "ConsistentRead": True, **asked}}
            for _ in attempts(CALLS_AT_MOST, self._sleep):
                answer = self._client.batch_get_item(RequestItems=request)
                items += answer["Responses"].get(self._name, ())
                request = answer.get("UnprocessedKeys")
                if not request:
                    break
            else:
                raise TableOverloaded(f"keys still unread after {CALLS_AT_MOST} attempts")
        return items

    def _write(self, writes: Sequence[Write], lost: set[str], refused: dict[str, str]) -> None:
        """Makes `writes`, and notes whose `lost` a race and whose DynamoDB `refused`."""
        pending = writes
        for _ in attempts(CALLS_AT_MOST, self._sleep):
            pending = self._attempt(pending, lost, refused)
            if not pending:
                return
        raise TableOverloaded(f"{len(pending)} profiles still unwritten after {CALLS_AT_MOST} attempts")

    def _attempt(self, writes: Sequence[Write], lost: set[str], refused: dict[str, str]) -> list[Write]:
        """Tries once; gives the writes that were throttled."""
        throttled: list[Write] = []
        for some in batched(writes, WRITES_A_CALL, strict=False):
            answer = self._client.batch_execute_statement(Statements=[write.statement(self._name) for write in some])
            for write, response in zip(some, answer["Responses"], strict=True):
                code = response.get("Error", {}).get("Code")
                if code in LOST_RACE:
                    lost.add(write.key)
                elif code in TRANSIENT_ERRORS:
                    throttled.append(write)
                elif code in REFUSED_ITEM:
                    refused[write.key] = _refusal(write, code)
                elif code:
                    refusal = ProfileNotWritten(_refusal(write, code))
                    refusal.code = code
                    raise refusal
        return throttled

    def _delete(self, key: dict[str, Any], version: int) -> bool:
        try:
            self._client.delete_item(
                TableName=self._name,
                Key=key,
                ConditionExpression="version = :read",
                ExpressionAttributeValues={":read": {"N": str(version)}},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _query_volumes(self, key: str) -> list[Item]:
        """Key and version of all volumes that stand under a profile's key, whoever left them there."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="pk = :key AND begins_with(sk, :sealed)",
            ExpressionAttributeValues={":key": {"S": key}, ":sealed": {"S": SEALED}},
            ProjectionExpression="pk, sk, version",
            ConsistentRead=True,
        )
        return [item for page in pages for item in page["Items"]]


class Write(NamedTuple):
    """One item, written only over the version before it."""

    item: Item
    before: int | None
    """The version that it is written over; None for an item that is not there yet."""
    removed: tuple[str, ...] = ()
    """Attributes that go."""

    @property
    def key(self) -> str:
        """Of the profile."""
        key: str = self.item["pk"]["S"]
        return key

    def statement(self, table: str) -> Any:
        """As PartiQL has it."""
        item = dict(self.item)
        if self.before is None:
            places = ", ".join(f"'{name}': ?" for name in item)
            return {"Statement": f'INSERT INTO "{table}" VALUE {{{places}}}', "Parameters": list(item.values())}
        key = [item.pop("pk"), item.pop("sk")]
        before = {"N": str(self.before)}
        changes = " ".join(f'SET "{name}"=?' for name in item)
        changes += "".join(f' REMOVE "{name}"' for name in self.removed)
        return {
            "Statement": f'UPDATE "{table}" {changes} WHERE "pk"=? AND "sk"=? AND "version"=?',
            "Parameters": [*item.values(), *key, before],
        }


def _head_write(profile: StoredProfile) -> Write:
    before = None if profile.version == profile.born + 1 else profile.version - 1
    return Write(encode_profile(profile), before, removed_attributes(profile))


def _volume_writes(profile: StoredProfile) -> list[Write]:
    volumes = (profile.sealed and profile.sealed.volumes) or ()
    return [
        Write(encode_volume(profile.key, number, volume), volume.replaces or None)
        for number, volume in enumerate(volumes)
        if volume.replaces is not None
    ]


def _refusal(write: Write, code: str) -> str:
    return f"profile {anonymous(write.key)} ({len(write.item['state']['B'])} bytes of state) was refused: {code}"
