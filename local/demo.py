"""The main job once, on real data: `python -m local.demo`, or `make demo`.

Trains on the first nine months of a grocer's real purchases, deploys the stack to a local AWS, publishes the model,
gives the stack its history, drops the last three months file by file, and shows and proves what came of it. Ends with
an audience whose members arrive at a shop's own address, but for a control group.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from local.acting import act, show
from local.complete_journey import AS_OF, SPLIT, read_lines, write_days, write_history
from local.console import console, step
from local.emulator import ROOT, LocalStackError
from local.observe import drop, read_profiles, read_quarantine
from local.snapshot import save, snapshot
from local.stack import local_stack
from local.summary import Profiles, Sum, report, show_agreement, show_more
from shared.identity.keys import customer_key
from shared.models.bundle import Bundle

WORK = ROOT / "build/demo"
CHURN_TOLERANCE = 1e-6


class DemoFailed(Exception):
    """Something that must hold did not; the message says what."""


def main() -> int:
    """Run the demo; exit status 0 only if everything it claims was seen to hold."""
    begun = time.monotonic()
    try:
        _run()
    except (DemoFailed, LocalStackError, subprocess.CalledProcessError) as error:
        console.print(f"[red]✗[/] {error}", soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("\nStopped; nothing is left running.")
        return 130
    console.print(f"\nAll of it took {time.monotonic() - begun:.0f} s, and nothing is left running.")
    return 0


def _run() -> None:
    console.rule("Tessera on a year of real purchases (84.51° Complete Journey, 2017)")
    with step("Wrote the purchases as event files"):
        history, days, lines = _write_files(WORK / "events")
    with step("Trained on January to September", spinner=False):
        python("training.train", "--events", WORK / "events/history", "--out", WORK / "model", "--as-of", SPLIT)
    with local_stack(clock=AS_OF) as stack:
        with step("Published the model through its gate", spinner=False):
            python(
                "training.publish", "--model", WORK / "model", "--bucket", stack.bucket, env=stack.emulator.environment
            )
        with step(f"Folded the history: {len(history)} Parquet files", spinner=False):
            drop(stack, history, "history")
        counted_before = _events(read_profiles(stack))
        quarantined_before = read_quarantine(stack).lines
        began = time.monotonic()
        with step(
            f"Folded October to December: {len(days)} files of one day, as NDJSON and CSV, plain and gzipped",
            spinner=False,
        ):
            drop(stack, days, "days")
        seconds = time.monotonic() - began
        profiles = read_profiles(stack)
        quarantine = read_quarantine(stack)

        recent = int((lines.timestamp.dt.date >= SPLIT).sum())
        sums = {
            "January to September": Sum(len(lines) - recent, counted_before, quarantined_before),
            "October to December": Sum(
                recent, _events(profiles) - counted_before, quarantine.lines - quarantined_before
            ),
        }
        for one in sums.values():
            if one.missing:
                raise DemoFailed(f"{one.missing:,} lines are neither counted nor in quarantine: {one}")

        with step("Dropped the same files of October to December again", spinner=False):
            dropped_at = int(time.time())
            drop(stack, days, "days")
        _check_untouched(profiles, read_profiles(stack))
        again = read_quarantine(stack, "days").oldest_write
        if again is None or again.timestamp() < dropped_at:
            raise DemoFailed(f"files dropped again were not all read again: {again}")
        with step("Scored the same files offline and compared", spinner=False):
            largest = _compare(_score_offline(), profiles)
        report(stack, Bundle.load(WORK / "model"), sums, quarantine.reasons, profiles)
        show_agreement(len(profiles), largest, recent / seconds)
        show(act(stack, AS_OF))
        with step("Saved the dashboard as one page"):
            save(snapshot(stack.api, AS_OF), WORK / "dashboard.html")
    show_more(WORK)


def _write_files(folder: Path) -> tuple[list[Path], list[Path], pd.DataFrame]:
    shutil.rmtree(WORK, ignore_errors=True)
    for name in ("history", "days"):
        (folder / name).mkdir(parents=True)
    lines = read_lines()
    return list(write_history(lines, folder / "history")), list(write_days(lines, folder / "days")), lines


def python(module: str, *arguments: object, env: Mapping[str, str] | None = None) -> None:
    """Run a module of the repository to its end. Raises CalledProcessError."""
    subprocess.run([sys.executable, "-m", module, *map(str, arguments)], cwd=ROOT, env=env, check=True)


def _events(profiles: Profiles) -> int:
    return sum(profile.events for profile in profiles.values())


def _check_untouched(before: Profiles, after: Profiles) -> None:
    if before != after:
        changed = sum(before.get(key) != profile for key, profile in after.items())
        raise DemoFailed(f"dropping the same files again changed {changed:,} profiles")


def _score_offline() -> pd.DataFrame:
    out = WORK / "scores.parquet"
    events = (WORK / "events/history", WORK / "events/days")
    python("training.score", "--events", *events, "--model", WORK / "model", "--as-of", AS_OF, "--out", out)
    return pd.read_parquet(out)


def _compare(offline: pd.DataFrame, online: Profiles) -> float:
    """The largest difference in churn. Raises DemoFailed where a household or a segment differs."""
    if {customer_key(customer) for customer in offline.customer_id} != set(online):
        raise DemoFailed("offline scoring and the stack know different households")
    largest = 0.0
    for row in offline.itertuples():
        decision = online[customer_key(str(row.customer_id))].decision
        if decision is None or decision.segment != row.segment_id:
            raise DemoFailed(f"household {row.customer_id}: segment {row.segment_id} offline, {decision} in the stack")
        largest = max(largest, abs(decision.predictions["churn_probability"] - float(str(row.churn_probability))))
    if largest > CHURN_TOLERANCE:
        raise DemoFailed(f"churn differs by up to {largest:.1e} between offline scoring and the stack")
    return largest


if __name__ == "__main__":
    sys.exit(main())
