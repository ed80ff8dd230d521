"""Who is in a segment: an index of the table that is spread over shards, and sizes that the ledger counts."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from shared.profiles.stored_profile import item_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INDEX = "members"
SHARDS = 8
"""A key of an index takes 1,000 writes a second, which a large segment that all move into would soon exceed."""
SIZES = "segments"
"""Partition key of the items that hold the sizes."""

type Place = tuple[int, str]
"""A shard, and the last member of it that was listed."""


def members_of(segment: int, key: str) -> str:
    """The key that a member is listed under in the index."""
    return _partition(segment, hashlib.blake2b(key.encode(), digest_size=1).digest()[0] % SHARDS)


def size_key(segment: int, shard: int) -> dict[str, Any]:
    """The key of one of the items whose sum is the size of a segment."""
    return {"pk": {"S": SIZES}, "sk": {"S": f"size#{segment}#{shard}"}}


def _partition(segment: int, shard: int) -> str:
    return f"segment#{segment}#{shard}"


class Members:
    """Segments as the table has them; what was written within the last second may be missing."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def page(self, segment: int, limit: int, after: Place | None = None) -> tuple[list[str], Place | None]:
        """At most `limit` profile keys of a segment, and where to go on; None at the end."""
        shard, last = after or (0, "")
        members: list[str] = []
        while shard < SHARDS and len(members) < limit:
            partition = {"S": _partition(segment, shard)}
            start: Any = {"ExclusiveStartKey": {"member_of": partition, **item_key(last)}} if last else {}
            answer = self._client.query(
                TableName=self._table,
                IndexName=INDEX,
                KeyConditionExpression="member_of = :partition",
                ExpressionAttributeValues={":partition": partition},
                Limit=limit - len(members),
                **start,
            )
            members += [item["pk"]["S"] for item in answer["Items"]]
            if "LastEvaluatedKey" in answer:
                last = members[-1]
            else:
                shard += 1
                last = ""
        return members, (shard, last) if shard < SHARDS else None

    def sizes(self) -> Counter[int]:
        """Customers in each segment, as of the transitions recorded so far."""
        sizes = Counter[int]()
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :sizes",
            ExpressionAttributeValues={":sizes": {"S": SIZES}},
        )
        for item in _items(pages):
            sizes[int(item["sk"]["S"].split("#")[1])] += int(item["customers"]["N"])
        return sizes


def _items(pages: Iterable[Any]) -> Iterable[dict[str, Any]]:
    return (item for page in pages for item in page["Items"])
