"""Audiences as people define them, in `audiences.toml` or through the API, made into what is published."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from shared.audiences.audience import MOST_AUDIENCES, Audience, Audiences, Key, Offer, Share, Words
from shared.audiences.reading import Names, read_rule
from shared.audiences.terms import Mistake

MOST_BYTES = 1_000_000


class Definition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is said of an audience beside its key."""

    where: str
    name: Words | None = None
    """The key where absent."""
    holdout: Share = 0.0
    action: Words | None = None
    destinations: tuple[Key, ...] = ()
    offer: Offer | None = None


class _Entry(Definition, frozen=True, forbid_unknown_fields=True, kw_only=True):
    key: Key


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    audience: list[dict[str, Any]] = []
    holdout: Share = 0.0


class Mistakes(ValueError):
    """Audiences cannot be published as they are defined; a line for each mistake. They quote what was written."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


def defined(key: str, definition: Mapping[str, Any], names: Names) -> Audience:
    """The audience of a definition, which no version of the shop's audiences has yet. Raises Mistakes."""
    try:
        entry = msgspec.convert({**definition, "key": key}, _Entry)
        rule = read_rule(entry.where, names)
    except (msgspec.ValidationError, Mistake) as error:
        raise Mistakes([f"{key}: {error}"]) from None
    return Audience(
        key=key,
        name=entry.name or key,
        where=entry.where,
        rule=rule,
        version=0,
        holdout=entry.holdout,
        action=entry.action,
        destinations=tuple(sorted({*entry.destinations})),
        offer=entry.offer,
    )


def read_audiences(text: str, names: Names) -> Audiences:
    """All audiences of a file. Raises Mistakes with all that is wrong in it."""
    if len(text.encode()) > MOST_BYTES:
        raise Mistakes([f"the file has more than {MOST_BYTES:,} bytes"])
    try:
        file = msgspec.convert(tomllib.loads(text), _File)
    except tomllib.TOMLDecodeError as error:
        raise Mistakes([f"this is not TOML: {error}"]) from None
    except msgspec.ValidationError as error:
        raise Mistakes([str(error)]) from None
    except RecursionError:
        raise Mistakes(["the file is nested too deep"]) from None
    mistakes: list[str] = []
    audiences: dict[str, Audience] = {}
    for number, entry in enumerate(file.audience, 1):
        key = str(entry.get("key", f"the {number}. audience"))
        try:
            audience = defined(key, {name: value for name, value in entry.items() if name != "key"}, names)
        except Mistakes as error:
            mistakes += error.mistakes
            continue
        if key in audiences:
            mistakes.append(f"{key}: two audiences have this key")
        audiences[key] = audience
    if len(file.audience) > MOST_AUDIENCES:
        mistakes.append(f"there are {len(file.audience)} audiences, more than {MOST_AUDIENCES}")
    if mistakes:
        raise Mistakes(mistakes)
    return Audiences(0, tuple(audiences.values()), file.holdout)


def as_definition(audience: Audience) -> dict[str, Any]:
    """What defines an audience, without what was left as it is."""
    definition: dict[str, Any] = {"key": audience.key, "name": audience.name, "where": audience.where}
    optional = {
        "holdout": audience.holdout,
        "action": audience.action,
        "destinations": list(audience.destinations),
        "offer": audience.offer and msgspec.to_builtins(audience.offer),
    }
    return definition | {name: value for name, value in optional.items() if value}
