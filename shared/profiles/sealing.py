"""Which events of a history are sealed, and when: so that the item that every update writes stays small."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from shared.features import Profiles, decode, encode, rows_in, since
from shared.features.attributes import Attributes
from shared.features.ordering import FINGERPRINT_BITS
from shared.profiles.histories import gathered, own, those_of
from shared.profiles.sealed import Sealed, Volume
from shared.profiles.stored_profile import StoredProfile

HEAD_BYTES = 570
"""Of the key and the state in a profile's item: with a decision, as much as fits into the kilobyte of a write unit."""
OPEN_BYTES = HEAD_BYTES // 2
"""Of the state: from then on a profile names a volume with room, which is there or not."""
VOLUME_BYTES = 3_800
"""Of a volume that is not written any more: a read unit is four kilobytes."""
LEAST_EVENTS = 16
"""Sealed at once: what is known of somebody stays in their item, however long it is, and is no reason to write two."""


def parted(
    grown: Profiles, before: Profiles, volumes: Profiles, stored: Mapping[str, StoredProfile]
) -> dict[str, StoredProfile]:
    """The `stored` profiles, by key, with the histories `grown` in parts; they held those of `before`, of which their
    `volumes` have the sealed part.

    Only events that a profile's item holds already are sealed, so that a volume that is written alone, because what
    follows breaks off, adds nothing to the history. Attributes stay in the item.
    """
    sealed = {key: stored[key].sealed for key in grown.keys}
    states = _heads(grown, those_of(volumes, {*grown.keys}))
    full = [stored[key] for key, state in states.items() if len(key) + len(state) > HEAD_BYTES]
    rewritten = _rewritten([profile for profile in full if rows_in(profile.state) >= LEAST_EVENTS], before)
    if rewritten:
        sealed |= rewritten
        states |= _heads(those_of(grown, rewritten.keys()), sealed_events(rewritten))
    totals = dict(zip(grown.keys, grown.event_totals.tolist(), strict=True))
    return {
        key: replace(
            stored[key],
            state=state,
            sealed=_with_room(sealed[key], state, stored[key]),
            events=totals[key],
        )
        for key, state in states.items()
    }


def beside(whole: Profiles, sealed: Profiles) -> Profiles:
    """What `whole` holds and `sealed` does not hold exactly so; who has nothing of it keeps their latest event.

    The union of it and `sealed`, whose keys are among those of `whole`, is `whole` again.
    """
    if not len(sealed):
        return whole
    position = {key: i for i, key in enumerate(whole.keys)}
    owner = np.array([position[key] for key in sealed.keys], np.int64)[sealed.owner]
    ids = _ids(owner, sealed)
    order = np.argsort(ids)
    wanted = _ids(whole.owner, whole)
    at = order[np.minimum(np.searchsorted(ids, wanted, sorter=order), len(ids) - 1)]
    same = ids[at] == wanted
    for mine, theirs in zip(whole.rows.columns(), sealed.rows.columns(), strict=True):
        same &= mine == theirs[at]
    sketches = {
        key: sketch
        for key, sketch in whole.sketches.items()
        if key not in sealed.sketches or not np.array_equal(sketch, sealed.sketches[key])
    }
    return replace(_left(whole, ~same), sketches=sketches)


def trimmed(profile: StoredProfile) -> StoredProfile:
    """The profile without what is known from before its events count, sealed or not."""
    assert profile.counts_from_ms is not None
    limit = {profile.key: profile.counts_from_ms}
    left = since(own({profile.key: profile}), limit)
    sealed = profile.sealed
    if sealed is not None:
        volumes = {number: volume.state for number, volume in enumerate(sealed.read) if volume.state}
        shorter = {number: _since(state, limit) for number, state in volumes.items()}
        sealed = sealed.rewritten(
            {n: state for n, state in shorter.items() if state != volumes[n]}, profile.version + 1
        )
    state = _heads(left, sealed_events({profile.key: sealed}))[profile.key] if len(left) else b""
    return replace(profile, state=state, sealed=sealed, events=int(left.event_totals.sum()))


def _since(state: bytes, limit: Mapping[str, int]) -> bytes:
    return next(iter(encode(since(decode([*limit], [state]), limit))), b"")


