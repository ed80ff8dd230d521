"""Streams that have begun, and streams within bounds."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.erasure.streams import Begun, Bounded, NotSearchable, OutOfTime


@given(st.binary(max_size=20), st.integers(0, 5), st.integers(5, 9))
def test_a_stream_that_has_begun_is_read_whole(body: bytes, begun: int, size: int) -> None:
    stream = Begun(body[:begun], io.BytesIO(body[begun:]))
    parts = [*iter(lambda: stream.read(size), b"")]
    assert b"".join(parts) == body


def test_reading_ends_when_there_is_no_time() -> None:
    time = iter([True, False])
    stream = Bounded(io.BytesIO(b"abc"), lambda: next(time))
    assert stream.read(2) == b"ab"
    with pytest.raises(OutOfTime):
        stream.read(2)


def test_reading_ends_beyond_the_bound() -> None:
    stream = Bounded(io.BytesIO(b"abc"), lambda: True, most_bytes=2)
    assert stream.read(2) == b"ab"
    with pytest.raises(NotSearchable, match="it is larger than"):
        stream.read(2)
