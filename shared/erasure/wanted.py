"""The ids of people who are looked for, in the many ways in which files write them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Any

import msgspec

from shared.identity.keys import customer_id, is_visitor, visitor_id

LONGEST_MENTION_BYTES = 1_024
"""No way to write an id, its neighbours included, takes more."""
_ENCODINGS = ("utf-8", "latin-1", "cp1252")
_CUSTOMERS = frozenset({"customerid", "customer", "userid"})
_VISITORS = frozenset({"anonymousid", "visitorid", "previousid", "userpseudoid"})
_PEOPLE = _CUSTOMERS | _VISITORS
_FEW = 8


class Wanted:
    """The people at some profile keys."""

    def __init__(self, people: Iterable[str]) -> None:
        self.people = frozenset(people)
        self.customers = frozenset(customer_id(key) for key in self.people if not is_visitor(key))
        self.visitors = frozenset(visitor_id(key) for key in self.people if is_visitor(key))
        ids = sorted(self.customers | self.visitors)
        # Plain searches first: one pattern for hundreds of visitors would try each of them at each byte.
        self._words = [(way, re.compile(word)) for name in ids for way, word in _words(name).items()]
        self._written = [way for name in ids for way in _written(name)]

    def mentioned(self, text: bytes) -> bool:
        """Whether an id stands in it as a word, in any usual encoding."""
        return any(way in text and word.search(text) for way, word in self._words)

    def may_be_in(self, line: bytes) -> bool:
        """False only where no field of a line of JSON can have an id as its value."""
        if len(self._written) > _FEW:
            return True  # reading the line takes less than looking for each of them
        return b"\\" in line or any(way in line for way in self._written)

    def of_column(self, name: Any) -> frozenset[str]:
        """The ids that a column or a field of this name would hold; none if it is not about whose a row is."""
        plain = _plain(str(name))
        return self.customers if plain in _CUSTOMERS else self.visitors if plain in _VISITORS else frozenset()


def about_people(name: Any) -> bool:
    """Whether a column or a field of this name says whose a row is."""
    return _plain(str(name)) in _PEOPLE


@lru_cache(10_000)
def _plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name[:100].lower())


def same(value: Any, ids: frozenset[str]) -> bool:
    """Whether a value is one of the ids, also where a number or a spreadsheet was made of it."""
    text = str(value)
    return text in ids or text.strip().strip('="').removesuffix(".0") in ids


def as_bytes(ids: Iterable[str]) -> frozenset[str]:
    """The ids as they look where the bytes of a file, whatever its encoding, are taken for Latin-1."""
    return frozenset(way.decode("latin-1") for name in ids for way in _encoded(name))


def _encoded(name: str) -> set[bytes]:
    ways = set[bytes]()
    for encoding in _ENCODINGS:
        with suppress(UnicodeEncodeError):
            ways.add(name.encode(encoding, "surrogatepass" if encoding == "utf-8" else "strict"))
    return ways


def _written(name: str) -> list[bytes]:
    # A line of JSON may write it with escapes.
    with suppress(UnicodeEncodeError):
        return sorted(_encoded(name) | {msgspec.json.encode(name)[1:-1]})
    return sorted(_encoded(name))


def _words(name: str) -> dict[bytes, bytes]:
    """How an id looks in bytes, and the pattern for where it is a word of its own."""
    patterns = {way: rb"(?<![\w-])" + re.escape(way) + rb"(?![\w-])" for way in _written(name)}
    with suppress(UnicodeEncodeError):
        little, big = name.encode("utf-16-le"), name.encode("utf-16-be")
        patterns[little] = rb"(?<![\w-]\x00)" + re.escape(little) + rb"(?![\w-]\x00)"
        patterns[big] = rb"(?<!\x00[\w-])" + re.escape(big) + rb"(?!\x00[\w-])"
    return patterns
