"""Work on bytes that nobody vouches for, in a process of its own with so much memory and processor time.

What a library of native code does with a damaged file is not ours to promise: it may ask for any memory, never end, or
crash. Here that ends the child, and the caller hears of it as of any other unreadable file.
"""

from __future__ import annotations

import multiprocessing
import resource
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

MEMORY_BYTES = 300 * 2**20
"""What the child may allocate beyond what its parent had."""
SECONDS = 600
"""Of processor time."""


class BrokenOff(ValueError):
    """The work did not come to its end; the message says why, without a word of what was worked on."""


def confined[T](work: Callable[[], Iterator[T]], memory_bytes: int = MEMORY_BYTES) -> Iterator[T]:
    """What `work` yields, which must be picklable, as it comes. Raises BrokenOff, and so may `work`.

    Only Linux, which the functions run on, keeps the bounds; elsewhere the work is done as it is.
    """
    if sys.platform != "linux":
        yield from work()
        return
    receiver, sender = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_run, args=(work, sender, memory_bytes), daemon=True)
    with warnings.catch_warnings():
        # The child touches nothing that another thread may hold: it reads a file and writes to its pipe.
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        child.start()
    sender.close()
    try:
        yield from _received(receiver)
    except EOFError:
        child.join()
        raise BrokenOff(_cause(child.exitcode)) from None
    finally:
        receiver.close()
        child.kill()
        child.join()


def _received(receiver: Connection) -> Iterator[Any]:
    while True:
        reason, value = receiver.recv()
        if reason is not None:
            raise BrokenOff(reason)
        if value is None:
            return
        yield value


def _run(work: Callable[[], Iterator[Any]], sender: Connection, memory_bytes: int) -> None:
    # Let the kernel have done with a child that is out of bounds, and leave no core of it on the disk.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (limit := _data_bytes() + memory_bytes, limit))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    try:
        for value in work():
            sender.send((None, value))
        sender.send((None, None))
    except BrokenOff as error:
        sender.send((str(error), None))
    except BrokenPipeError:
        pass
    except Exception:  # A traceback would show the user's values.
        sender.send((_cause(None), None))


def _data_bytes() -> int:
    with Path("/proc/self/status").open() as status:
        (line,) = (line for line in status if line.startswith("VmData:"))
    return int(line.split()[1]) * 1_024


def _cause(exit_code: int | None) -> str:
    if exit_code == -signal.SIGXCPU:
        return f"it takes more than {SECONDS} seconds"
    return "it takes too much memory, or is damaged"
