"""Starts a run over everyone, or goes on with one that broke off, and says how it ends.

python -m operations.start rescore|backfill|learn [--stack NAME] [--prefix history/…] [--run NAME]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from operations.stack import UNFINISHED, DeployedStack, parser, run, say

STATE_MACHINES = {
    "rescore": "RescoreCustomersStateMachine",
    "backfill": "BackfillEventsStateMachine",
    "learn": "LearnStateMachine",
}
LOOK_EVERY_SECONDS = 2.0


def main(arguments: Sequence[str] | None = None, prog: str = "python -m operations.start") -> int:
    """The command line."""
    made = parser(prog, "Decide on everyone anew, take files in, or learn.")
    made.add_argument("what", choices=sorted(STATE_MACHINES), help="decide on everyone, take files in, or learn")
    made.add_argument("--prefix", metavar="KEY", help="of a back-fill, the files below it alone")
    made.add_argument("--run", metavar="NAME", help="a run that broke off, to go on with")
    made.add_argument("--no-wait", action="store_true", help="do not wait for the end")
    return run(_run, made, arguments)


def _run(stack: DeployedStack, given: argparse.Namespace) -> int:
    asked = {name: value for name in ("prefix", "run") if (value := getattr(given, name))}
    started = stack.begin(STATE_MACHINES[given.what], asked)
    name = given.run or started.rpartition(":")[2]
    # What is learned is told of by the day of its snapshot, which is not known yet.
    place = "reports/learning/" if given.what == "learn" else f"reports/{given.what}/{name}"
    say(f"run {name}: its parts and report are below {place} of the data bucket")
    if given.no_wait:
        return 0
    ended = stack.end_of(started, LOOK_EVERY_SECONDS)
    say(ended["status"].lower(), *filter(None, [ended.get("cause")]))
    return 0 if ended["status"] == "SUCCEEDED" else UNFINISHED


if __name__ == "__main__":
    sys.exit(main())
