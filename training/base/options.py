"""What an option of training may be, in words and as a check of any value."""

import re
import reprlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from shared.features import FEATURES

GROUPS = tuple(dict.fromkeys(feature.group for feature in FEATURES))


@dataclass(frozen=True)
class Option:
    """What an option may be."""

    may_be: str
    accepts: Callable[[Any], bool]
    """Of a value of any type, whether the option may be that."""


def whole(fewest: int, most: int, otherwise: int | None = None) -> Option:
    """A whole number within limits, or `otherwise`."""
    other = "" if otherwise is None else f", or {otherwise}"
    return Option(
        f"a whole number from {fewest:,} to {most:,}{other}",
        lambda value: type(value) is int and (fewest <= value <= most or value == otherwise),
    )


def number(least: float, most: float) -> Option:
    """A number within limits; a whole one will do."""
    return Option(
        f"a number from {least:g} to {most:g}", lambda value: type(value) in (int, float) and least <= value <= most
    )


def one_of(*texts: str) -> Option:
    """One of these texts."""
    return Option(f"one of {', '.join(texts)}", lambda value: type(value) is str and value in texts)


CURRENCY = Option(
    'a code of three capital letters such as "USD", or ""',
    lambda value: type(value) is str and re.fullmatch("([A-Z]{3})?", value) is not None,
)
FEATURE_GROUPS = Option(
    f"a list of any of {', '.join(GROUPS)}",
    lambda value: type(value) in (list, tuple) and all(group in GROUPS for group in value),
)

Days = Annotated[int, whole(1, 36_500)]
Customers = Annotated[int, whole(1, 1_000_000_000)]
Share = Annotated[float, number(0, 1)]


def shown(value: Any) -> str:
    """A value in short, for a message; also where Python refuses to write out a number because it is too long."""
    try:
        return reprlib.repr(value)
    except ValueError:
        return "a number of thousands of digits"
