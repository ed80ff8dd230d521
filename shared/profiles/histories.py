"""Histories put together from their parts: deliveries, and a customer's own events with those of their visitors."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping

from shared.features import BrokenState, Profiles, UnknownStateVersion, decode, encode, merge, rows_in, since
from shared.profiles.stored_profile import StoredProfile
from shared.profiles.unwritten import ProfileNewer, ProfilesUnreadable, Unwritten

EVENTS_AT_ONCE = 250_000
"""Events that are decoded, merged and decided on at a time, which bounds the memory."""
NEWER = Unwritten("the stored profile was written by a newer release, which has to read it", ProfileNewer, passes=True)
"""Of profiles whose events come again until the release that reads them is back."""
BROKEN = Unwritten("the stored profile cannot be read, and was left as it is", ProfilesUnreadable)


def histories(profiles: Iterable[StoredProfile]) -> Profiles:
    """All that is known of stored profiles, the linked visitors' events included; those without events are left out."""
    stored = {profile.key: profile for profile in profiles}
    return with_visitors(own(stored), stored.values())


def rows_of(profile: StoredProfile) -> int:
    """How many events a profile holds, its visitors' included, without decoding them."""
    copies = (copy.state for copy in profile.visitors.values() if copy.state)
    return sum(map(rows_in, (*profile.states, *copies)))


def parts(profiles: Iterable[StoredProfile]) -> Iterator[list[StoredProfile]]:
    """The profiles, as many at a time as hold EVENTS_AT_ONCE."""
    part: list[StoredProfile] = []
    held = 0
    for profile in profiles:
        events = rows_of(profile)
        if part and held + events > EVENTS_AT_ONCE:
            yield part
            part = []
            held = 0
        part.append(profile)
        held += events
    if part:
        yield part


def unreadable(profiles: Iterable[StoredProfile]) -> dict[str, Unwritten]:
    """Those whose histories this code cannot read, by key, and why."""
    return {profile.key: problem for profile in profiles if (problem := _problem(profile))}


def _problem(profile: StoredProfile) -> Unwritten | None:
    try:
        histories([profile])
    except UnknownStateVersion:
        return NEWER
    except BrokenState:
        return BROKEN
    return None


def those_of(histories: Profiles, keys: Collection[str]) -> Profiles:
    """The histories under some keys; of others among the keys there are none."""
    return histories.take([i for i, key in enumerate(histories.keys) if key in keys])


def own(profiles: Mapping[str, StoredProfile]) -> Profiles:
    """What was delivered under each profile's own id."""
    return gathered((key, state) for key, profile in profiles.items() for state in profile.states)


def whole_state(profile: StoredProfile) -> bytes:
    """What was delivered under a profile's own id as one encoded state, the sealed events included."""
    if profile.sealed is None or not profile.sealed.holds_events:
        return profile.state
    return next(iter(encode(own({profile.key: profile}))), b"")


def with_visitors(histories: Profiles, profiles: Iterable[StoredProfile]) -> Profiles:
    """Customers' own `histories` and what they did as visitors, under the customers' keys."""
    profiles = list(profiles)
    parts = [(p.key, copy.state) for p in profiles for copy in p.visitors.values() if copy.state]
    limits = {p.key: p.counts_from_ms for p in profiles if p.counts_from_ms is not None}
    both = merge(histories, gathered(parts)) if parts else histories
    return since(both, limits) if limits else both


def gathered(parts: Iterable[tuple[str, bytes]]) -> Profiles:
    """The histories behind encoded states, under keys of which several may be the same."""
    layers: list[dict[str, bytes]] = []
    copies = Counter[str]()
    for key, state in parts:
        if copies[key] == len(layers):
            layers.append({})
        layers[copies[key]][key] = state
        copies[key] += 1
    decoded = [decode(keys, [layer[key] for key in keys]) for layer in layers for keys in [sorted(layer)]]
    if not decoded:
        return Profiles.empty()
    return decoded[0] if len(decoded) == 1 else merge(*decoded)
