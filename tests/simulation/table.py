"""DynamoDB's one table in memory: items with conditions, indexes, transactions, and the stream of changes."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any
from zlib import crc32

from tests.simulation.expressions import Item, holds, plain, updated
from tests.support.template import table_definition

type Key = tuple[str, str]

MOST_BYTES = 400_000
STALE_MS = 1_000
"""An eventually consistent read may see an item as it was so long ago."""

_INSERT = re.compile(r"""INSERT INTO "[^"]+" VALUE \{(?P<names>[^}]+)\}""")
_UPDATE = re.compile(
    r"""UPDATE "[^"]+" (?P<sets>SET .+?)(?P<remove>(?: REMOVE "\w+")*) WHERE "pk"=\? AND "sk"=\? AND "version"=\?"""
)


class Refused(Exception):
    """AWS answers with an error."""

    def __init__(self, code: str, message: str = "", status: int = 400, **more: Any) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.status = status
        self.more = more


class Table:
    """The items, and every change of them in order."""

    def __init__(self, clock: Callable[[], int], stale: Callable[[], bool], page: int = 1_000_000) -> None:
        self.items: dict[Key, Item] = {}
        self.changes: list[dict[str, Any]] = []
        self._before: dict[Key, tuple[int, Item | None]] = {}
        self._clock = clock
        self._stale = stale
        self._page = page
        self._indexes = _indexes()

    # ---- Reads ----

    def get_item(self, request: Item) -> Item:
        item = self._read(_key(request["Key"]), request.get("ConsistentRead", False))
        return {"Item": item} if item else {}

    def batch_get_item(self, request: Item) -> Item:
        answer: Item = {"Responses": {}, "UnprocessedKeys": {}}
        for table, wanted in request["RequestItems"].items():
            keys = [_key(key) for key in wanted["Keys"]]
            if not 0 < len(keys) <= 100 or len({*keys}) < len(keys):
                raise Refused("ValidationException", "1 to 100 different keys")
            items = (self._read(key, wanted.get("ConsistentRead", False)) for key in keys)
            answer["Responses"][table] = [_projected(item, wanted) for item in items if item]
        return answer

    def query(self, request: Item) -> Item:
        index = request.get("IndexName")
        names = request.get("ExpressionAttributeNames", {})
        values = request["ExpressionAttributeValues"]
        hash_name, range_name = self._indexes[index] if index and len(self._indexes[index]) > 1 else self._only(index)
        condition = request["KeyConditionExpression"]
        items = [
            item
            for key in [*self.items]
            if (item := self._read(key, consistent=not index and request.get("ConsistentRead", False)))
            if hash_name in item and (index is None or all(name in item for name in self._indexes[index]))
            if holds(condition, item, names, values)
        ]
        order: Callable[[Item], Any] = lambda item: (  # noqa: E731
            plain(item[hash_name]),
            plain(item[range_name]) if range_name else None,
            item["pk"]["S"],
            item["sk"]["S"],
        )
        items.sort(key=order, reverse=not request.get("ScanIndexForward", True))
        if index:
            kept = {"pk", "sk", *self._indexes[index]}
            items = [{name: item[name] for name in item if name in kept} for item in items]
        start = request.get("ExclusiveStartKey")
        if start:
            begin = order(start)
            forward = request.get("ScanIndexForward", True)
            items = [item for item in items if (order(item) > begin if forward else order(item) < begin)]
        return self._paged(items, request, {"pk", "sk", hash_name, *([range_name] if range_name else [])})

    def scan(self, request: Item) -> Item:
        segment = request.get("Segment", 0)
        segments = request.get("TotalSegments", 1)
        place: Callable[[Key], Any] = lambda key: (crc32(key[0].encode()), key)  # noqa: E731
        keys = sorted((key for key in self.items if crc32(key[0].encode()) % segments == segment), key=place)
        if start := request.get("ExclusiveStartKey"):
            keys = [key for key in keys if place(key) > place(_key(start))]
        items = [item for key in keys if (item := self._read(key, request.get("ConsistentRead", False)))]
        return self._paged(items, request, {"pk", "sk"})

    def _paged(self, items: list[Item], request: Item, key_names: set[str]) -> Item:
        limit = min(request.get("Limit", self._page), self._page)
        page = items[:limit]
        names = request.get("ExpressionAttributeNames", {})
        values = request.get("ExpressionAttributeValues", {})
        kept = [item for item in page if holds(request.get("FilterExpression"), item, names, values)]
        kept = [_projected(item, request) for item in kept]
        answer: Item = {"Items": kept, "Count": len(kept), "ScannedCount": len(page)}
        # As DynamoDB, which cannot know whether anything follows a page that is exactly full.
        if len(page) == limit:
            answer["LastEvaluatedKey"] = {name: page[-1][name] for name in sorted(key_names)}
        if request.get("Select") == "COUNT":
            del answer["Items"]
        return answer

    def _only(self, index: str | None) -> tuple[str, str | None]:
        return (self._indexes[index][0], None) if index else ("pk", "sk")

    def _read(self, key: Key, consistent: bool) -> Item | None:
        item = self.items.get(key)
        if not consistent and key in self._before:
            changed, before = self._before[key]
            if self._clock() - changed < STALE_MS and self._stale():
                return before
        return item

    # ---- Writes ----

    def put_item(self, request: Item) -> Item:
        self._put(_key(request["Item"]), request)
        return {}

    def update_item(self, request: Item) -> Item:
        self._update(_key(request["Key"]), request)
        return {"Attributes": self.items[_key(request["Key"])]}

    def delete_item(self, request: Item) -> Item:
        self._delete(_key(request["Key"]), request)
        return {}

    def batch_write_item(self, request: Item) -> Item:
        for wanted in request["RequestItems"].values():
            if not 0 < len(wanted) <= 25:
                raise Refused("ValidationException", "1 to 25 requests")
            for one in wanted:
                if "DeleteRequest" in one:
                    self._write(_key(one["DeleteRequest"]["Key"]), None)
                else:
                    self._write(_key(one["PutRequest"]["Item"]), one["PutRequest"]["Item"])
        return {"UnprocessedItems": {}}

    def transact_write_items(self, request: Item) -> Item:
        parts = [(kind, part) for entry in request["TransactItems"] for kind, part in entry.items()]
        keys = [_key(part["Item"] if kind == "Put" else part["Key"]) for kind, part in parts]
        if not 0 < len(parts) <= 100 or len({*keys}) < len(keys):
            raise Refused("ValidationException", "1 to 100 parts of different items")
        met = [self._met(key, part) for key, (_, part) in zip(keys, parts, strict=True)]
        if not all(met):
            raise cancelled(["None" if one else "ConditionalCheckFailed" for one in met])
        actions = {"Put": self._put, "Update": self._update, "Delete": self._delete}
        for key, (kind, part) in zip(keys, parts, strict=True):
            if kind in actions:
                actions[kind](key, part)
        return {}

    def batch_execute_statement(self, request: Item) -> Item:
        statements = request["Statements"]
        if not 0 < len(statements) <= 25:
            raise Refused("ValidationException", "1 to 25 statements")
        return {"Responses": [self.execute(statement) for statement in statements]}

    def execute(self, statement: Item) -> Item:
        """The answer to one PartiQL statement, of the two that the profile table sends."""
        text = statement["Statement"]
        values = statement["Parameters"]
        try:
            if insert := _INSERT.fullmatch(text):
                item = dict(zip(re.findall(r"'([^']+)': \?", insert["names"]), values, strict=True))
                if _key(item) in self.items:
                    return {"Error": {"Code": "DuplicateItem", "Message": "there is one"}}
                self._write(_key(item), item)
            else:
                update = _UPDATE.fullmatch(text)
                assert update, f"not a statement of the profile table: {text}"
                *new, pk, sk, version = values
                key = (pk["S"], sk["S"])
                known = self.items.get(key, {})
                if known.get("version") != version:
                    return {"Error": {"Code": "ConditionalCheckFailed", "Message": "another version"}}
                gone = re.findall(r'"(\w+)"', update["remove"])
                after = {**known, **dict(zip(re.findall(r'SET "([^"]+)"=\?', update["sets"]), new, strict=True))}
                self._write(key, {name: value for name, value in after.items() if name not in gone})
        except Refused as error:
            return {"Error": {"Code": "ValidationError", "Message": error.message}}
        return {}

    def _met(self, key: Key, part: Item) -> bool:
        names = part.get("ExpressionAttributeNames", {})
        values = part.get("ExpressionAttributeValues", {})
        return holds(part.get("ConditionExpression"), self.items.get(key, {}), names, values)

    def _require(self, key: Key, part: Item) -> None:
        if not self._met(key, part):
            raise Refused("ConditionalCheckFailedException", "The conditional request failed")

    def _put(self, key: Key, part: Item) -> None:
        self._require(key, part)
        self._write(key, part["Item"])

    def _delete(self, key: Key, part: Item) -> None:
        self._require(key, part)
        self._write(key, None)

    def _update(self, key: Key, part: Item) -> None:
        self._require(key, part)
        names = part.get("ExpressionAttributeNames", {})
        values = part.get("ExpressionAttributeValues", {})
        known = self.items.get(key, {"pk": {"S": key[0]}, "sk": {"S": key[1]}})
        self._write(key, updated(part["UpdateExpression"], known, names, values))

    def _write(self, key: Key, item: Item | None) -> None:
        before = self.items.get(key)
        if item == before:
            return  # no change is no news for the stream
        if item is not None and size(item) > MOST_BYTES:
            raise Refused("ValidationException", "Item size has exceeded the maximum allowed size")
        self._before[key] = (self._clock(), before)
        if item is None:
            del self.items[key]
        else:
            self.items[key] = copied(item)
        self.changes.append(
            {
                "eventName": "REMOVE" if item is None else "MODIFY" if before else "INSERT",
                "key": key,
                "old": before,
                "new": self.items.get(key),
                "at_ms": self._clock(),
            }
        )


