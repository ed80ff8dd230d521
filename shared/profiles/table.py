"""The DynamoDB table of profiles: one item a profile, read and written by the batch.

`encode_profile` and `decode_profile` are the only two places that know the item.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import batched
from typing import TYPE_CHECKING, Any

from shared.aws.backoff import Sleep, attempts
from shared.decisions.decision import Decision, NextChange
from shared.decisions.transitions import Cause
from shared.identity.keys import anonymous, is_visitor, visitor_key
from shared.identity.links import Copy, Link, LinkState
from shared.models.manifests import TARGETS
from shared.profiles.due import due_shard
from shared.profiles.members import members_of
from shared.profiles.unwritten import ProfilesUnreadable
from shared.telemetry.errors import AnonymousError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Item = dict[str, Any]

NOT_MOVED = "no"
WHEN_DUE = ("due_shard", "due_ms")
OF_A_DECISION = ("decision", "member_of", *WHEN_DUE)
"""Attributes that go when a profile is nobody's any more."""
PROFILE = "profile"
"""Sort key of a profile's item; other kinds of item may stand beside it under the same partition key."""

VERSIONS_A_MILLISECOND = 1_000
"""A profile's versions begin with so many times the milliseconds of its first write, above those of any former life."""
MAX_STATE_BYTES = 350_000
"""DynamoDB takes items of up to 400 KB; the rest is left to the decision and to what comes to stand beside it."""

READS_A_CALL, WRITES_A_CALL = 100, 25
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
        self.refused, self.lost = frozenset(refused), frozenset(lost)
        """Where it was for what is in them: their keys, and those that lost a race. All others are written."""


class ItemsUnreadable(ProfilesUnreadable):
    """Some items are no profiles that this code knows."""

    def __init__(self, profiles: dict[str, StoredProfile], unreadable: Iterable[str]) -> None:
        self.profiles, self.unreadable = profiles, frozenset(unreadable)
        """The profiles that could be read, and the keys of the others."""
        names = ", ".join(sorted(map(anonymous, self.unreadable)))
        super().__init__(f"{len(self.unreadable)} profiles cannot be read: {names}")


class TableOverloaded(AnonymousError):
    """The table still throttled after every attempt; nothing is lost, the same input can be given again."""


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """What the table holds of one profile."""

    key: str
    version: int
    """One more with each write; see `VERSIONS_A_MILLISECOND` for the first."""
    state: bytes
    """The events delivered under the profile's own id; empty where there are none."""
    events: int
    """Distinct events in `state`."""
    decision: Decision | None
    link: Link | None = None
    """Of a visitor: who that is."""
    visitors: Mapping[str, Copy] = field(default_factory=dict)
    """Of a customer: their visitors' histories, by profile key."""
    moved: Cause | None = None
    """Why this version is in another segment than the version before; None where it is not."""
    counts_from_ms: int | None = None
    """Of someone who came back after a refusal: events before it do not count."""
    born: int = 0
    """Of a profile not stored yet: the version that its first write follows."""
    waits_since_ms: int | None = None
    """Since when its decision, if any, does not know all that is stored, for want of a model; None where it does."""

    @property
    def due_ms(self) -> int | None:
        """When to decide again; None for never."""
        if self.waits_since_ms is not None:
            return self.waits_since_ms
        return self.decision.due_ms if self.decision else None

    @property
    def size(self) -> int:
        """About the bytes of the item that grow with events and visitors."""
        copies = self.visitors.items()
        return len(self.state) + sum(len(key.encode()) + len(copy.state or b"") + 40 for key, copy in copies)

    @property
    def is_someone(self) -> bool:
        """Whether decisions are made on it: not on a visitor known as a customer, a shared device, or no events."""
        if self.link is not None and self.link.state is not LinkState.UNLINKED:
            return False
        return bool(self.state) or any(copy.state for copy in self.visitors.values())


