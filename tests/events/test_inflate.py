"""Deflate, unpacked from wherever a block of it ends."""

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.events.inflate import WINDOW, Inflater
from tests.support.examples import at_most


def packed(data: bytes, level: int = 6) -> bytes:
    packer = zlib.compressobj(level, wbits=-15)
    # Blocks end wherever data is flushed, between bits.
    flushed = [
        packer.compress(data[at : at + 9_000]) + packer.flush(zlib.Z_PARTIAL_FLUSH) for at in range(0, len(data), 9_000)
    ]
    return b"".join(flushed) + packer.flush()


def unpacked(inflater: Inflater, rest: bytes) -> bytes:
    text = b""
    while not inflater.is_done:
        if inflater.unused == 0:
            inflater.feed(rest[:1_000])
            rest = rest[1_000:]
        text += inflater.read()
        assert rest or inflater.unused or inflater.is_done or not inflater.is_stuck
    return text


@given(st.integers(0, 2**32), st.integers(0, 60_000), st.integers(0, 9))
@settings(max_examples=at_most(30))
def test_reading_goes_on_from_every_end_of_a_block(seed: int, size: int, level: int) -> None:
    import random

    data = bytes(random.Random(seed).choices(b"abcdefgh\n", k=size))
    content = packed(data, level)
    inflater = Inflater()
    inflater.feed(content)
    text = b""
    while not inflater.is_done:
        if state := inflater.state():
            bits, last_byte, window = state
            assert window == text[-WINDOW:]
            rest = content[len(content) - inflater.unused :]
            assert text + unpacked(Inflater(bits, last_byte, window), rest) == data
        text += inflater.read()
    assert text == data


def test_what_follows_the_stream_is_given_back() -> None:
    inflater = Inflater()
    inflater.feed(packed(b"text") + b"trailer")
    while not inflater.is_done:
        inflater.read()
    assert inflater.rest == b"trailer" and inflater.state() is None


def test_damaged_bytes_are_an_error() -> None:
    inflater = Inflater()
    inflater.feed(b"\xff" * 10)
    with pytest.raises(zlib.error):
        while not inflater.is_done and not inflater.is_stuck:
            inflater.read()


@given(st.binary(max_size=300), st.integers(0, 7), st.integers(0, 255), st.binary(max_size=50))
def test_no_bytes_and_no_state_crash_it(content: bytes, bits: int, last_byte: int, window: bytes) -> None:
    try:
        inflater = Inflater(bits, last_byte, window)
        inflater.feed(content)
        while not inflater.is_done and not inflater.is_stuck:
            inflater.read()
    except zlib.error:
        return
