"""Who is in a segment or an audience: an index of the table, spread over shards, and sizes that the ledger counts."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from shared.profiles.stored_profile import PROFILE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INDEX = "members"
SHARDS = 8
"""A key of an index takes 1,000 writes a second, which a large segment that all move into would soon exceed."""
SIZES = "segments"
"""Partition key of the items that hold the sizes."""

AUDIENCE_SIZES = "audiences"
"""Partition key of the items that hold the sizes of audiences, all of one shard in one item."""

MOVES = "moves#"
"""Before a customer's profile key: the partition of what the ledger keeps of them."""
MEMBER = "member#"
"""Before an audience's key: the item there that says whether they are in it."""

type Place = tuple[int, str]
"""A shard, and the last member of it that was listed."""


def members_of(segment: int, key: str) -> str:
    """The key that a member of a segment is listed under in the index."""
    return _partition(f"segment#{segment}", shard_of(key))


def audience_members_of(audience: str, key: str) -> str:
    """The key that a member of an audience is listed under in the index."""
    return _partition(f"audience#{audience}", shard_of(key))


def size_key(segment: int, shard: int) -> dict[str, Any]:
    """The key of one of the items whose sum is the size of a segment."""
    return {"pk": {"S": SIZES}, "sk": {"S": f"size#{segment}#{shard}"}}


def audience_size_key(shard: int) -> dict[str, Any]:
    """The key of one of the items whose sums are the sizes of audiences."""
    return {"pk": {"S": AUDIENCE_SIZES}, "sk": {"S": f"size#{shard}"}}


def size_name(audience: str) -> str:
    """The attribute of these items that counts an audience."""
    return f"in_{audience}"


def shard_of(key: str) -> int:
    """The shard of a profile key."""
    return hashlib.blake2b(key.encode(), digest_size=1).digest()[0] % SHARDS


def _partition(group: str, shard: int) -> str:
    return f"{group}#{shard}"


class Members:
    """Segments as the table has them; what was written within the last second may be missing."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def page(self, segment: int, limit: int, after: Place | None = None) -> tuple[list[str], Place | None]:
        """At most `limit` profile keys of a segment, and where to go on; None at the end."""
        return self._page(f"segment#{segment}", "", PROFILE, limit, after)

    def audience_page(self, audience: str, limit: int, after: Place | None = None) -> tuple[list[str], Place | None]:
        """The same of an audience."""
        return self._page(f"audience#{audience}", MOVES, MEMBER + audience, limit, after)

    def _page(
        self, group: str, before: str, sort: str, limit: int, after: Place | None
    ) -> tuple[list[str], Place | None]:
        """Of items whose partition key is the member's profile key with something `before` it, and whose sort key is
        `sort`."""
        shard, last = after or (0, "")
        members: list[str] = []
        while shard < SHARDS and len(members) < limit:
            place = {"S": _partition(group, shard)}
            key = {"pk": {"S": before + last}, "sk": {"S": sort}}
            start: Any = {"ExclusiveStartKey": {"member_of": place, **key}} if last else {}
            answer = self._client.query(
                TableName=self._table,
                IndexName=INDEX,
                KeyConditionExpression="member_of = :partition",
                ExpressionAttributeValues={":partition": place},
                Limit=limit - len(members),
                **start,
            )
            members += [item["pk"]["S"].removeprefix(before) for item in answer["Items"]]
            if "LastEvaluatedKey" in answer:
                last = members[-1]
            else:
                shard += 1
                last = ""
        return members, (shard, last) if shard < SHARDS else None

    def sizes(self) -> Counter[int]:
        """Customers in each segment, as of the transitions recorded so far."""
        sizes = Counter[int]()
        for item in self._sizes(SIZES):
            sizes[int(item["sk"]["S"].split("#")[1])] += int(item["customers"]["N"])
        return sizes

    def audience_sizes(self) -> Counter[str]:
        """Customers in each audience, as of the moves recorded so far."""
        sizes = Counter[str]()
        for item in self._sizes(AUDIENCE_SIZES):
            for name, size in item.items():
                if name.startswith(size_name("")):
                    sizes[name.removeprefix(size_name(""))] += int(size["N"])
        return sizes

    def _sizes(self, partition: str) -> Iterable[dict[str, Any]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :sizes",
            ExpressionAttributeValues={":sizes": {"S": partition}},
        )
        return _items(pages)


def _items(pages: Iterable[Any]) -> Iterable[dict[str, Any]]:
    return (item for page in pages for item in page["Items"])
