"""Text from checkpoints on, whatever it is packed and encoded in."""

import gzip
import io
import random
import struct
import zlib
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.events import UnreadableFile, checkpoints
from shared.events.checkpoints import RUN, Checkpoint, Fetch, text_blocks
from shared.events.streams import LARGEST_EXPANSION, MOST_EXPANDED, Transcoded, plain_bytes
from tests.support.examples import at_most
from tests.support.runs import short_runs


@pytest.fixture(autouse=True, scope="module")
def checkpoints_everywhere() -> Iterator[None]:
    with short_runs():
        yield


def fetch(content: bytes) -> Fetch:
    return lambda begin, end=None: io.BytesIO(content[begin:end])


def text(content: bytes, begin: Checkpoint, **form: Any) -> bytes:
    return b"".join(block for _, block in text_blocks(fetch(content), begin, **form))


@given(
    st.lists(st.integers(0, 40_000), max_size=4),
    st.sampled_from(["utf-8", "utf-16", "latin-1", "cp1252"]),
    st.booleans(),
    st.integers(0, 9),
)
@settings(max_examples=at_most(40))
def test_reading_goes_on_from_every_checkpoint(sizes: list[int], encoding: str, packed: bool, level: int) -> None:
    rng = random.Random(sum(sizes))
    parts = ["".join(rng.choices("aeiü\n", k=size)) for size in sizes]
    encoded = "".join(parts).encode(encoding)
    bounds = [0, *(rng.randrange(len(encoded) + 1) for _ in parts), len(encoded)]
    members = [encoded[a:b] for a, b in zip(sorted(bounds), sorted(bounds)[1:], strict=False)]
    content = b"".join(gzip.compress(member, level) for member in members) if packed else encoded
    blocks = [*text_blocks(fetch(content), Checkpoint(), packed=packed, encoding=encoding)]
    with plain_bytes(io.BytesIO(content), "a.gz" if packed else "a") as plain:
        stream = plain if encoding == "utf-8" else Transcoded(plain, encoding)
        whole = b"".join(iter(lambda: stream.read(1_000), b""))
    assert b"".join(block for _, block in blocks) == whole
    before = 0
    for checkpoint, block in blocks:
        if checkpoint:
            assert text(content, checkpoint, packed=packed, encoding=encoding) == whole[before:]
        before += len(block)


@pytest.mark.parametrize(
    "header",
    [
        b"\x1f\x8b\x08\x00" + bytes(6),
        b"\x1f\x8b\x08\x04" + bytes(6) + b"\x03\x00abc",
        b"\x1f\x8b\x08\x18" + bytes(6) + b"name\0comment\0",
        b"\x1f\x8b\x08\x02" + bytes(6) + b"\x00\x00",
    ],
)
def test_headers_of_every_kind_are_passed_over(header: bytes) -> None:
    assert text(header + gzip.compress(b"text", mtime=0)[10:], Checkpoint(), packed=True) == b"text"


@given(st.binary(max_size=100), st.integers(0, 130))
def test_what_pythons_reader_refuses_is_refused(rest: bytes, cut: int) -> None:
    content = (gzip.compress(b"some text\n" * 20) + rest)[: cut or None]
    try:
        with plain_bytes(io.BytesIO(content), "a.gz") as plain:
            whole = plain.read()
    except UnreadableFile:
        with pytest.raises(UnreadableFile, match="not a whole gzip file"):
            text(content, Checkpoint(), packed=True)
    else:
        assert text(content, Checkpoint(), packed=True) == whole


def test_what_expands_beyond_all_proportion_is_refused() -> None:
    content = gzip.compress(bytes(MOST_EXPANDED + 2**22))
    assert len(content) * LARGEST_EXPANSION < MOST_EXPANDED
    with pytest.raises(UnreadableFile, match="200-fold"):
        for _ in text_blocks(fetch(content), Checkpoint(), packed=True):
            pass


def test_blocks_of_a_byte_each_bring_few_checkpoints() -> None:
    content = b"a\nbcdefg" * 30_000
    stored = b"".join(b"\0\1\0\xfe\xff%c" % byte for byte in content) + b"\1\0\0\xff\xff"
    packed = gzip.compress(b"")[:10] + stored + struct.pack("<II", zlib.crc32(content), len(content))
    with patch.object(checkpoints, "RUN", RUN):
        blocks = [*text_blocks(fetch(packed), Checkpoint(), packed=True)]
    assert b"".join(block for _, block in blocks) == content
    assert len(blocks) <= len(content) // RUN + 1
    for checkpoint, _ in blocks[1:]:
        assert checkpoint and text(packed, checkpoint, packed=True) == content[checkpoint.unpacked :]


def test_what_follows_short_members_is_not_copied_for_each() -> None:
    given = checkpoints._Packed(io.BytesIO(bytes(100_000)), 0)
    block = given.block()
    given.give_back(block[1:])
    assert (len(block), given.offset) == (checkpoints.AT_ONCE, 1)
    assert given.take(100_000 - 1) == bytes(100_000 - 1)
