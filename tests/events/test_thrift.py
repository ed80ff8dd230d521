"""Thrift's compact protocol, there and back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events.thrift import (
    BINARY,
    BYTE,
    DOUBLE,
    FALSE,
    I16,
    I64,
    LIST,
    STRUCT,
    TRUE,
    BrokenThrift,
    Field,
    Items,
    decode,
    encode,
)

numbers = st.integers(-(2**62), 2**62)
values: dict[int, st.SearchStrategy[Any]] = {
    TRUE: st.just(TRUE),
    FALSE: st.just(FALSE),
    BYTE: st.integers(0, 255),
    I16: numbers,
    I64: numbers,
    DOUBLE: st.binary(min_size=8, max_size=8),
    BINARY: st.binary(max_size=300),
}
leaves = st.sampled_from(sorted(values)).flatmap(lambda kind: st.builds(Field, st.just(kind), values[kind]))
lists = st.builds(lambda some: Field(LIST, Items(I64, some)), st.lists(numbers, max_size=20))


def structs(inside: st.SearchStrategy[Field]) -> st.SearchStrategy[dict[int, Field]]:
    return st.dictionaries(st.integers(1, 300), inside, max_size=5).map(lambda one: dict(sorted(one.items())))


fields = st.recursive(
    leaves | lists,
    lambda inside: (
        structs(inside).map(lambda one: Field(STRUCT, one))
        | st.lists(structs(inside), max_size=17).map(lambda some: Field(LIST, Items(STRUCT, some)))
    ),
    max_leaves=10,
)


@given(structs(fields))
def test_a_struct_comes_back_as_it_was(struct: dict[int, Field]) -> None:
    assert decode(encode(struct)) == struct


@given(st.binary(max_size=200))
def test_any_bytes_are_a_struct_or_an_error(data: bytes) -> None:
    try:
        decode(data)
    except BrokenThrift:
        return


@pytest.mark.parametrize("data", [b"\x1c" * 100, b"\x19\xfc\xff\xff\xff\x7f", b"\x16" + b"\xff" * 20, b"\x1b\x01", b""])
def test_what_is_too_deep_or_too_long_is_an_error(data: bytes) -> None:
    with pytest.raises(BrokenThrift):
        decode(data)


def test_lists_in_lists_have_an_end() -> None:
    with pytest.raises(BrokenThrift, match="nested too deeply"):
        decode(b"\x19" * 100_000 + b"\0")


def test_values_are_counted_as_each_takes_many_times_its_bytes() -> None:
    size = bytes([0xFC, 0x80, 0x89, 0x7A])  # 2,000,000 structs
    with pytest.raises(BrokenThrift, match="holds too much"):
        decode(b"\x19" + size + bytes(2_000_001))
