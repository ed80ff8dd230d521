"""What an item is charged for by DynamoDB: its bytes, and the units of a write.

The rules are those of "DynamoDB item sizes and formats" and "DynamoDB read and write operations" in its guide.
"""

from __future__ import annotations

from typing import Any

WRITE_UNIT_BYTES = 1_024
READ_UNIT_BYTES = 4_096
_NESTED_BYTES = 3
"""Of a list or a map, beside one for each of its entries."""


def item_bytes(item: dict[str, Any] | None) -> int:
    """The bytes of an item, or of the attributes given: names and values; 0 of none."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items()) if item else 0


def write_units(before: int, after: int) -> int:
    """The units of a write that makes an item of `before` bytes one of `after` bytes: the larger is charged."""
    return max(1, -(-max(before, after) // WRITE_UNIT_BYTES))


def read_units(size: int) -> int:
    """The units of a consistent read of an item; of one that is not there as well."""
    return max(1, -(-size // READ_UNIT_BYTES))


def _value_bytes(value: dict[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return _number_bytes(content)
        case "B":
            return len(content)
        case "M":
            return _NESTED_BYTES + len(content) + item_bytes(content)
        case "L":
            return _NESTED_BYTES + len(content) + sum(map(_value_bytes, content))
        case "NS":
            return sum(map(_number_bytes, content))
        case _:
            return 1  # a boolean or null


def _number_bytes(text: str) -> int:
    """One byte for two significant digits, one more for all of them, and one more below zero."""
    digits = text.lstrip("-").split("e")[0].split("E")[0].replace(".", "").strip("0")
    return 1 + -(-len(digits) // 2) + text.startswith("-")
