"""What a JSON document that others wrote has to look like before anything is made of it.

Plain Python, since every cold start loads it. A shape is a kind of value, or made of shapes:

    int, float, bool    a whole number, any finite number, true or false
    Text(80)            a text of at most 80 characters that can be written as UTF-8
    None                null
    (float, None)       either of these
    [shape]             a list of them
    {"name": shape}     an object that has a name; one more as {"name?": shape} need not be there, and {"*": shape} are
                        all others, which are ignored where that is left out
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import isfinite
from typing import Any

type Shape = Any

LARGEST = 2**53
"""Whole numbers of JSON are exact up to here."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text of at most `most` characters."""

    most: int


class Misfit(Exception):
    """A document is not what it should be; the message says where and what was expected, and holds nothing of it."""


def parsed(content: bytes, shape: Shape) -> Any:
    """The JSON document in `content`, which is of `shape`. Raises Misfit for whatever else the bytes hold."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise Misfit("it is not JSON") from None
    check(document, shape)
    return document


def check(value: Any, shape: Shape, where: str = "it") -> None:
    """Raises Misfit where `value` is not of `shape`."""
    match shape:
        case dict():
            _check_object(value, shape, where)
        case [inner]:
            if not isinstance(value, list):
                raise Misfit(f"{where} is not a list")
            for one in value:
                check(one, inner, f"an entry of {where}")
        case _:
            options = shape if isinstance(shape, tuple) else (shape,)
            if not any(_is(value, option) for option in options):
                raise Misfit(f"{where} is not {' or '.join(map(_described, options))}")


def _check_object(value: Any, shape: dict[str, Shape], where: str) -> None:
    if not isinstance(value, dict):
        raise Misfit(f"{where} is not an object")
    own = {name.removesuffix("?"): inner for name, inner in shape.items() if name != "*"}
    for name, inner in own.items():
        if name in value:
            check(value[name], inner, f"{name} of {where}")
        elif name in shape:
            raise Misfit(f"{where} has no {name}")
    if "*" in shape:
        for name in value.keys() - own.keys():
            check(value[name], shape["*"], f"an entry of {where}")


def _is(value: Any, kind: Any) -> bool:
    match kind:
        case None:
            return value is None
        case Text():
            return isinstance(value, str) and len(value) <= kind.most and _is_unicode(value)
        case _ if kind is bool:
            return isinstance(value, bool)
        case _ if kind is int:
            return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST
        case _:
            number = isinstance(value, int | float) and not isinstance(value, bool)
            return number and (abs(value) <= LARGEST if isinstance(value, int) else isfinite(value))


def _is_unicode(text: str) -> bool:
    # JSON may hold half a character ("\ud800"), which nothing can write again.
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _described(kind: Any) -> str:
    if isinstance(kind, Text):
        return f"a text of at most {kind.most:,} characters"
    return {None: "null", bool: "true or false", int: "a whole number"}.get(kind, "a number")