@cache
def _indexes() -> dict[str, list[str]]:
    indexes = table_definition("ProfileTable", "any")["GlobalSecondaryIndexes"]
    return {one["IndexName"]: [key["AttributeName"] for key in one["KeySchema"]] for one in indexes}


def cancelled(codes: Sequence[str]) -> Refused:
    """The refusal of a transaction, with the code of each of its parts."""
    return Refused("TransactionCanceledException", "cancelled", CancellationReasons=[{"Code": code} for code in codes])


def copied(value: Any) -> Any:
    """A copy that nobody else can change."""
    if isinstance(value, Mapping):
        return {name: copied(inner) for name, inner in value.items()}
    return [copied(inner) for inner in value] if isinstance(value, list | tuple) else value


def size(value: Any) -> int:
    """About the bytes that DynamoDB counts of an item."""
    return sum(_sizes(value))


def _sizes(value: Any) -> Iterator[int]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield len(name)
            yield from _sizes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _sizes(inner)
    else:
        yield len(value) if isinstance(value, str | bytes) else 1


def _key(item: Item) -> Key:
    return item["pk"]["S"], item["sk"]["S"]


def _projected(item: Item, request: Item) -> Item:
    """What of an item is asked for."""
    if "ProjectionExpression" not in request:
        return item
    names = request.get("ExpressionAttributeNames", {})
    paths = {names.get(path.strip(), path.strip()) for path in request["ProjectionExpression"].split(",")}
    return {name: item[name] for name in item if name in paths}
