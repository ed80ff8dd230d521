"""The bytes of files, unpacked within bounds, and cut into lines of bounded length."""

import gzip
import io

import pytest

from shared.events import streams
from shared.events.streams import LONGEST_LINE, UnreadableFile, lines, plain_bytes


def read(content: bytes, name: str) -> bytes:
    with plain_bytes(io.BytesIO(content), name) as stream:
        return stream.read()


def test_a_packed_file_is_unpacked_by_its_name() -> None:
    assert read(gzip.compress(b"a"), "a.ndjson.GZ") == b"a"
    assert read(b"a", "a.ndjson") == b"a"


def test_what_is_no_whole_packed_file_is_refused() -> None:
    for content in (b"plain", gzip.compress(b"a" * 99)[:-9]):
        with pytest.raises(UnreadableFile, match="not a whole gzip file"):
            read(content, "a.csv.gz")


def test_a_packed_file_may_expand_so_far_and_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MOST_EXPANDED", 1_000)
    packed = gzip.compress(b"x" * 2_000_000)
    with plain_bytes(io.BytesIO(packed), "a.gz") as stream, pytest.raises(UnreadableFile, match="expands further"):
        while stream.read(100_000):
            pass


def test_lines_are_counted_from_one_without_their_ends() -> None:
    assert [*lines(io.BytesIO(b"\xef\xbb\xbfa\n\nb"))] == [(1, b"a"), (2, b""), (3, b"b")]
    assert [*lines(io.BytesIO(b"a\n"))] == [(1, b"a")]
    assert [*lines(io.BytesIO(b""))] == []


def test_of_a_line_that_is_too_long_a_beginning_that_shows_it_is_kept() -> None:
    (_, long), (number, after) = lines(io.BytesIO(b"x" * (3 * LONGEST_LINE) + b"\nb"))
    assert LONGEST_LINE < len(long) <= 3 * LONGEST_LINE
    assert (number, after) == (2, b"b")
