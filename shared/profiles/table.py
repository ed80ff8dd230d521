"""The DynamoDB table of profiles, read and written by the batch."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from itertools import batched
from typing import TYPE_CHECKING, Any

from shared.aws.backoff import Sleep, attempts
from shared.identity.keys import anonymous
from shared.profiles.item import Item, decode_profile, decode_profiles, encode_profile, removed_attributes
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

    def load(self, keys: Iterable[str]) -> dict[str, StoredProfile]:
        """The profiles that exist among the distinct `keys`. Raises TableOverloaded and ItemsUnreadable."""
        items: list[Item] = []
        for some in batched(keys, READS_A_CALL, strict=False):
            request: Any = {self._name: {"Keys": [item_key(key) for key in some], "ConsistentRead": True}}
            for _ in attempts(CALLS_AT_MOST, self._sleep):
                answer = self._client.batch_get_item(RequestItems=request)
                items += answer["Responses"].get(self._name, ())
                request = answer.get("UnprocessedKeys")
                if not request:
                    break
            else:
                raise TableOverloaded(f"keys still unread after {CALLS_AT_MOST} attempts")
        return decode_profiles(items)

    def save(self, profiles: Sequence[StoredProfile]) -> set[str]:
        """Writes `profiles`, at most one a key, each only if the table holds the version before it.

        Returns the keys that lost a race: another writer came first, and what it wrote must be read and merged.
        A write that took effect although its answer was lost counts as lost too; merging again finds nothing new.
        Raises ProfileNotWritten, or TableOverloaded when throttled throughout; other profiles may be written by then,
        and are where ProfileNotWritten says whom DynamoDB refused for what is in their items.
        """
        lost: set[str] = set()
        refused: dict[str, str] = {}
        pending = profiles
        for _ in attempts(CALLS_AT_MOST, self._sleep):
            pending = self._attempt(pending, lost, refused)
            if not pending:
                break
        else:
            raise TableOverloaded(f"{len(pending)} profiles still unwritten after {CALLS_AT_MOST} attempts")
        if refused:
            raise ProfileNotWritten("; ".join(refused.values()), refused, lost)
        return lost

    def _attempt(
        self, profiles: Sequence[StoredProfile], lost: set[str], refused: dict[str, str]
    ) -> list[StoredProfile]:
        """Tries once to write `profiles`, notes those that `lost` and whom DynamoDB `refused`, and gives those that it
        throttled."""
        throttled: list[StoredProfile] = []
        for some in batched(profiles, WRITES_A_CALL, strict=False):
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
        return throttled

    def delete(self, profile: StoredProfile) -> bool:
        """Removes a profile if the table still holds that version of it; whether it did."""
        try:
            self._client.delete_item(
                TableName=self._name,
                Key=item_key(profile.key),
                ConditionExpression="version = :read",
                ExpressionAttributeValues={":read": {"N": str(profile.version)}},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _statement(self, profile: StoredProfile) -> Any:
        item = encode_profile(profile)
        if profile.version == profile.born + 1:
            places = ", ".join(f"'{name}': ?" for name in item)
            return {"Statement": f'INSERT INTO "{self._name}" VALUE {{{places}}}', "Parameters": list(item.values())}
        key = [item.pop("pk"), item.pop("sk")]
        before = {"N": str(profile.version - 1)}
        changes = " ".join(f'SET "{name}"=?' for name in item)
        changes += "".join(f' REMOVE "{name}"' for name in removed_attributes(profile))
        return {
            "Statement": f'UPDATE "{self._name}" {changes} WHERE "pk"=? AND "sk"=? AND "version"=?',
            "Parameters": [*item.values(), *key, before],
        }


def _refusal(profile: StoredProfile, code: str) -> str:
    return f"profile {anonymous(profile.key)} ({profile.size} bytes of state) was refused: {code}"
