"""Events sealed after a few of them, where it takes dozens in a deployed stack."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from shared.profiles import sealing


@contextmanager
def sealing_soon(head: int = 0, volume: int = 120) -> Iterator[None]:
    """Seals whatever is stored already once a profile's item holds `head` bytes, into volumes of `volume` bytes."""
    with patch.multiple(sealing, HEAD_BYTES=head, OPEN_BYTES=head, VOLUME_BYTES=volume, LEAST_EVENTS=1):
        yield
