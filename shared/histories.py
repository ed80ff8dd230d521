"""Histories put together from their parts: deliveries, and a customer's own events with those of their visitors."""

from collections import Counter
from collections.abc import Iterable, Mapping

from shared.features import Profiles, decode, merge, since
from shared.profile_table import StoredProfile


def histories(profiles: Iterable[StoredProfile]) -> Profiles:
    """All that is known of stored profiles, the linked visitors' events included; those without events are left out."""
    stored = {profile.key: profile for profile in profiles}
    return with_visitors(own(stored), stored.values())


def own(profiles: Mapping[str, StoredProfile]) -> Profiles:
    """What was delivered under each profile's own id."""
    keys = sorted(key for key, profile in profiles.items() if profile.state)
    return decode(keys, [profiles[key].state for key in keys])


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
    seen = Counter[str]()
    for key, state in parts:
        if seen[key] == len(layers):
            layers.append({})
        layers[seen[key]][key] = state
        seen[key] += 1
    return merge(*[decode(keys, [layer[key] for key in keys]) for layer in layers for keys in [sorted(layer)]])
