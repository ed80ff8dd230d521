"""Time alone on real data: `python -m local.time_passes [--days 60] [--step DAYS]`, after `make demo`.

Gives a local stack the year of purchases and the model of the demo, moves its clock on without any event, at once or
step by step, and compares everyone's segment and intent with scoring everyone offline as of the new time.
"""

import argparse
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd

from local.clock import ClockNotMoved, move_clock
from local.complete_journey import AS_OF
from local.console import console, step
from local.demo import WORK, python
from local.emulator import LocalStackError, tail
from local.observe import read_profiles
from local.stack import Stack, local_stack
from shared.events.event import parse_timestamp
from shared.identity.keys import customer_key
from shared.profiles.stored_profile import StoredProfile

MODEL = WORK / "model"
EVENTS = WORK / "events"
SCORES = WORK / "scores-later.parquet"

type States = dict[str, tuple[int, str]]
"""Segment and intent by profile."""


def main() -> int:
    """Let time pass; exit status 1 where anyone is elsewhere than scoring puts them, or was read in vain."""
    parser = argparse.ArgumentParser(prog="python -m local.time_passes", description="Let time pass without events.")
    parser.add_argument("--days", type=int, default=60, metavar="N", help="how far to go; default: %(default)s")
    parser.add_argument("--step", type=int, metavar="N", help="days at a time; default: all of them")
    arguments = parser.parse_args()
    if not (MODEL / "bundle.onnx").exists():
        parser.error(f"{MODEL} is not there; `make demo` writes it")
    if min(arguments.days, arguments.step or arguments.days) < 1:
        parser.error("days are counted from 1")
    try:
        return _run(arguments.days, arguments.step or arguments.days)
    except (ClockNotMoved, LocalStackError, subprocess.CalledProcessError) as error:
        console.print(f"[red]✗[/] {error}", soft_wrap=True)
        return 1


def _run(days: int, at_a_time: int) -> int:
    files = [file for folder in ("history", "days") for file in sorted((EVENTS / folder).iterdir())]
    clocks = [_later(min(day + at_a_time, days)) for day in range(0, days, at_a_time)]
    with local_stack(clock=AS_OF, RefreshMinutes="60") as stack:
        with step("Published the model", spinner=False):
            python("training.publish", "--model", MODEL, "--bucket", stack.bucket, env=stack.emulator.environment)
        with step(f"Took a year of purchases in: {len(files)} files"):
            _take_in(stack, files)
        before = read_profiles(stack)
        done = Counter[str]()
        with step(f"Moved the clock from {AS_OF} to {clocks[-1]} in {len(clocks)} steps"):
            for clock in clocks:
                done.update(move_clock(stack.emulator.session, stack.endpoint, clock))
        after = read_profiles(stack)
    with step("Scored everyone offline as of then", spinner=False):
        python("training.score", "--events", *[EVENTS / name for name in ("history", "days")], "--model", MODEL,
               "--as-of", clocks[-1], "--out", SCORES)  # fmt: skip
    return _compare(_states(before), _states(after), _offline(), _due(before, clocks[-1]), done)


def _take_in(stack: Stack, files: list[Path]) -> None:
    for file in files:
        stack.s3.upload_file(str(file), stack.bucket, f"history/{file.name}")
    states = stack.emulator.session.client("stepfunctions", endpoint_url=stack.endpoint)
    run = states.start_execution(stateMachineArn=stack.backfill_arn, input="{}")["executionArn"]
    while (execution := states.describe_execution(executionArn=run))["status"] == "RUNNING":
        time.sleep(1)
    if execution["status"] != "SUCCEEDED":
        raise LocalStackError(f"the files did not go in: {execution.get('cause')}\n\n{tail(stack.log)}")


def _later(days: int) -> str:
    return (datetime.fromisoformat(AS_OF) + timedelta(days=days)).isoformat().replace("+00:00", "Z")


def _states(profiles: dict[str, StoredProfile]) -> States:
    return {key: (p.decision.segment, p.decision.intent) for key, p in profiles.items() if p.decision}


def _due(profiles: dict[str, StoredProfile], clock: str) -> int:
    now_ms = parse_timestamp(clock)
    return sum(bool(p.decision and p.decision.due_ms and p.decision.due_ms <= now_ms) for p in profiles.values())


def _offline() -> States:
    scores = pd.read_parquet(SCORES)
    return {customer_key(str(row.customer_id)): (row.segment_id, row.intent) for row in scores.itertuples()}  # type: ignore[misc]


def _compare(before: States, after: States, offline: States, due: int, done: Counter[str]) -> int:
    moved = sum(after[key][0] != before[key][0] for key in after)
    differ = sum(after.get(key) != state for key, state in offline.items())
    console.print(
        f"{len(after):,} households are stored, of whom {due:,} were due by then.\n"
        f"{done['DueRead']:,} were read, {done['DueDecided']:,} decided on, {done['SegmentsChanged']:,} moves made.\n"
        f"{moved:,} households are in another segment than before.\n"
        f"Scoring all {len(offline):,} offline gives another segment or intent for {differ:,} of them.",
        soft_wrap=True,
    )
    return int(differ > 0 or len(after) != len(offline))


if __name__ == "__main__":
    sys.exit(main())
