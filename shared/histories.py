"""Histories put together from their parts: deliveries, and a customer's own events with those of their visitors."""

from collections.abc import Iterable, Mapping
from itertools import batched

import numpy as np

from shared.features import EventColumns, Profiles, decode, fold, merge
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
    parts = [(p.key, copy.state) for p in profiles for copy in p.visitors.values() if copy.state]
    if not parts:
        return histories
    labels = [f"{i:09d}" for i in range(len(parts))]
    visits = decode(labels, [state for _, state in parts])
    return merge(histories, renamed(visits, {label: key for label, (key, _) in zip(labels, parts, strict=True)}))


def renamed(profiles: Profiles, names: Mapping[str, str]) -> Profiles:
    """The same events under new keys, of which several may be the same; a key without a new one stays."""
    targets = [names.get(key, key) for key in profiles.keys]
    position = {key: i for i, key in enumerate(dict.fromkeys(targets))}
    owner = np.array([position[key] for key in targets], np.int64)[profiles.owner]
    return fold(EventColumns(list(position), owner, profiles.rows, profiles.category_names))


def union(parts: list[Profiles]) -> Profiles:
    """All of them merged, pair by pair, so that every row is sorted a logarithmic number of times."""
    while len(parts) > 1:
        parts = [merge(*pair) if len(pair) == 2 else pair[0] for pair in batched(parts, 2, strict=False)]
    return parts[0] if parts else Profiles.empty()
