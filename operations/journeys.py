"""Lists, checks and publishes the journeys of a stack, and shows who published what and why.

python -m operations.journeys list|check|publish|history [FILE] [--stack NAME] [--why TEXT]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from operations.audiences import NAMES
from operations.deliveries import destinations
from operations.stack import BAD_INPUT, DeployedStack, OperationError, parser, run, say
from shared.audiences import publishing as audiences
from shared.audiences.audience import NotAudiences
from shared.audiences.publishing import Reason
from shared.aws.versioned_document import EditedMeanwhile
from shared.decisions.decision import iso
from shared.journeys.defining import MOST_BYTES, Mistakes, read_journeys
from shared.journeys.journey import Journeys, NotJourneys, Send
from shared.journeys.publishing import current, publish, versions
from shared.journeys.showing import shown

FILE = "journeys.toml"
VERSIONS_SHOWN = 20


def main(arguments: Sequence[str] | None = None, prog: str = "python -m operations.journeys") -> int:
    """The command line."""
    made = parser(prog, "List, check and publish the journeys of a stack.")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (_, summary) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        command.add_argument("--stack", default=argparse.SUPPRESS, metavar="NAME", help="the stack's name")
        if name in ("check", "publish"):
            command.add_argument("file", nargs="?", type=Path, default=Path(FILE), help="default: %(default)s")
        if name == "publish":
            command.add_argument("--why", default="", metavar="TEXT", help="for the history of versions")
    return run(_run, made, arguments)


def _run(stack: DeployedStack, given: argparse.Namespace) -> int:
    try:
        return COMMANDS[given.command][0](stack, given)
    except (Mistakes, NotAudiences, NotJourneys) as error:
        sys.stderr.writelines(f"error: {line}\n" for line in str(error).splitlines())
        return BAD_INPUT
    except EditedMeanwhile:
        raise OperationError("others are publishing journeys just now; try again") from None


def _list(stack: DeployedStack, _given: argparse.Namespace) -> int:
    live = current(stack.s3, stack.resource("DataBucket")).journeys
    for journey in live.all:
        say(f"{journey.key}: who enters {journey.audience}, version {journey.version}")
        say(*(f"  {position}. {shown(step)}" for position, step in enumerate(journey.steps, 1)))
    if not live.all:
        say(f"There is none yet; docs/journeys.md says how to write {FILE}")
    return 0


def _check(stack: DeployedStack, given: argparse.Namespace) -> int:
    _, journeys = _read(given.file)
    say(*(f"{journey.key}: fine" for journey in journeys.all))
    return 0


def _publish(stack: DeployedStack, given: argparse.Namespace) -> int:
    text, journeys = _read(given.file)
    if missing := [*_missing(stack, journeys)]:
        raise Mistakes(missing)
    s3, bucket = stack.s3, stack.resource("DataBucket")
    before = current(s3, bucket).journeys
    after = publish(s3, bucket, journeys, text, _reason(stack, given.why))
    if after == before:
        say(f"Version {after.version} is live and says the same")
        return 0
    say(f"Version {after.version} is live; who enters an audience from now on goes by it", *_changes(before, after))
    return 0


def _missing(stack: DeployedStack, journeys: Journeys) -> Iterator[str]:
    """What journeys name that the stack does not have."""
    known = {audience.key for audience in audiences.current(stack.s3, stack.resource("DataBucket")).audiences.all}
    queues = destinations(stack)
    for journey in journeys.all:
        if journey.audience not in known:
            yield f"{journey.key}: there is no audience {journey.audience}: publish it first"
        sends = dict.fromkeys(step.destination for step in journey.steps if isinstance(step, Send))
        for name in sends:
            if name not in queues:
                yield f"{journey.key}: the stack has no destination {name}: deploy with Destinations naming it"


def _reason(stack: DeployedStack, why: str) -> Reason:
    who = stack.client("sts").get_caller_identity()["Arn"]
    return Reason(iso(round(datetime.now(UTC).timestamp()) * 1_000), who, why)


def _changes(before: Journeys, after: Journeys) -> list[str]:
    old = {journey.key: journey for journey in before.all}
    new = {journey.key: journey for journey in after.all}
    lines = [f"  {key} is new" for key in new if key not in old]
    lines += [
        f"  {key} was edited: who is on it goes on as they began" for key in new if old.get(key, new[key]) != new[key]
    ]
    lines += [f"  {key} is gone: who is on it stops" for key in old if key not in new]
    limits = (before.quiet, before.cap) != (after.quiet, after.cap)
    return [*lines, "  quiet hours or the cap are others"] if limits and before.version else lines


def _history(stack: DeployedStack, _given: argparse.Namespace) -> int:
    s3, bucket = stack.s3, stack.resource("DataBucket")
    live = current(s3, bucket)
    if not live.journeys.version:
        say("Nothing was ever published")
        return 0
    publications = [one for one, _ in zip(versions(s3, bucket, live), range(VERSIONS_SHOWN), strict=False)]
    for i, one in enumerate(publications):
        before = publications[i + 1].journeys if i + 1 < len(publications) else None
        why = f": {one.why}" if one.why else ""
        say(f"version {one.journeys.version}, {one.at}, {one.by}{why}")
        say(*(_changes(before, one.journeys) if before else ()))
    say("", "The live version as a file:", live.text.rstrip())
    return 0


def _read(path: Path) -> tuple[str, Journeys]:
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1).decode()
    except OSError as error:
        raise OperationError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise OperationError(f"{path} is not UTF-8") from None
    return text, read_journeys(text, NAMES)


type Command = Callable[[DeployedStack, argparse.Namespace], int]
COMMANDS: dict[str, tuple[Command, str]] = {
    "list": (_list, "The live journeys, step by step."),
    "check": (_check, "Whether a file could be published, with all mistakes at once."),
    "publish": (_publish, "Make what a file says the live journeys."),
    "history": (_history, "Who published which version, when and why."),
}


if __name__ == "__main__":
    sys.exit(main())
