"""What columns and events are called, in the words of shops and tools."""

from __future__ import annotations

import itertools
import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

_WORDS = tomllib.loads(Path(__file__).with_name("words.toml").read_text())
NAMES: Mapping[str, Sequence[str]] = _WORDS["columns"]
"""What columns are called that hold each field, the usual names first."""
VOID: frozenset[str] = frozenset(_WORDS["void"]["words"])
"""What orders are called that came to nothing."""
_ABBREVIATIONS: Mapping[str, str] = _WORDS["abbreviations"]
_OTHERS: Mapping[str, Sequence[str]] = _WORDS["others"]
_KNOWN = {word for names in NAMES.values() for name in names for word in name.split()} | set(_ABBREVIATIONS)
_GLUED = re.compile("(?:" + "|".join(sorted((word for word in _KNOWN if len(word) > 3), key=len, reverse=True)) + ")")
_USUAL = {name for names in NAMES.values() for name in names}
PART_OF_ANOTHER = 0.5
"""What a usual name counts that is part of another."""
WITH_OTHERS = 0.1
"""What it counts where the rest of the name makes it another thing."""


def words(name: str) -> str:
    """A name in small letters without accents, its words parted by spaces: `InvoiceDate`, `invoice_date` are
    `invoice date`, and `device_deviceCategory` is `device category`."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    plain = "".join(one for one in unicodedata.normalize("NFKD", parted.lower()) if not unicodedata.combining(one))
    return " ".join(word for word, _ in itertools.groupby(re.findall(r"[^\W_]+", plain)))


def spellings(path: str) -> list[str]:
    """How a column may be called, by its path: as it is, with its parent where that is a usual name, and in full."""
    *parents, own = [words(part) for part in re.split(r"\.|\[\]\.", path)]
    if parents and any(f"{parents[-1]} {own}" in names for names in NAMES.values()):
        own = f"{parents[-1]} {own}"
    full = " ".join(word for part in own.split() for word in _in_full(part))
    return list(dict.fromkeys((own, full)))


def _in_full(word: str) -> Sequence[str]:
    if word in _ABBREVIATIONS:
        return [_ABBREVIATIONS[word]]
    if word in _KNOWN:
        return [word]
    if word.endswith("s") and word[:-1] in _KNOWN:
        return [word[:-1]]
    parts = _GLUED.findall(word)
    return parts if "".join(parts) == word else [word]


def likeness(field: str, path: str) -> float:
    """How much a column's name speaks for a field: 1 for the usual names, less the further down the list they stand,
    half where a name is part of another."""
    return max(_likeness(field, called) for called in spellings(path))


def _likeness(field: str, called: str) -> float:
    names = NAMES[field]
    squeezed = called.replace(" ", "")
    for at, usual in enumerate(names):
        if squeezed == usual.replace(" ", ""):
            return 1.0 - 0.3 * at / len(names)
    inside = [at for at, usual in enumerate(names) if f" {usual} " in f" {called} "]
    if not inside or len(called.split()) > 5:
        return 0.0
    another = called in _USUAL or not set(_OTHERS.get(field, ())).isdisjoint(called.split())
    return (WITH_OTHERS if another else PART_OF_ANOTHER) * (1.0 - 0.4 * min(inside) / len(names))


def _stem(word: str) -> str:
    return re.sub(r"(?<=\w{3})(?:ed|s)$", "", word)


def _meaning(called: str) -> str:
    """The words of an event, whatever their order and form: a product viewed is the view of a product."""
    return " ".join(sorted(map(_stem, called.split())))


_MEANT = {_meaning(word): event_type for event_type, called in _WORDS["event_types"].items() for word in called}


def event_type_of(word: str) -> str | None:
    """The event that a shop's word stands for; None for words that mean nothing here."""
    return _MEANT.get(_meaning(words(word)))
