"""Checkpoints in files of a few bytes, where it takes 64 KB from one to the next in a deployed stack."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from shared.events import checkpoints


@contextmanager
def short_runs() -> Iterator[None]:
    """Each block of deflate begins with one."""
    with patch.object(checkpoints, "RUN", 1):
        yield
