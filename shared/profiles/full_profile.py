"""What a profile keeps that would not fit its item: all that decisions are made on, as long as it can."""

from __future__ import annotations

from dataclasses import replace

from shared.features import decode, encode, merge, since
from shared.features.state import MOST_EVENTS
from shared.identity.links import Copy
from shared.profiles.histories import gathered, own
from shared.profiles.stored_profile import StoredProfile


def fitting(whole: StoredProfile, before: StoredProfile, most_bytes: int) -> StoredProfile:
    """`whole`, the profile with what is new, or as much of it as fits into `most_bytes`.

    First the visitors' copies lose what no decision looks at: whatever is older than the latest events that are kept of
    anybody. If that does not do, the copies stay as they were `before`, and if that does not either, so does the
    profile's own history. What visitors did is in their own profiles all the same, and a withdrawn copy always goes.
    """
    if whole.size <= most_bytes:
        return whole
    withdrawn = {visitor: copy for visitor, copy in whole.visitors.items() if copy.state is None}
    known = replace(whole, visitors={**before.visitors, **withdrawn})
    for candidate in (cut(whole), cut(known)):
        if candidate.size <= most_bytes:
            return candidate
    return replace(known, state=before.state, sealed=before.sealed, events=before.events)


def cut(profile: StoredProfile) -> StoredProfile:
    """The profile with its visitors' copies cut down to what counts among the latest MOST_EVENTS of all together."""
    copies = {visitor: copy.state for visitor, copy in profile.visitors.items() if copy.state}
    if not copies:
        return profile
    together = merge(own({profile.key: profile}), gathered((profile.key, state) for state in copies.values()))
    if together.event_counts[0] < MOST_EVENTS:
        return profile
    first_ms = int(together.first_event_ms[0])
    keys = sorted(copies)
    left = since(decode(keys, [copies[key] for key in keys]), dict.fromkeys(keys, first_ms))
    states = dict(zip(left.keys, encode(left), strict=True))
    shorter = {key: Copy(profile.visitors[key].version, states.get(key, b"")) for key in keys}
    return replace(profile, visitors={**profile.visitors, **shorter})
