"""DynamoDB's answers, made of the bytes that a client sent: as little work as keeping items takes."""

import re
from functools import lru_cache

import msgspec
from msgspec import Raw

type Attributes = dict[str, Raw]
"""An item as it is on the wire: each attribute's value as the bytes that came."""
type Key = tuple[bytes, bytes]

_decode = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_puts = msgspec.json.Decoder(dict[str, list[dict[str, dict[str, Attributes]]]]).decode
_encode = msgspec.json.Encoder().encode


class _Keys(msgspec.Struct):
    Keys: list[Attributes]
    ProjectionExpression: str = ""

    def of(self, item: Attributes) -> Attributes:
        """What is asked for of an item."""
        names = self.ProjectionExpression.split(", ")
        return {name: item[name] for name in names} if self.ProjectionExpression else item


class _Statement(msgspec.Struct):
    Statement: str
    Parameters: list[Raw]


class TableStub:
    """One table with the keys `pk` and `sk`.

    Conditions hold, as nobody else writes; where a profile's version is not the one before, that is an error of ours.
    """

    def __init__(self) -> None:
        self.items: dict[Key, Attributes] = {}
        self._base: dict[Key, Attributes] = {}

    def keep(self) -> None:
        """What is there now is what `restore` goes back to."""
        self._base = dict(self.items)

    def restore(self) -> None:
        """As if nothing had been written since."""
        self.items = dict(self._base)

    def answer(self, operation: str, body: bytes) -> bytes:
        """The answer to a request. Raises AttributeError for one that nothing here makes."""
        answered: bytes = getattr(self, f"_{operation}")(_decode(body))
        return answered

    def _GetItem(self, request: Attributes) -> bytes:  # noqa: N802  # as DynamoDB calls it
        item = self.items.get(_key(_decode(request["Key"])))
        return b"{}" if item is None else _encode({"Item": item})

    def _PutItem(self, request: Attributes) -> bytes:  # noqa: N802
        self._put(_decode(request["Item"]))
        return b"{}"

    def _UpdateItem(self, request: Attributes) -> bytes:  # noqa: N802
        key = _decode(request["Key"])
        names = msgspec.json.decode(request.get("ExpressionAttributeNames", Raw(b"{}")), type=dict[str, str])
        values = _decode(request["ExpressionAttributeValues"])
        changes = re.findall(r"(#?\w+) = (:\w+)", msgspec.json.decode(request["UpdateExpression"], type=str))
        changed = {names.get(name, name): values[value] for name, value in changes}
        self._put({**self.items.get(_key(key), key), **changed})
        return b"{}"

    def _BatchGetItem(self, request: Attributes) -> bytes:  # noqa: N802
        asked = msgspec.json.decode(request["RequestItems"], type=dict[str, _Keys])
        items = {
            name: [keys.of(item) for key in keys.Keys if (item := self.items.get(_key(key))) is not None]
            for name, keys in asked.items()
        }
        return _encode({"Responses": items, "UnprocessedKeys": {}})

    def _BatchWriteItem(self, request: Attributes) -> bytes:  # noqa: N802
        for puts in _decode_puts(request["RequestItems"]).values():
            for put in puts:
                self._put(put["PutRequest"]["Item"])
        return b'{"UnprocessedItems":{}}'

    def _BatchExecuteStatement(self, request: Attributes) -> bytes:  # noqa: N802
        statements = msgspec.json.decode(request["Statements"], type=list[_Statement])
        for statement in statements:
            is_new, names, removed = _understood(statement.Statement)
            if is_new:
                item = dict(zip(names, statement.Parameters, strict=True))
                assert _key(item) not in self.items, "the profile is there already"
                self._put(item)
            else:
                *values, pk, sk, version = statement.Parameters
                before = self.items[bytes(pk), bytes(sk)]
                assert bytes(before["version"]) == bytes(version), "the profile has another version"
                after = {**before, **dict(zip(names, values, strict=True))}
                self._put({name: value for name, value in after.items() if name not in removed})
        return _encode({"Responses": [{} for _ in statements]})

    def _put(self, item: Attributes) -> None:
        self.items[_key(item)] = item


@lru_cache
def _understood(statement: str) -> tuple[bool, list[str], list[str]]:
    """Whether it inserts, the attributes that it sets in their order, and those that it removes."""
    if statement.startswith("INSERT"):
        return True, re.findall(r"'([^']+)': \?", statement), []
    return False, re.findall(r'SET "([^"]+)"=\?', statement), re.findall(r'REMOVE "([^"]+)"', statement)


def _key(item: Attributes) -> Key:
    # All come out of the same serialiser, so that equal keys are equal bytes.
    return bytes(item["pk"]), bytes(item["sk"])
