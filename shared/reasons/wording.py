"""Numbers about customers as sentences that a marketer reads."""

from collections.abc import Mapping
from functools import lru_cache
from math import isnan

from shared.features import FEATURES, Feature

ABOUT: Mapping[str, Feature] = {feature.name: feature for feature in FEATURES}
_SUBJECTS = {name: f"{feature.shown[0].lower()}{feature.shown[1:]}" for name, feature in ABOUT.items()}

_SINCE = {
    "days_since_visit": ("no visit for {}", "no visit yet"),
    "days_since_order": ("no order for {}", "no order yet"),
    "days_since_first_order": ("first order {} ago", "no order yet"),
    "days_since_cart": ("nothing put in the cart for {}", "nothing put in the cart yet"),
    "tenure": ("first seen {} ago", "never seen"),
}
"""How a time is put into words, and that there is none."""


def format_value(unit: str, value: float) -> str:
    """A number as a marketer reads it; "none" for NaN."""
    if isnan(value):
        return "none"
    if unit == "share":
        return f"{value:.0%}"
    digits = 2 if unit in ("ratio", "index") else 0 if abs(value) >= 10 or value == round(value) else 1
    number = f"{value:,.{digits}f}"
    return number + {"days": " day" if number == "1" else " days", "seconds": " s"}.get(unit, "")


def sentence(name: str, value: float, typical: float | None, group: str | None) -> str:
    """What a customer's feature is, beside what is typical of the group; that is left out where it is not known."""
    beside = _beside(name, typical, group, isnan(value)) if group or typical is not None else ""
    return _fact(name, value) + beside


@lru_cache(maxsize=16_384)
def _fact(name: str, value: float) -> str:
    # Most values are small whole numbers that many customers have.
    if name in _SINCE:
        known, unknown = _SINCE[name]
        return unknown if isnan(value) else known.format(format_value("days", value))
    return f"{_SUBJECTS[name]}: {format_value(ABOUT[name].unit, value)}"


@lru_cache(maxsize=16_384)
def _beside(name: str, typical: float | None, group: str | None, undefined: bool) -> str:
    # The same for all customers of a segment, of whose features each has one.
    usual = format_value(ABOUT[name].unit, float("nan") if typical is None else typical)
    if not undefined:  # the value before has named the unit
        usual = usual.removesuffix(" days").removesuffix(" day").removesuffix(" s")
    return f"; typical for {group or 'the segment'}: {usual}"