def sealed_events(sealed: Mapping[str, Sealed | None]) -> Profiles:
    """What the volumes of profiles hold, by the profiles' keys."""
    return gathered((key, volume.state) for key, one in sealed.items() for volume in _volumes(one) if volume.state)


def _heads(grown: Profiles, volumes: Profiles) -> dict[str, bytes]:
    """What of the histories belongs into the profiles' items beside their volumes, by key."""
    return _encoded(beside(grown, volumes))


def _rewritten(profiles: Iterable[StoredProfile], before: Profiles) -> dict[str, Sealed]:
    """The volumes of those that have room for what stands in the profile's item, with it in them."""
    first_ms = {key: int(before.first_event_ms[i]) for i, key in enumerate(before.keys) if key in before.sketches}
    chosen: dict[str, tuple[StoredProfile, Sealed, int]] = {}
    parts: list[tuple[str, bytes]] = []
    for profile in profiles:
        sealed = profile.sealed
        number = _roomy(sealed, len(profile.state), first_ms.get(profile.key)) if sealed else None
        if sealed and number is not None:
            chosen[profile.key] = (profile, sealed, number)
            states = (profile.state, sealed.read[number].state)
            parts += [(profile.key, state) for state in states if state]
    together = replace(gathered(parts), attributes=Attributes.none())
    encoded = _encoded(_alive(together, first_ms, before) if first_ms else together)
    return {
        key: sealed.rewritten({number: encoded[key]}, profile.version + 1)
        for key, (profile, sealed, number) in chosen.items()
    }


def _alive(profiles: Profiles, first_ms: Mapping[str, int], before: Profiles) -> Profiles:
    """Without the events that are older than the latest that are kept of anybody, and with the word of how many there
    ever were: else the volumes of who has no end of events would have none either."""
    limits = np.array([first_ms.get(key, 0) for key in profiles.keys], np.int64)
    left = _left(profiles, profiles.rows.time_ms >= limits[profiles.owner])
    return replace(left, sketches={key: before.sketches[key] for key in profiles.keys if key in first_ms})


def _roomy(sealed: Sealed, size: int, first_ms: int | None = None) -> int | None:
    """The first volume with room for a state of so many bytes; events before `first_ms` take none."""
    rooms = (number for number, volume in enumerate(sealed.read) if _taken(volume, first_ms) + size <= VOLUME_BYTES)
    empty = (number for number, volume in enumerate(sealed.read) if not volume.state)
    return next(rooms, next(empty, None))


def _taken(volume: Volume, first_ms: int | None) -> int:
    if first_ms is None or not volume.state:
        return len(volume.state)
    times_ms = decode([""], [volume.state]).rows.time_ms
    return len(volume.state) * int((times_ms >= first_ms).sum()) // max(len(times_ms), 1)


def _with_room(sealed: Sealed | None, state: bytes, stored: StoredProfile) -> Sealed | None:
    """The volumes, and an empty one more if the profile's item fills up and none has room.

    Not with the first write: to seal a long one with the second costs twice as much as to leave it, and many who come
    a second time never come a third.
    """
    if len(state) <= OPEN_BYTES or stored.version == stored.born:
        return sealed
    if sealed is None:
        return Sealed(stored.version + 1, (), ()).opened()
    return sealed if _roomy(sealed, len(state)) is not None else sealed.opened()


def _encoded(profiles: Profiles) -> dict[str, bytes]:
    return dict(zip(profiles.keys, encode(profiles), strict=True))


def _left(profiles: Profiles, kept: NDArray[np.bool_]) -> Profiles:
    """The rows that are `kept` [n_rows]; of who would have none, the latest, as a state is of somebody with events."""
    counts = np.add.reduceat(kept, profiles.starts[:-1]) if len(profiles) else np.zeros(0, np.int64)
    kept = kept.copy()
    kept[profiles.starts[1:][counts == 0] - 1] = True
    starts = np.concatenate(([0], np.cumsum(kept)))[profiles.starts]
    return replace(profiles, starts=starts, rows=profiles.rows.take(np.flatnonzero(kept)))


def _volumes(sealed: Sealed | None) -> tuple[Volume, ...]:
    return sealed.read if sealed else ()


def _ids(owner: np.ndarray, profiles: Profiles) -> np.ndarray:
    """A number for each row, of its profile and fingerprint."""
    return owner.astype(np.uint64) << np.uint64(FINGERPRINT_BITS) | profiles.rows.fingerprint
