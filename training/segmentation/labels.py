"""Labels as the user writes them: a TOML file with names and descriptions of segments and the catalogue of actions."""

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import tomli_w
from msgspec import Meta, Struct

from shared.models.labels import ACTIONS, NO_ACTION, Labels, intents_of
from training.base.errors import InputError

ACTIONS_FILE = Path(__file__).parents[2] / "actions.toml"
"""The shop's catalogue of actions, which training puts into every bundle."""

type Text = Annotated[str, Meta(max_length=500)]
type Name = Annotated[str, Meta(min_length=1, max_length=80, pattern=r"\S")]
type Key = Annotated[str, Meta(max_length=64, pattern="^[a-z0-9_]+$")]
type Cost = Annotated[float, Meta(ge=0, le=1_000_000)]
type Margin = Annotated[float, Meta(ge=0, le=1)]


NUMBERS = ("cost_per_contact", "margin")
"""What of an action is a number. Manifests and labels hold it as text, as all else of actions: releases of before would
refuse a bundle that has anything else there."""


class Action(Struct, forbid_unknown_fields=True):
    """The next best action for an intent."""

    key: Key
    title: Text = ""
    description: Text = ""
    channel: Text = ""
    incentive: Text = ""
    recommend: Literal["", "buy_again", "new_for_you"] = ""
    """Which list of recommended products goes with it: destinations are sent that one as `action.products`."""
    cost_per_contact: Cost | None = None
    """In the stack's currency."""
    margin: Margin | None = None
    """The share of revenue that is left of it."""


class SegmentLabels(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What a segment is called, and its own actions in the place of everybody's."""

    name: Name | None = None
    description: Text | None = None
    actions: dict[str, Action] = {}


class LabelsFile(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A whole file."""

    segments: dict[str, SegmentLabels] = {}
    actions: dict[str, Action] = {}


def read_labels(path: Path) -> LabelsFile:
    """The labels in a TOML file. Raises InputError where it is missing or malformed."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text()), LabelsFile)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: {error}") from error


def _check_intents(labels: LabelsFile, known: Sequence[str]) -> None:
    for own in (labels.actions, *(segment.actions for segment in labels.segments.values())):
        if unknown := own.keys() - {*known}:
            raise InputError(f'"{min(unknown)}" is no intent; the intents are {", ".join(known)}')


def read_actions(path: Path = ACTIONS_FILE) -> dict[str, Any]:
    """The catalogue of actions by intent. Raises InputError where it lacks an intent, or names one that is none."""
    labels = read_labels(path)
    _check_intents(labels, tuple(ACTIONS))
    actions = labels.actions
    if missing := [intent for intent in ACTIONS if intent not in actions]:
        raise InputError(f"{path} has no action for {', '.join(missing)}")
    return {intent: _as_kept(actions[intent]) for intent in ACTIONS}


def labels_for(manifest: Mapping[str, Any], file: LabelsFile) -> Labels:
    """What of the file differs from the manifest, as the functions read it.

    Raises InputError for an intent or a segment that the bundle does not have, and where two segments would be called
    the same.
    """
    _check_intents(file, intents_of(manifest))
    known = {str(segment["id"]): segment for segment in manifest["segments"]}
    if unknown := [segment for segment in file.segments if segment not in known]:
        raise InputError(
            f"bundle {manifest['bundle_id']} has no segment {unknown[0]}; its segments are {', '.join(known)}"
        )
    names = {i: label.name or known[i]["name"] for i, label in file.segments.items()}
    called = Counter(names.get(i, segment["name"]).strip().casefold() for i, segment in known.items())
    if twice := [name for i, name in names.items() if called[name.strip().casefold()] > 1]:
        raise InputError(f'two segments would be called "{twice[0]}"')
    segments = {i: _changed(_as_labels(label), known[i]) for i, label in file.segments.items()}
    kept = {intent: _as_kept(action) for intent, action in file.actions.items()}
    actions = _changed(kept, manifest.get("actions", {}))
    given = {"segments": {i: label for i, label in segments.items() if label}, "actions": actions}
    return {part: value for part, value in given.items() if value}


def _as_labels(label: SegmentLabels) -> dict[str, Any]:
    words: dict[str, Any] = msgspec.to_builtins(label)
    if label.actions:
        words["actions"] = {intent: _as_kept(action) for intent, action in label.actions.items()}
    return words


def _as_kept(action: Action) -> dict[str, str]:
    """An action as manifests and labels hold it: texts, and nothing for a number that nobody gave."""
    fields = {name: getattr(action, name) for name in Action.__struct_fields__}
    return {name: str(value) for name, value in fields.items() if value is not None}


def _changed(given: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None and value != before.get(name, "")}


def as_toml(manifest: Mapping[str, Any]) -> str:
    """The names, descriptions and actions that a manifest holds, ready to be edited."""
    segments = {str(segment["id"]): _segment(segment) for segment in manifest["segments"]}
    own = manifest.get("actions", {})
    usual = {intent: {"key": ACTIONS.get(intent, NO_ACTION)} for intent in intents_of(manifest)}
    actions = {intent: _action(own.get(intent, known)) for intent, known in usual.items()}
    text = tomli_w.dumps({"segments": segments, "actions": actions})
    return f"# Labels of bundle {manifest['bundle_id']}.\n\n{text.rstrip()}"


def _segment(segment: Mapping[str, Any]) -> dict[str, Any]:
    words = {name: segment.get(name, "") for name in ("name", "description")}
    own = {intent: _action(action) for intent, action in segment.get("actions", {}).items()}
    return words | ({"actions": own} if own else {})


def _action(action: Mapping[str, Any]) -> dict[str, Any]:
    words = {name: action.get(name, "") for name in Action.__struct_fields__ if name not in NUMBERS}
    return words | {name: float(action[name]) for name in NUMBERS if name in action}
