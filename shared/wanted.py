"""The ids of people who are looked for, in the many ways in which files write them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import msgspec

from shared.keys import customer_id, is_visitor, visitor_id

LONGEST_MENTION_BYTES = 1_024
"""No way to write an id, its neighbours included, takes more."""
_ENCODINGS = ("utf-8", "latin-1", "cp1252")
_CUSTOMERS = frozenset({"customerid", "customer", "userid"})
_VISITORS = frozenset({"anonymousid", "visitorid", "previousid", "userpseudoid"})


class Wanted:
    """The people at some profile keys."""

    def __init__(self, people: Iterable[str]) -> None:
        self.people = frozenset(people)
        self.customers = frozenset(customer_id(key) for key in self.people if not is_visitor(key))
        self.visitors = frozenset(visitor_id(key) for key in self.people if is_visitor(key))
        ids = sorted(self.customers | self.visitors)
        self._mention = re.compile(b"|".join(way for name in ids for way in _ways(name)))
        self._anywhere = re.compile(b"|".join(re.escape(byte) for name in ids for byte in _written(name)))

    def mentioned(self, text: bytes) -> bool:
        """Whether an id stands in it as a word, in any usual encoding."""
        return self._mention.search(text) is not None

    def may_be_in(self, line: bytes) -> bool:
        """False only where no field of a line of JSON can have an id as its value."""
        return b"\\" in line or self._anywhere.search(line) is not None

    def of_column(self, name: Any) -> frozenset[str]:
        """The ids that a column or a field of this name would hold; none if it is not about whose a row is."""
        plain = re.sub(r"[^a-z]", "", str(name).lower())
        return self.customers if plain in _CUSTOMERS else self.visitors if plain in _VISITORS else frozenset()


def about_people(name: Any) -> bool:
    """Whether a column or a field of this name says whose a row is."""
    return re.sub(r"[^a-z]", "", str(name).lower()) in _CUSTOMERS | _VISITORS


def same(value: Any, ids: frozenset[str]) -> bool:
    """Whether a value is one of the ids, also where a number or a spreadsheet was made of it."""
    text = str(value)
    return text in ids or text.strip().strip('="').removesuffix(".0") in ids


def as_bytes(ids: Iterable[str]) -> frozenset[str]:
    """The ids as they look where the bytes of a file, whatever its encoding, are taken for Latin-1."""
    return frozenset(found.decode("latin-1") for name in ids for found in _encoded(name))


def _encoded(name: str) -> set[bytes]:
    found = set[bytes]()
    for encoding in _ENCODINGS:
        with suppress(UnicodeEncodeError):
            found.add(name.encode(encoding, "surrogatepass" if encoding == "utf-8" else "strict"))
    return found


def _written(name: str) -> list[bytes]:
    # A line of JSON may write it with escapes.
    with suppress(UnicodeEncodeError):
        return sorted(_encoded(name) | {msgspec.json.encode(name)[1:-1]})
    return sorted(_encoded(name))


def _ways(name: str) -> list[bytes]:
    plain = [rb"(?<![\w-])" + re.escape(found) + rb"(?![\w-])" for found in _written(name)]
    with suppress(UnicodeEncodeError):
        little, big = (re.escape(name.encode(encoding)) for encoding in ("utf-16-le", "utf-16-be"))
        plain += [rb"(?<![\w-]\x00)" + little + rb"(?![\w-]\x00)", rb"(?<!\x00[\w-])" + big + rb"(?!\x00[\w-])"]
    return plain