def encode_profile(profile: StoredProfile) -> Item:
    """The item of a profile; an attribute that it has nothing for is left out, and an update leaves it as it was."""
    item: Item = {
        "pk": {"S": profile.key},
        "sk": {"S": PROFILE},
        "version": {"N": str(profile.version)},
        "state": {"B": profile.state},
        "events": {"N": str(profile.events)},
        # Always there, so that the stream's filter lets those who moved through and nobody else.
        "moved": {"S": profile.moved or NOT_MOVED},
    }
    if profile.counts_from_ms is not None:
        item["counts_from_ms"] = {"N": str(profile.counts_from_ms)}
    if profile.link is not None:
        item["link"] = _encode_link(profile.link)
    if profile.visitors:
        copies = {key.removeprefix(visitor_key("")): copy for key, copy in profile.visitors.items()}
        item["visitors"] = {"M": {visitor: _encode_copy(copy) for visitor, copy in copies.items()}}
    if (decision := profile.decision) is not None:
        if not is_visitor(profile.key):
            item["member_of"] = {"S": members_of(decision.segment, profile.key)}
        numbers = {
            "segment": decision.segment,
            "since_ms": decision.since_ms,
            "margin": decision.margin,
            "runner_up": decision.runner_up,
            "as_of_ms": decision.as_of_ms,
            "scored_at_ms": decision.scored_at_ms,
            "micro_segment": decision.micro_segment,
            **decision.predictions,
            "due_ms": decision.due_ms,
        }
        texts = {"intent": decision.intent, "action": decision.action, "model_version": decision.model_version}
        item["decision"] = {
            "M": {name: {"N": repr(value)} for name, value in numbers.items() if value is not None}
            | {name: {"S": text} for name, text in texts.items()}
            | ({"automated": {"BOOL": True}} if decision.automated else {})
            | ({"next_change": _encode_change(decision.next_change)} if decision.next_change else {})
        }
    if profile.due_ms is not None:
        item |= {"due_shard": {"S": due_shard(profile.key)}, "due_ms": {"N": str(profile.due_ms)}}
    return item


def removed_attributes(profile: StoredProfile) -> tuple[str, ...]:
    """What a write of the profile takes out of its item; without a new decision the one before stays."""
    if not profile.is_someone:
        return OF_A_DECISION
    return WHEN_DUE if profile.decision and profile.due_ms is None else ()


def decode_profile(item: Item) -> StoredProfile:
    """The profile of an item."""
    copies: Item = item.get("visitors", {"M": {}})["M"]
    decision = _decode_decision(item["decision"]["M"]) if "decision" in item else None
    due_ms = int(item["due_ms"]["N"]) if "due_ms" in item else None
    return StoredProfile(
        key=item["pk"]["S"],
        version=int(item["version"]["N"]),
        state=item["state"]["B"],
        events=int(item["events"]["N"]),
        decision=decision,
        link=_decode_link(item["link"]["M"]) if "link" in item else None,
        visitors={visitor_key(visitor): _decode_copy(copy["M"]) for visitor, copy in copies.items()},
        moved=_decode_cause(item.get("moved", {"S": NOT_MOVED})["S"]),
        counts_from_ms=int(item["counts_from_ms"]["N"]) if "counts_from_ms" in item else None,
        waits_since_ms=None if decision and decision.due_ms == due_ms else due_ms,
    )


def decode_profiles(items: Iterable[Item]) -> dict[str, StoredProfile]:
    """The profiles of items by key. Raises ItemsUnreadable, with those that can be read."""
    profiles: dict[str, StoredProfile] = {}
    unreadable: list[str] = []
    for item in items:
        try:
            profile = decode_profile(item)
        except (AttributeError, KeyError, TypeError, ValueError):
            unreadable.append(item["pk"]["S"])
        else:
            profiles[profile.key] = profile
    if unreadable:
        raise ItemsUnreadable(profiles, unreadable)
    return profiles


def _decode_cause(text: str) -> Cause | None:
    return None if text == NOT_MOVED else Cause(text)


def _encode_link(link: Link) -> Item:
    others = [{"S": other} for other in link.others]
    return {"M": {"customer": {"S": link.customer}, "state": {"S": link.state}, "others": {"L": others}}}


def _decode_link(item: Item) -> Link:
    others = tuple(other["S"] for other in item["others"]["L"])
    return Link(item["customer"]["S"], LinkState(item["state"]["S"]), others)


def _encode_copy(copy: Copy) -> Item:
    state = {} if copy.state is None else {"state": {"B": copy.state}}
    return {"M": {"version": {"N": str(copy.version)}, **state}}


def _decode_copy(item: Item) -> Copy:
    return Copy(int(item["version"]["N"]), item["state"]["B"] if "state" in item else None)


def _encode_change(change: NextChange) -> Item:
    numbers = {"at_ms": change.at_ms, "segment": change.segment}
    return {"M": {name: {"N": str(value)} for name, value in numbers.items()} | {"intent": {"S": change.intent}}}


def _decode_change(item: Item) -> NextChange:
    return NextChange(int(item["at_ms"]["N"]), int(item["segment"]["N"]), item["intent"]["S"])


def _decode_decision(item: Item) -> Decision:
    return Decision(
        segment=int(item["segment"]["N"]),
        since_ms=int(item["since_ms"]["N"]),
        margin=float(item["margin"]["N"]),
        runner_up=int(item["runner_up"]["N"]),
        predictions={name: float(item[name]["N"]) for name in TARGETS if name in item},
        intent=item["intent"]["S"],
        action=item["action"]["S"],
        as_of_ms=int(item["as_of_ms"]["N"]),
        scored_at_ms=int(item["scored_at_ms"]["N"]),
        model_version=item["model_version"]["S"],
        micro_segment=int(item["micro_segment"]["N"]) if "micro_segment" in item else None,
        automated="automated" in item,
        next_change=_decode_change(item["next_change"]["M"]) if "next_change" in item else None,
        due_ms=int(item["due_ms"]["N"]) if "due_ms" in item else None,
    )


