"""The versions of a shop's audiences, for people to read: who published which, and what changed by it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from shared.audiences.audience import Audiences, Publication
from shared.audiences.publishing import NOTHING


def described(versions: Iterable[Publication]) -> Iterator[dict[str, Any]]:
    """Each of the versions, the newest first and all of them, with what it changed of the one before."""
    known = (one for one in versions if one.audiences.version)
    for version, before in pairwise(_ended(known)):
        yield {
            "version": version.audiences.version,
            "at": version.at,
            "by": version.by,
            "why": version.why,
            "changed": _changed(before.audiences, version.audiences),
        }


def _ended(versions: Iterable[Publication]) -> Iterator[Publication]:
    yield from versions
    yield NOTHING


def _changed(before: Audiences, after: Audiences) -> list[dict[str, str]]:
    old = {one.key: one for one in before.all}
    new = {one.key: one for one in after.all}
    entries = {key: "added" if key not in old else "edited" for key, one in new.items() if old.get(key) != one}
    entries |= dict.fromkeys(old.keys() - new.keys(), "removed")
    return [{"key": key, "how": how} for key, how in sorted(entries.items())]
