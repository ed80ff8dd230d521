"""What a feature is, apart from how it is computed: what a bundle says of those it needs, and what changed since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

_SAID = {"description": "meaning", "unit": "unit", "window_days": "window", "revision": "formula"}
"""The parts of a definition, as a person calls them."""


class FeaturesChanged(Exception):
    """Features are not what they were when a bundle was trained, or nobody knows what they were; the message says which
    and how."""


@dataclass(frozen=True, slots=True)
class Definition:
    """What makes a feature the same feature in two releases."""

    name: str
    description: str
    unit: str
    window_days: int | None
    revision: int = 1
    """Goes up when the formula gives other values under the same name; tests/features/golden holds the values."""

    @property
    def hash(self) -> str:
        """Of everything above, hexadecimal."""
        return _hash(self._parts())

    def _parts(self) -> tuple[Any, ...]:
        # As it was before there were revisions, so that a set of features which did not change keeps its hash.
        parts = (self.name, self.description, self.unit, self.window_days)
        return parts if self.revision == 1 else (*parts, self.revision)

    def as_dict(self) -> dict[str, Any]:
        """The definition with its hash, ready for JSON."""
        return {**asdict(self), "hash": self.hash}

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Self:
        """The definition that `as_dict` gave. Raises KeyError where a part of it is missing."""
        return cls(**{name: said[name] for name in ("name", *_SAID)})

    def changes(self, other: Definition) -> list[str]:
        """What of it is not the same in `other`."""
        return [said for part, said in _SAID.items() if getattr(self, part) != getattr(other, part)]


def set_hash(definitions: Iterable[Definition]) -> str:
    """Of some features in their order: the release before knows its features by this alone."""
    return _hash([definition._parts() for definition in definitions])


def to_json(definitions: Iterable[Definition]) -> str:
    """What a bundle carries of the features it needs, in the order of its columns."""
    return json.dumps([definition.as_dict() for definition in definitions])


def needed(metadata: Mapping[str, str]) -> tuple[Definition, ...]:
    """The features that a bundle with this metadata needs, in the order of its columns.

    A bundle of the release before names its features and has one hash for all. Raises FeaturesChanged where the
    metadata does not say what they are, or contradicts itself.
    """
    names = _list(metadata, "feature_names")
    if "feature_definitions" in metadata:
        definitions = tuple(map(_definition, _list(metadata, "feature_definitions")))
    else:
        from shared.features.released import RELEASED  # bundles of that age are rare soon

        definitions = RELEASED
    if [definition.name for definition in definitions] != names:
        raise FeaturesChanged("it does not say what its features mean")
    if set_hash(definitions) != metadata.get("feature_set_hash"):
        raise FeaturesChanged("the hash of its feature set is not that of what it says they mean")
    return definitions


def columns(definitions: Iterable[Definition], known: Sequence[Definition]) -> list[int]:
    """Where each of the features `definitions` stands among those that are `known`, the newest of a name first.

    Raises FeaturesChanged, which names every one that is not known or is another by now.
    """
    at = {definition.hash: i for i, definition in enumerate(known)}
    now = {definition.name: definition for definition in reversed(known)}
    problems, positions = list[str](), list[int]()
    for definition in definitions:
        if definition.hash in at:
            positions.append(at[definition.hash])
        elif definition.name in now:
            problems.append(f"{definition.name}: its {' and '.join(now[definition.name].changes(definition))} changed")
        else:
            problems.append(f"{definition.name}: this code does not compute it")
    if problems:
        raise FeaturesChanged("; ".join(problems))
    return positions


def _definition(said: Any) -> Definition:
    try:
        definition = Definition.of(said)
        whole = isinstance(definition.name, str) and definition.hash == said["hash"]
    except (KeyError, TypeError) as error:
        raise FeaturesChanged("it does not say what its features mean") from error
    if not whole:
        raise FeaturesChanged("the hash of one of its features is not that of what it says the feature means")
    return definition


def _list(metadata: Mapping[str, str], name: str) -> list[Any]:
    try:
        entries = json.loads(metadata.get(name, "[]"))
    except (ValueError, RecursionError) as error:
        raise FeaturesChanged(f"its {name} cannot be read") from error
    return entries if isinstance(entries, list) else []


def _hash(content: Any) -> str:
    return hashlib.sha256(repr(content).encode()).hexdigest()[:16]
