"""What the decision of a profile that moves was made on, kept with it for the ledger.

The ledger says why, from the version of the item that the table's stream tells of. Of a profile with sealed events that
item holds but the latest ones, and the volumes may hold more by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from shared.identity.keys import is_visitor
from shared.profiles.histories import histories
from shared.profiles.stored_profile import StoredProfile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.models.bundle import Bundle


def remembered(profiles: Sequence[StoredProfile], bundle: Bundle | None) -> list[StoredProfile]:
    """The profiles, of which the customers who move and have sealed events keep what `bundle` decided on."""
    moved = [profile for profile in profiles if bundle and _is_to_be_told_of(profile)]
    known: dict[str, bytes] = {}
    if moved and bundle:
        whole = histories(moved)
        as_of_ms = {profile.key: profile.decision.as_of_ms for profile in moved if profile.decision}
        rows = bundle.features_at(whole, np.array([as_of_ms[key] for key in whole.keys], np.int64))
        known = {key: row.tobytes() for key, row in zip(whole.keys, bundle.own(rows).astype("<f4"), strict=True)}
    return [replace(profile, known=known.get(profile.key)) for profile in profiles]


def features_of(known: bytes) -> NDArray[np.float32]:
    """The features that were kept [of the bundle that decided]."""
    return np.frombuffer(known, "<f4").astype(np.float32)


def _is_to_be_told_of(profile: StoredProfile) -> bool:
    sealed = profile.sealed is not None and profile.sealed.holds_events
    return sealed and profile.moved is not None and profile.decision is not None and not is_visitor(profile.key)
