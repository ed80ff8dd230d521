"""What is stored of attributes: their texts, and of each a number for when it was said.

Most were said by an event that the profile holds, so that it is enough to count how many events came later: the number
is twice that. Of any other, as where a full profile holds that event no more, it is twice the time, and 1.
"""

import numpy as np

from shared.features.attributes import Attributes
from shared.features.bodies import StoredAttributes, demand
from shared.features.state import Profiles
from shared.features.stored_columns import Ints


def attributes_of(profiles: Profiles) -> StoredAttributes:
    """What to store of the profiles' attributes."""
    attributes = profiles.attributes
    if not len(attributes):
        return StoredAttributes.none(len(profiles))
    names, values = ([text.encode() for text in table] for table in (attributes.names, attributes.values))
    # Time below owner in one number: rows are sorted by it, so that one search finds all.
    first = min(int(profiles.rows.time_ms.min()), int(attributes.time_ms.min()))
    bits = (max(int(profiles.rows.time_ms.max()), int(attributes.time_ms.max())) - first).bit_length()
    rows = profiles.owner << bits | profiles.rows.time_ms - first
    asked = attributes.owner << bits | attributes.time_ms - first
    at = np.searchsorted(rows, asked, side="right") - 1
    later = profiles.starts[attributes.owner + 1] - 1 - at
    said = np.where((at >= 0) & (rows[at] == asked), later << 1, attributes.time_ms << 1 | 1)
    return StoredAttributes(
        attributes.counts(len(profiles)),
        said,
        [names[i] for i in attributes.name.tolist()],
        [values[i] for i in attributes.value.tolist()],
    )


def attributes_from(stored: StoredAttributes, time_ms: Ints, starts: Ints) -> Attributes:
    """The attributes of profiles whose rows starts[i]:starts[i + 1] have the times `time_ms`. Raises BrokenState."""
    if not len(stored.said):
        return Attributes.none()
    owner = np.repeat(np.arange(len(stored.counts)), stored.counts)
    of_row = stored.said & 1 == 0
    at = starts[owner + 1] - 1 - (stored.said >> 1)
    demand(~of_row | (at >= starts[owner]) & (stored.said >= 0))
    said_ms = np.where(of_row, time_ms[np.where(of_row, at, 0)], stored.said >> 1)
    names, values = ([text.decode() for text in texts] for texts in (stored.names, stored.values))
    return Attributes.said(owner, said_ms, names, values)
