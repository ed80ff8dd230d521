"""What events say of their customers: attributes, as the texts that are kept of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.events.event import LONGEST_ATTRIBUTE
from shared.events.texts import Texts
from shared.features.attributes import Attributes

REGION = "region"
"""The attribute that the field of this name says."""
_EXACT = 2.0**53


class NotAnAttribute(ValueError):
    """An entry has no name, is too long, or is neither text nor a number nor true nor false."""


def attributes_of(said: Mapping[str, Any]) -> dict[str, str]:
    """Entries as JSON by name; what is null is left out. Raises NotAnAttribute."""
    known = {}
    for name, value in said.items():
        if value is not None:
            known[name] = _as_json(name, value)
    return known


def fitting_attributes(said: Mapping[str, Any], most: int) -> dict[str, Any]:
    """Of what a tool says in a way of its own, the first entries by name that can be attributes."""
    fitting: dict[str, Any] = {}
    for name in sorted(name for name in said if isinstance(name, str)):
        value = said[name]
        if value is None or len(fitting) == most:
            continue
        try:
            _as_json(name, value)
        except NotAnAttribute:
            continue
        fitting[name] = value
    return fitting


def regions(profile: NDArray[np.int64], time_ms: NDArray[np.int64], texts: Texts) -> Attributes:
    """What rows say by their field `region` of the profiles that they belong to [n each]."""
    some = np.flatnonzero((texts.sizes > 0) & (texts.sizes + len(REGION) <= LONGEST_ATTRIBUTE))
    # Most events say the same again, so only the latest of each profile are looked at as texts.
    newest = np.full(profile.max(initial=-1) + 1, np.iinfo(np.int64).min)
    np.maximum.at(newest, profile[some], time_ms[some])
    last = some[time_ms[some] == newest[profile[some]]]
    latest = texts.take(last)
    different, which = latest.distinct()
    values = [msgspec.json.encode(region).decode() for region in latest.take(different).tolist()]
    return Attributes.of_one_name(REGION, profile[last], time_ms[last], values, which)


def _as_json(name: str, value: Any) -> str:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise NotAnAttribute
        value = int(value) if value.is_integer() and abs(value) < _EXACT else value
    if not name or not isinstance(value, str | int | float):
        raise NotAnAttribute
    text = msgspec.json.encode(value).decode()
    if len(name.encode()) + len((value if isinstance(value, str) else text).encode()) > LONGEST_ATTRIBUTE:
        raise NotAnAttribute
    return text
