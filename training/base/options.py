"""What an option of training may be: bounds that msgspec holds a value to, and the same in words."""

import re
import reprlib
from typing import Annotated, Any

from msgspec import Meta, ValidationError, convert

from shared.features import FEATURES

GROUPS = tuple(dict.fromkeys(feature.group for feature in FEATURES))


def whole(fewest: int, most: int) -> Meta:
    """A whole number within limits."""
    return Meta(ge=fewest, le=most, description=f"a whole number from {fewest:,} to {most:,}")


def number(least: float, most: float) -> Meta:
    """A number within limits; a whole one will do."""
    return Meta(ge=least, le=most, description=f"a number from {least:g} to {most:g}")


def one_of(*texts: str) -> Meta:
    """One of these texts."""
    return Meta(pattern=rf"^({'|'.join(map(re.escape, texts))})\Z", description=f"one of {', '.join(texts)}")


Days = Annotated[int, whole(1, 36_500)]
Count = Annotated[int, whole(1, 1_000_000_000)]
Share = Annotated[float, number(0, 1)]
Currency = Annotated[
    str, Meta(pattern=r"^([A-Z]{3})?\Z", description='a code of three capital letters such as "USD", or ""')
]
Zone = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9_+/-]{1,64}\Z", description="a time zone's IANA name, such as Europe/Berlin")
]
Groups = Annotated[
    tuple[Annotated[str, one_of(*GROUPS)], ...], Meta(description=f"a list of any of {', '.join(GROUPS)}")
]


def may_be(declared: Any) -> str:
    """In words, what an option so declared may be."""
    return str(declared.__metadata__[0].description)


def accepts(declared: Any, value: Any) -> bool:
    """Whether an option so declared may be the value, which may be of any type."""
    try:
        convert(value, declared)
    except ValidationError:
        return False
    return True


def shown(value: Any) -> str:
    """A value in short, for a message; also where Python refuses to write out a number because it is too long."""
    try:
        return reprlib.repr(value)
    except ValueError:
        return "a number of thousands of digits"
