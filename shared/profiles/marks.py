"""Marks that keep those who were erased from coming back, under a keyed hash that tells nobody who they are.

A mark remembers the latest refusal of a profile and when consent was given. Both only ever grow, so whatever order they
arrive in, the same events count. docs/decisions/0018 has the argument; docs/restore.md says how they outlive the table.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import batched
from secrets import randbelow
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities import parameters

from shared.aws.backoff import Sleep, attempts
from shared.identity.consents import NEVER, Consent, Mark, in_order
from shared.profiles.item import Item
from shared.profiles.kept_marks import KeptMarks
from shared.profiles.stored_profile import VERSIONS_A_MILLISECOND
from shared.profiles.table import CALLS_AT_MOST, READS_A_CALL, TableOverloaded
from shared.telemetry.errors import AnonymousError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from shared.clock import Moment
    from shared.events import Rejection

LEADING = "mark#"
SORT_KEY = "mark"
EVERYBODY = LEADING + "everybody"
"""The mark of all: in a table that was made anew, it ends at the table's epoch once the marks of all others are in."""


class TableNotRestored(AnonymousError):
    """The table does not hold the marks yet, or is not the one that was made anew last: the erased would come back."""


class Marks:
    """Marks in the profile table, whose keys are hashes under a secret that is asked for when it is first needed.

    What they say is kept in `kept` first, which outlives the table.
    """

    epoch = 0
    """When the table was made anew, UTC milliseconds; 0 for the first one. Versions of profiles begin above it."""
    slot = 0
    """Where in their millisecond versions begin: elsewhere in each container, as two that read no mark and begin a
    profile in the same one, the later after an erasure of the first, would give two lives the same versions."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        secret: Callable[[], bytes],
        kept: KeptMarks,
        epoch: int = 0,
        sleep: Sleep = time.sleep,
    ) -> None:
        self._client = client
        self._table = table
        self._secret = secret
        self._kept = kept
        self._sleep = sleep
        self.epoch = epoch
        self.slot = randbelow(VERSIONS_A_MILLISECOND)
        self._is_checked = False

    def load(self, keys: Iterable[str]) -> dict[str, Mark]:
        """The marks that there are of the profiles at `keys`. Raises TableOverloaded and TableNotRestored."""
        names = {self._name(key): key for key in keys}
        if names and not self._is_checked:
            self._check()
        marks: dict[str, Mark] = {}
        for some in batched(names, READS_A_CALL, strict=False):
            request: Any = {self._table: {"Keys": [_item_key(name) for name in some], "ConsistentRead": True}}
            for _ in attempts(CALLS_AT_MOST, self._sleep):
                answer = self._client.batch_get_item(RequestItems=request)
                marks |= {names[item["pk"]["S"]]: mark_of(item) for item in answer["Responses"].get(self._table, ())}
                request = answer.get("UnprocessedKeys")
                if not request:
                    break
            else:
                raise TableOverloaded(f"marks still unread after {CALLS_AT_MOST} attempts")
        return marks

    def refused(self, keys: Iterable[str]) -> set[str]:
        """Those of `keys` of whom no event counts."""
        return {key for key, mark in self.load({*keys}).items() if mark.counts_from_ms == NEVER}

    def record(self, consents: Iterable[Consent], refusing: Callable[[str, int], object]) -> dict[str, Mark]:
        """Takes what events say, and gives the marks of those whom they concern; what is known is not written again.

        `refusing` is called with each profile key of a new refusal that stands, and its time in UTC milliseconds, just
        before that refusal is kept: again if keeping it broke off, and never once it is kept.
        """
        statements = in_order(consents)
        known = {consent.key: Mark() for consent in statements}
        known |= self.load(known)
        marks = dict(known)
        for consent in statements:
            marks[consent.key] = marks[consent.key].after(consent)
        for key, mark in marks.items():
            for at_ms in sorted(mark.given_ms - known[key].given_ms):
                self.agree(key, at_ms)
            if mark.refused_ms is not None and mark.refused_ms != known[key].refused_ms:
                if mark.counts_from_ms == NEVER:
                    refusing(key, mark.refused_ms)
                self.refuse(key, mark.refused_ms)
        return marks

    def agree(self, key: str, at_ms: int) -> None:
        """Keeps that consent was given at `at_ms`."""
        name = self._name(key)
        self._kept.given(_hash_of(name), at_ms)
        self._give(name, {at_ms})

    def refuse(self, key: str, at_ms: int) -> None:
        """From now on no event of the profile counts, unless consent is given later than `at_ms`."""
        name = self._name(key)
        self._kept.refused(_hash_of(name), at_ms)
        self._raise(name, "refused_ms", at_ms)

    def unlink(self, key: str) -> None:
        """Keeps that a visitor's link was undone by hand."""
        name = self._name(key)
        self._kept.unlinked(_hash_of(name))
        self._unlink(name)

    def end(self, key: str, version: int) -> None:
        """Keeps the version that a profile ends with, so that another one of theirs never takes it again."""
        self._raise(self._name(key), "ended", version)

    def announcing(self, key: str, version: int) -> Any:
        """The part of a transaction that says once that the ledger has heard of the end at `version`."""
        return {"Update": self._raising(self._name(key), "told", version)}

    def put_back(self, name: str, mark: Mark) -> None:
        """Adds what `mark` says to the table's mark under the keyed hash `name`, which goes on saying what it did."""
        if mark.refused_ms is not None:
            self._raise(LEADING + name, "refused_ms", mark.refused_ms)
        if mark.given_ms:
            self._give(LEADING + name, mark.given_ms)
        if mark.unlinked:
            self._unlink(LEADING + name)

    def complete(self) -> None:
        """Says that the marks of all are in the table, from when on profiles may be written."""
        self._raise(EVERYBODY, "ended", self.epoch)

    @property
    def is_complete(self) -> bool:
        """Whether the marks of all are in the table."""
        request: Any = {self._table: {"Keys": [_item_key(EVERYBODY)], "ConsistentRead": True}}
        items = self._client.batch_get_item(RequestItems=request)["Responses"].get(self._table, ())
        return self.epoch == 0 or any(mark_of(item).ended >= self.epoch for item in items)

    def _check(self) -> None:
        """Once for each container: a stack deployed with an earlier table's parameter would know of no erasure."""
        if self._kept.epoch() != self.epoch:
            raise TableNotRestored(f"the table was made anew: deploy the stack with TableEpoch={self._kept.epoch()}")
        if not self.is_complete:
            raise TableNotRestored(f"table {self._table} does not hold the marks of those who were erased yet")
        self._is_checked = True

    def _give(self, name: str, times_ms: Iterable[int]) -> None:
        self._client.update_item(
            TableName=self._table,
            Key=_item_key(name),
            UpdateExpression="ADD given_ms :at",
            ExpressionAttributeValues={":at": {"NS": [str(at_ms) for at_ms in sorted(times_ms)]}},
        )

    def _unlink(self, name: str) -> None:
        self._client.update_item(
            TableName=self._table,
            Key=_item_key(name),
            UpdateExpression="SET unlinked = :yes",
            ExpressionAttributeValues={":yes": {"BOOL": True}},
        )

    def _raise(self, name: str, attribute: str, value: int) -> None:
        try:
            self._client.update_item(**self._raising(name, attribute, value))
        except self._client.exceptions.ConditionalCheckFailedException:
            return  # it is as high already

    def _raising(self, name: str, attribute: str, value: int) -> Any:
        return {
            "TableName": self._table,
            "Key": _item_key(name),
            "UpdateExpression": "SET #name = :value",
            "ConditionExpression": "attribute_not_exists(#name) OR #name < :value",
            "ExpressionAttributeNames": {"#name": attribute},
            "ExpressionAttributeValues": {":value": {"N": str(value)}},
        }

    def _name(self, key: str) -> str:
        return f"{LEADING}{keyed_hash(self._secret(), key)}"