class ProfileTable:
    """Batched reads, and batched writes that each happen only if the profile is still as it was read."""

    def __init__(self, client: DynamoDBClient, name: str, sleep: Sleep = time.sleep) -> None:
        self._client, self._name, self._sleep = client, name, sleep

    def get(self, key: str) -> StoredProfile | None:
        """The profile, possibly as it was up to a second ago, at half the cost of a consistent read."""
        answer = self._client.get_item(TableName=self._name, Key=_key(key))
        return decode_profile(answer["Item"]) if "Item" in answer else None

    def load(self, keys: Iterable[str]) -> dict[str, StoredProfile]:
        """The profiles that exist among the distinct `keys`. Raises TableOverloaded and ItemsUnreadable."""
        found: list[Item] = []
        for some in batched(keys, READS_A_CALL, strict=False):
            request: Any = {self._name: {"Keys": [_key(key) for key in some], "ConsistentRead": True}}
            for _ in attempts(CALLS_AT_MOST, self._sleep):
                answer = self._client.batch_get_item(RequestItems=request)
                found += answer["Responses"].get(self._name, ())
                request = answer.get("UnprocessedKeys")
                if not request:
                    break
            else:
                raise TableOverloaded(f"keys still unread after {CALLS_AT_MOST} attempts")
        return decode_profiles(found)

    def save(self, profiles: Sequence[StoredProfile]) -> set[str]:
        """Writes `profiles`, at most one a key, each only if the table holds the version before it.

        Returns the keys that lost a race: another writer came first, and what it wrote must be read and merged.
        A write that took effect although its answer was lost counts as lost too; merging again finds nothing new.
        Raises ProfileNotWritten, or TableOverloaded when throttled throughout; other profiles may be written by then,
        and are where ProfileNotWritten says whom DynamoDB refused for what is in their items.
        """
        lost: set[str] = set()
        refused: dict[str, str] = {}
        pending: Sequence[StoredProfile] = profiles
        for _ in attempts(CALLS_AT_MOST, self._sleep):
            throttled: list[StoredProfile] = []
            for some in batched(pending, WRITES_A_CALL, strict=False):
                answer = self._client.batch_execute_statement(Statements=[self._statement(profile) for profile in some])
                for profile, response in zip(some, answer["Responses"], strict=True):
                    code = response.get("Error", {}).get("Code")
                    if code in LOST_RACE:
                        lost.add(profile.key)
                    elif code in TRANSIENT_ERRORS:
                        throttled.append(profile)
                    elif code in REFUSED_ITEM:
                        refused[profile.key] = _refusal(profile, code)
                    elif code:
                        refusal = ProfileNotWritten(_refusal(profile, code))
                        refusal.code = code
                        raise refusal
            if not throttled:
                break
            pending = throttled
        else:
            raise TableOverloaded(f"{len(pending)} profiles still unwritten after {CALLS_AT_MOST} attempts")
        if refused:
            raise ProfileNotWritten("; ".join(refused.values()), refused, lost)
        return lost

    def delete(self, profile: StoredProfile) -> bool:
        """Removes a profile if the table still holds that version of it; whether it did."""
        try:
            self._client.delete_item(
                TableName=self._name,
                Key=_key(profile.key),
                ConditionExpression="version = :seen",
                ExpressionAttributeValues={":seen": {"N": str(profile.version)}},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _statement(self, profile: StoredProfile) -> Any:
        item = encode_profile(profile)
        if profile.version == profile.born + 1:
            places = ", ".join(f"'{name}': ?" for name in item)
            return {"Statement": f'INSERT INTO "{self._name}" VALUE {{{places}}}', "Parameters": list(item.values())}
        pk, sk = item.pop("pk"), item.pop("sk")
        seen = {"N": str(profile.version - 1)}
        changes = " ".join(f'SET "{name}"=?' for name in item)
        changes += "".join(f' REMOVE "{name}"' for name in removed_attributes(profile))
        return {
            "Statement": f'UPDATE "{self._name}" {changes} WHERE "pk"=? AND "sk"=? AND "version"=?',
            "Parameters": [*item.values(), pk, sk, seen],
        }


def _key(key: str) -> Any:
    return {"pk": {"S": key}, "sk": {"S": PROFILE}}


def _refusal(profile: StoredProfile, code: str) -> str:
    return f"profile {anonymous(profile.key)} ({profile.size} bytes of state) was refused: {code}"
