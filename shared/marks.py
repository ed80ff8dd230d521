"""Marks that keep those who were erased from coming back, under a keyed hash that tells nobody who they are.

A mark remembers the latest refusal of a profile and when consent was given. Both only ever grow, so whatever order they
arrive in, the same events count. docs/decisions/0018 has the argument.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities import parameters

from shared.backoff import Sleep, attempts
from shared.consents import NEVER, Consent, Mark, in_order
from shared.profile_table import CALLS_AT_MOST, READS_A_CALL, Item, TableOverloaded

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from shared.clock import Moment
    from shared.events import Rejection

SORT_KEY = "mark"


class Marks:
    """Marks in the profile table, whose keys are hashes under a secret that is asked for when it is first needed."""

    def __init__(
        self, client: DynamoDBClient, table: str, secret: Callable[[], bytes], sleep: Sleep = time.sleep
    ) -> None:
        self._client, self._table, self._secret, self._sleep = client, table, secret, sleep

    def load(self, keys: Iterable[str]) -> dict[str, Mark]:
        """The marks that there are of the profiles at `keys`. Raises TableOverloaded."""
        names = {self._name(key): key for key in keys}
        found: dict[str, Mark] = {}
        for some in batched(names, READS_A_CALL, strict=False):
            request: Any = {self._table: {"Keys": [_item_key(name) for name in some], "ConsistentRead": True}}
            for _ in attempts(CALLS_AT_MOST, self._sleep):
                answer = self._client.batch_get_item(RequestItems=request)
                found |= {names[item["pk"]["S"]]: _decode(item) for item in answer["Responses"].get(self._table, ())}
                request = answer.get("UnprocessedKeys")
                if not request:
                    break
            else:
                raise TableOverloaded(f"marks still unread after {CALLS_AT_MOST} attempts")
        return found

    def refused(self, keys: Iterable[str]) -> set[str]:
        """Those of `keys` of whom no event counts."""
        return {key for key, mark in self.load({*keys}).items() if mark.counts_from_ms == NEVER}

    def record(self, consents: Iterable[Consent]) -> dict[str, Mark]:
        """Takes what events say, and gives the marks of those whom they concern; what is known is not written again."""
        news = in_order(consents)
        marks = {consent.key: Mark() for consent in news}
        marks |= self.load(marks)
        for consent in news:
            after = marks[consent.key].after(consent)
            if after != marks[consent.key]:
                (self.agree if consent.given else self.refuse)(consent.key, consent.time_ms)
            marks[consent.key] = after
        return marks

    def agree(self, key: str, at_ms: int) -> None:
        """Keeps that consent was given at `at_ms`."""
        self._client.update_item(
            TableName=self._table,
            Key=_item_key(self._name(key)),
            UpdateExpression="ADD given_ms :at",
            ExpressionAttributeValues={":at": {"NS": [str(at_ms)]}},
        )

    def refuse(self, key: str, at_ms: int) -> None:
        """From now on no event of the profile counts, unless consent is given later than `at_ms`."""
        self._raise(key, "refused_ms", at_ms)

    def end(self, key: str, version: int) -> None:
        """Keeps the version that a profile ends with, so that another one of theirs never takes it again."""
        self._raise(key, "ended", version)

    def tell(self, key: str, version: int) -> Any:
        """The part of a transaction that says once that the ledger has heard of the end at `version`."""
        return {"Update": self._raising(key, "told", version)}

    def _raise(self, key: str, name: str, value: int) -> None:
        try:
            self._client.update_item(**self._raising(key, name, value))
        except self._client.exceptions.ConditionalCheckFailedException:
            return  # it is as high already

    def _raising(self, key: str, name: str, value: int) -> Any:
        return {
            "TableName": self._table,
            "Key": _item_key(self._name(key)),
            "UpdateExpression": "SET #name = :value",
            "ConditionExpression": "attribute_not_exists(#name) OR #name < :value",
            "ExpressionAttributeNames": {"#name": name},
            "ExpressionAttributeValues": {":value": {"N": str(value)}},
        }

    def _name(self, key: str) -> str:
        return f"mark#{hmac.new(self._secret(), key.encode(), hashlib.sha256).hexdigest()[:40]}"


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


def _item_key(name: str) -> Any:
    return {"pk": {"S": name}, "sk": {"S": SORT_KEY}}


def _decode(item: Item) -> Mark:
    return Mark(
        refused_ms=int(item["refused_ms"]["N"]) if "refused_ms" in item else None,
        given_ms=frozenset(int(at) for at in item.get("given_ms", {"NS": []})["NS"]),
        ended=int(item.get("ended", {"N": "0"})["N"]),
        told=int(item.get("told", {"N": "0"})["N"]),
    )
