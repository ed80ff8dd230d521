"""Work in a process of its own: it hands back what it yields, and is ended beyond its bounds."""

import os
import signal
from collections.abc import Iterator

import pytest

from shared.events.confined import BrokenOff, confined


def test_what_is_yielded_comes_from_another_process() -> None:
    (child,) = confined(lambda: iter([os.getpid()]))
    assert child != os.getpid()


def test_work_that_says_why_it_broke_off_is_heard() -> None:
    def refuse() -> Iterator[int]:
        yield 1
        raise BrokenOff("no Parquet")

    parts = confined(refuse)
    assert next(parts) == 1
    with pytest.raises(BrokenOff, match="no Parquet"):
        next(parts)


def test_an_error_is_told_without_what_it_says() -> None:
    def fail() -> Iterator[int]:
        raise ValueError("jane@example.com")
        yield 0

    with pytest.raises(BrokenOff, match="it takes too much memory, or is damaged"):
        next(confined(fail))


def test_a_child_that_crashes_or_takes_too_much_memory_is_heard_of() -> None:
    def crash() -> Iterator[int]:
        os.kill(os.getpid(), signal.SIGKILL)
        yield 0

    for work in (crash, lambda: iter([len(bytearray(200 * 2**20))])):
        with pytest.raises(BrokenOff, match="too much memory, or is damaged"):
            next(confined(work, memory_bytes=50 * 2**20))


def test_who_takes_no_more_leaves_no_process_behind() -> None:
    parts = confined(lambda: iter([os.getpid(), 0]))
    child = next(parts)
    parts.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
