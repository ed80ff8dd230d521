"""Older events of a profile, sealed in volumes: items of their own beside the profile's, which are seldom written.

A history is a set, so it is the union of its parts, and an event may stand in two of them. That is why a volume is
written before the profile that leaves out what went into it: whatever breaks off in between, the union stays what it
was. The profile's own version still guards the whole. docs/decisions/0030 has the argument.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

SEALED = "sealed#"
"""Begins the sort key of a volume, before its number."""


@dataclass(frozen=True, slots=True)
class Volume:
    """One of them."""

    version: int = 0
    """Of its last write; 0 of one that is not there."""
    state: bytes = b""
    replaces: int | None = None
    """The version that it was read with, if it is to be written; None where it stays as it is."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """The volumes of one profile."""

    since: int
    """The profile's version that opened the first volume. Whatever is as old as that was left by a former life."""
    least: tuple[int, ...]
    """Of each volume the version that it has at least; 0 while it may not be there."""
    volumes: tuple[Volume, ...] | None = None
    """None until they are read."""

    @property
    def read(self) -> tuple[Volume, ...]:
        """The volumes. Raises ValueError where they were not read: half a history must pass for none."""
        if self.volumes is None:
            raise ValueError("the sealed part of a history was not read")
        return self.volumes

    @property
    def holds_events(self) -> bool:
        """Whether there are events in them."""
        return any(self.least) if self.volumes is None else any(volume.state for volume in self.volumes)

    def of(self, by_number: Mapping[int, Volume]) -> Sealed | None:
        """With the volumes `by_number`; None where they are older than the profile that asks for them."""
        volumes = tuple(by_number.get(number, Volume()) for number in range(len(self.least)))
        # What a former life left does not count, and is written over at the version it has.
        counted = tuple(volume if volume.version > self.since else replace(volume, state=b"") for volume in volumes)
        is_behind = any(volume.version < least for volume, least in zip(counted, self.least, strict=True))
        return None if is_behind else replace(self, volumes=counted)

    def opened(self) -> Sealed:
        """With an empty one more."""
        return replace(self, least=(*self.least, 0), volumes=(*self.read, Volume()))

    def rewritten(self, states: Mapping[int, bytes], version: int) -> Sealed:
        """With other states of some volumes, by number, to be written along with the profile's `version`."""
        volumes = [
            replace(
                volume,
                # Above the one that was read, so that whoever read the same loses the race.
                version=max(version, volume.version + 1),
                state=states[number],
                replaces=volume.version if volume.replaces is None else volume.replaces,
            )
            if number in states
            else volume
            for number, volume in enumerate(self.read)
        ]
        return replace(self, least=self._least(volumes), volumes=tuple(volumes))

    def stored(self) -> Sealed:
        """As the profile has it from its next write on: no volume may be older than it was read."""
        return self if self.volumes is None else replace(self, least=self._least(self.volumes))

    def _least(self, volumes: Sequence[Volume]) -> tuple[int, ...]:
        return tuple(volume.version if volume.version > self.since else 0 for volume in volumes)


def volume_key(key: str, number: int) -> dict[str, Any]:
    """The key of a volume's item in the table."""
    return {"pk": {"S": key}, "sk": {"S": f"{SEALED}{number}"}}


def volume_number(item: Mapping[str, Any]) -> int:
    """Which of its profile's volumes an item is."""
    return int(item["sk"]["S"].removeprefix(SEALED))


def encode_volume(key: str, number: int, volume: Volume) -> dict[str, Any]:
    """The item of a volume."""
    return {
        **volume_key(key, number),
        "version": {"N": str(volume.version)},
        "state": {"B": volume.state},
    }


def decode_volume(item: Mapping[str, Any]) -> Volume:
    """The volume of an item. Raises AttributeError, KeyError, TypeError or ValueError where it is none."""
    return Volume(int(item["version"]["N"]), item["state"]["B"])
