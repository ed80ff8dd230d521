"""The index of profiles by when their decision has to be looked at again, spread so that no day is a hot key.

A refresh asks every shard for what was due until now: `due_shard = :shard AND due_ms <= :now`.
"""

from zlib import crc32

INDEX = "due"
SHARDS = 16
"""Each takes 1,000 writes a second, whatever day they are due on."""


def due_shard(key: str) -> str:
    """The shard that a profile is in, always the same."""
    return f"due#{crc32(key.encode()) % SHARDS:02d}"


def due_shards() -> list[str]:
    """All of them."""
    return [f"due#{shard:02d}" for shard in range(SHARDS)]