def keyed_hash(secret: bytes, key: str) -> str:
    """What stands for a profile's key where nobody may learn whose it is, and the same key must be found again."""
    # An id read from broken bytes may hold lone surrogates, which UTF-8 has no bytes for.
    return hmac.new(secret, key.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()[:40]


def secret(name: str) -> Callable[[], bytes]:
    """A secret of Secrets Manager, to be asked for when it is needed and then kept for an hour."""
    return lambda: str(parameters.get_secret(name, max_age=3_600)).encode()


@dataclass(frozen=True)
class Admission:
    """Who may be stored, and what to do with those who are and may not."""

    marks: Marks
    erase: Callable[[str, Moment], object]
    """Asks for the erasure of a profile."""


def keepable(rejections: Sequence[Rejection], marks: Marks) -> list[Rejection]:
    """Refused lines but for those of people who are not to be profiled: they are kept nowhere."""
    refused = marks.refused(person for rejection in rejections for person in rejection.people)
    return [rejection for rejection in rejections if refused.isdisjoint(rejection.people)]


def _hash_of(name: str) -> str:
    return name.removeprefix(LEADING)


def _item_key(name: str) -> Any:
    return {"pk": {"S": name}, "sk": {"S": SORT_KEY}}


def mark_of(item: Item) -> Mark:
    """What an item of the table says."""
    return Mark(
        refused_ms=int(item["refused_ms"]["N"]) if "refused_ms" in item else None,
        given_ms=frozenset(int(at) for at in item.get("given_ms", {"NS": []})["NS"]),
        ended=int(item.get("ended", {"N": "0"})["N"]),
        announced=int(item.get("told", {"N": "0"})["N"]),
        unlinked="unlinked" in item,
    )
