"""Lists, checks and publishes journeys of a stack, says where everybody stands, and who published what and why.

python -m operations.journeys list|check|publish|where|history [FILE] [--stack NAME] [--why TEXT]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from operations.audiences import names_of
from operations.deliveries import destinations
from operations.stack import BAD_INPUT, DeployedStack, OperationError, run, say
from operations.versions import Commands, command_line, differences, read_text, reason, say_history
from shared.audiences import publishing as audiences
from shared.audiences.audience import NotAudiences
from shared.aws.versioned_document import EditedMeanwhile
from shared.journeys.defining import MOST_BYTES, Mistakes, read_journeys
from shared.journeys.interpreting import FINISHED, LEFT, ORDERED, TOO_LONG, WITHDRAWN
from shared.journeys.journey import Journeys, NotJourneys, Send
from shared.journeys.publishing import current, publish, versions
from shared.journeys.showing import shown, shown_at
from shared.journeys.whereabouts import Whereabouts, places_of

FILE = "journeys.toml"
OUTCOMES = {
    FINISHED: "came to the end",
    ORDERED: "ordered",
    LEFT: "left the audience",
    WITHDRAWN: "were on one that is gone",
    TOO_LONG: "took too long",
}
"""How journeys end, in words."""
COUNTED_SECONDS = 120.0
"""For each journey; some million customers are counted in less."""


def main(arguments: Sequence[str] | None = None, prog: str = "python -m operations.journeys") -> int:
    """The command line."""
    description = "Publish journeys, and say where everybody stands."
    made, _ = command_line(prog, description, COMMANDS, FILE)
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
    _, journeys = _read(stack, given.file)
    say(*(f"{journey.key}: fine" for journey in journeys.all))
    return 0


def _publish(stack: DeployedStack, given: argparse.Namespace) -> int:
    text, journeys = _read(stack, given.file)
    if missing := [*_missing(stack, journeys)]:
        raise Mistakes(missing)
    s3, bucket = stack.s3, stack.resource("DataBucket")
    before = current(s3, bucket).journeys
    after = publish(s3, bucket, journeys, text, reason(stack, given.why))
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


def _changes(before: Journeys, after: Journeys) -> list[str]:
    edited = ": who is on it goes on as they began"
    lines = differences(before.all, after.all, edited, gone=": who is on it stops")
    limits = (before.quiet, before.cap) != (after.quiet, after.cap)
    return [*lines, "  quiet hours or the cap are others"] if limits and before.version else lines


def _where(stack: DeployedStack, _given: argparse.Namespace) -> int:
    whereabouts = Whereabouts(stack.dynamodb, stack.resource("ProfileTable"))
    for journey in current(stack.s3, stack.resource("DataBucket")).journeys.all:
        counts = whereabouts.counts(journey, COUNTED_SECONDS)
        standing = counts.by_place
        ended = ", ".join(f"{standing[outcome]:,} {words}" for outcome, words in OUTCOMES.items() if standing[outcome])
        steps = [i for i in places_of(journey) if isinstance(i, int)]
        least = "" if counts.complete else "at least "
        say(f"{journey.key}: {least}{sum(standing[i] for i in steps):,} customers; ended: {ended or 'none'}")
        say(*(f"  {i + 1}. {shown_at(journey, i)}: {standing[i]:,}" for i in steps if standing[i]))
    return 0


def _history(stack: DeployedStack, _given: argparse.Namespace) -> int:
    s3, bucket = stack.s3, stack.resource("DataBucket")
    live = current(s3, bucket)
    if not live.journeys.version:
        say("Nothing was ever published")
        return 0
    say_history(
        versions(s3, bucket, live),
        lambda one: one.journeys.version,
        lambda before, after: _changes(before.journeys, after.journeys),
        live.text,
    )
    return 0


def _read(stack: DeployedStack, path: Path) -> tuple[str, Journeys]:
    text = read_text(path, MOST_BYTES)
    return text, read_journeys(text, names_of(stack))


COMMANDS: Commands = {
    "list": (_list, "The live journeys, step by step."),
    "check": (_check, "Whether a file could be published, with all mistakes at once."),
    "publish": (_publish, "Make what a file says the live journeys."),
    "where": (_where, "How many customers stand at each step, and how it ended in the last 90 days."),
    "history": (_history, "Who published which version, when and why."),
}


if __name__ == "__main__":
    sys.exit(main())
