"""A shop's own types of events, which training tells apart and features do not."""

from dataclasses import replace

import numpy as np

from shared.features import Profiles
from shared.features.columns import OTHER, OWN_TYPES


def without_own_types(profiles: Profiles) -> Profiles:
    """The same as the functions keep it: types of the shop's own are other activity."""
    kind = profiles.rows.kind
    own = kind >= OWN_TYPES
    if not own.any():
        return profiles
    return replace(profiles, rows=replace(profiles.rows, kind=np.where(own, OTHER, kind).astype(np.uint8)))
