"""Thrift's compact protocol, in which Parquet writes what is in a file, as plain values and back.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
_LONG_LIST = 15
_MOST_DEPTH = 60
_MOST_VALUES = 1_000_000
"""In one struct: each takes a hundred times the bytes as a value of Python's."""


class BrokenThrift(ValueError):
    """The bytes are no struct of this protocol."""


class Field(NamedTuple):
    """The value of a field: a number or bytes, `Items`, or a struct, which is a dictionary of fields by their ids."""

    kind: int
    value: Any


class Items(NamedTuple):
    """A list or set."""

    kind: int
    """Of each of its values."""
    values: list[Any]


type Struct = Mapping[int, Field]


def decode(data: bytes) -> dict[int, Field]:
    """The struct that the bytes begin with. Raises BrokenThrift."""
    try:
        return _Reader(data).struct(0)
    except IndexError as error:
        raise BrokenThrift("it ends too early") from error


def encode(struct: Struct) -> bytes:
    """A struct as bytes."""
    out = bytearray()
    _write_struct(out, struct)
    return bytes(out)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._values = 0

    def struct(self, depth: int) -> dict[int, Field]:
        fields: dict[int, Field] = {}
        last = 0
        while header := self._byte():
            kind = header & 15
            last = last + (header >> 4) if header >> 4 else self._zigzag()
            fields[last] = Field(kind, kind if kind in (TRUE, FALSE) else self._value(kind, depth))
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        self._values += 1
        if depth > _MOST_DEPTH or self._values > _MOST_VALUES:
            raise BrokenThrift("it is nested too deeply, or holds too much")
        if kind in (TRUE, FALSE, BYTE):
            return self._byte()
        if kind in (I16, I32, I64):
            return self._zigzag()
        if kind == DOUBLE:
            return self._bytes(8)
        if kind == BINARY:
            return self._bytes(self._varint())
        if kind in (LIST, SET):
            return self._items(depth)
        if kind == STRUCT:
            return self.struct(depth + 1)
        raise BrokenThrift("it holds what Parquet has none of")

    def _items(self, depth: int) -> Items:
        header = self._byte()
        size = header >> 4
        if size == _LONG_LIST:
            size = self._varint()
        if size > len(self._data) - self._at:
            raise BrokenThrift("it ends too early")
        return Items(header & 15, [self._value(header & 15, depth + 1) for _ in range(size)])

    def _byte(self) -> int:
        byte = self._data[self._at]
        self._at += 1
        return byte

    def _bytes(self, size: int) -> bytes:
        if size > len(self._data) - self._at:
            raise BrokenThrift("it ends too early")
        self._at += size
        return self._data[self._at - size : self._at]

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise BrokenThrift("a number of it is too long")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)


def _write_struct(out: bytearray, struct: Struct) -> None:
    last = 0
    for id_, field in struct.items():
        if 0 < id_ - last < 16:
            out.append((id_ - last) << 4 | field.kind)
        else:
            out.append(field.kind)
            _write_zigzag(out, id_)
        last = id_
        if field.kind not in (TRUE, FALSE):
            _write(out, field.kind, field.value)
    out.append(0)


def _write(out: bytearray, kind: int, value: Any) -> None:
    if kind in (TRUE, FALSE, BYTE):
        out.append(value)
    elif kind in (I16, I32, I64):
        _write_zigzag(out, value)
    elif kind == DOUBLE:
        out += value
    elif kind == BINARY:
        _write_varint(out, len(value))
        out += value
    elif kind == STRUCT:
        _write_struct(out, value)
    else:
        size = len(value.values)
        out.append(min(size, _LONG_LIST) << 4 | value.kind)
        if size >= _LONG_LIST:
            _write_varint(out, size)
        for each in value.values:
            _write(out, value.kind, each)


def _write_varint(out: bytearray, value: int) -> None:
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)


def _write_zigzag(out: bytearray, value: int) -> None:
    _write_varint(out, value << 1 if value >= 0 else (-value << 1) - 1)
