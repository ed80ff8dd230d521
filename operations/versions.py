"""What the commands for documents with versions have in common, be they audiences or journeys."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from operations.stack import DeployedStack, OperationError, parser, say
from shared.audiences import audience
from shared.audiences.publishing import Reason
from shared.decisions.decision import iso
from shared.journeys import journey

VERSIONS_SHOWN = 20

type Command = Callable[[DeployedStack, argparse.Namespace], int]
type Commands = Mapping[str, tuple[Command, str]]
"""By name, what a command does and its summary."""


def command_line(
    prog: str, description: str, commands: Commands, file: str
) -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser of all `commands`, and that of each: `check` and `publish` take a file."""
    made = parser(prog, description)
    choices = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    parsers: dict[str, argparse.ArgumentParser] = {}
    for name, (_, summary) in commands.items():
        parsers[name] = command = choices.add_parser(name, help=summary, description=summary)
        command.add_argument("--stack", default=argparse.SUPPRESS, metavar="NAME", help="the stack's name")
    for name in ("check", "publish"):
        parsers[name].add_argument("file", nargs="?", type=Path, default=Path(file), help="default: %(default)s")
    add_why(parsers["publish"])
    return made, parsers


def add_why(command: argparse.ArgumentParser) -> None:
    """Lets a command be told why something is published."""
    command.add_argument("--why", default="", metavar="TEXT", help="for the history of versions")


def reason(stack: DeployedStack, why: str) -> Reason:
    """Who publishes, now."""
    who = stack.client("sts").get_caller_identity()["Arn"]
    return Reason(iso(round(datetime.now(UTC).timestamp()) * 1_000), who, why)


def read_text(path: Path, most_bytes: int) -> str:
    """A file's text, of which what is above `most_bytes` and one more is left out. Raises OperationError."""
    try:
        with path.open("rb") as file:
            return file.read(most_bytes + 1).decode()
    except OSError as error:
        raise OperationError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise OperationError(f"{path} is not UTF-8") from None


def differences(before: Sequence[Any], after: Sequence[Any], edited: str, gone: str) -> list[str]:
    """A line for each entry, by its key, that is new, edited or gone; and what follows for whom it concerns."""
    old = {entry.key: entry for entry in before}
    new = {entry.key: entry for entry in after}
    lines = [f"  {key} is new" for key in new if key not in old]
    lines += [f"  {key} was edited{edited}" for key in new if key in old and old[key] != new[key]]
    return lines + [f"  {key} is gone{gone}" for key in old if key not in new]


def say_history[D: (audience.Publication, journey.Publication)](
    versions: Iterable[D], number: Callable[[D], int], changes: Callable[[D, D], list[str]], as_file: str
) -> None:
    """Says who published which version, when and why, and what changed by it, the newest first; then the live one."""
    some: list[D] = list(islice(versions, VERSIONS_SHOWN + 1))
    for i, one in enumerate(some[:VERSIONS_SHOWN]):
        before = some[i + 1] if i + 1 < len(some) else None
        why = f": {one.why}" if one.why else ""
        say(f"version {number(one)}, {one.at}, {one.by}{why}")
        say(*(changes(before, one) if before else ()))
    say("", "The live version as a file:", as_file.rstrip())
