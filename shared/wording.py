"""Numbers about customers as sentences that a marketer reads."""

from collections.abc import Mapping
from math import isnan

from shared.features import FEATURES, Feature

ABOUT: Mapping[str, Feature] = {feature.name: feature for feature in FEATURES}

_SINCE = {
    "days_since_visit": ("no visit for {}", "no visit yet"),
    "days_since_order": ("no order for {}", "no order yet"),
    "days_since_first_order": ("first order {} ago", "no order yet"),
    "days_since_cart": ("nothing put in the cart for {}", "nothing put in the cart yet"),
    "tenure": ("first seen {} ago", "never seen"),
}
"""How times are said, and that there is none."""


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
    usual = float("nan") if typical is None else typical
    told = f"{_fact(name, value)}; typical for {group or 'the segment'}: {_short(name, usual, value)}"
    return told if group or typical is not None else _fact(name, value)


def _fact(name: str, value: float) -> str:
    feature = ABOUT[name]
    if name in _SINCE:
        known, unknown = _SINCE[name]
        return unknown if isnan(value) else known.format(format_value(feature.unit, value))
    text = feature.description
    return f"{text[0].lower()}{text[1:]}: {format_value(feature.unit, value)}"


def _short(name: str, usual: float, value: float) -> str:
    said = format_value(ABOUT[name].unit, usual)
    # The unit has just been named, unless there was no value to name it with.
    return said if isnan(value) else said.removesuffix(" days").removesuffix(" day").removesuffix(" s")


def instead(name: str, value: float, other: float) -> str:
    """A feature at another value than the customer's."""
    feature = ABOUT[name]
    text = f"{feature.description[0].lower()}{feature.description[1:]}"
    return f"{text}: {format_value(feature.unit, other)} instead of {format_value(feature.unit, value)}"
