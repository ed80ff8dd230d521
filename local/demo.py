"""The main job once, on real data: `python -m local.demo`, or `make demo`.

Trains on the first nine months of a grocer's real purchases, deploys the stack to a local AWS, publishes the model,
gives the stack its history, drops the last three months file by file, and shows and proves what came of it.
"""

import json
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from local.complete_journey import SPLIT, read_lines, write_days, write_history
from local.console import console, step
from local.emulator import ROOT, LocalStackError
from local.observe import drop, read_profiles, read_quarantine
from local.stack import Stack, local_stack
from shared.keys import customer_key
from shared.profile_table import StoredProfile

WORK = ROOT / "build/demo"
AS_OF = "2018-01-02T00:00:00Z"
"""The stack's "now": the data ends in the first hours of 2018."""
CHURN_TOLERANCE = 1e-6
LOOK_UPS = 100

type Profiles = Mapping[str, StoredProfile]


class DemoFailed(Exception):
    """Something that must hold did not; the message says what."""


@dataclass(frozen=True, slots=True)
class Sum:
    """What became of the lines of one drop."""

    lines: int
    counted: int
    quarantined: int

    def check(self) -> None:
        """Raises DemoFailed unless every line is accounted for."""
        if self.lines != self.counted + self.quarantined:
            raise DemoFailed(f"{self.lines:,} lines, but {self.counted:,} counted and {self.quarantined:,} quarantined")


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
    with step("Trained on January to September"):
        _python("training.train", "--events", WORK / "events/history", "--out", WORK / "model", "--as-of", SPLIT)
    with local_stack(clock=AS_OF) as stack:
        with step("Published the model through its gate"):
            _python(
                "training.publish", "--model", WORK / "model", "--bucket", stack.bucket, env=stack.emulator.environment
            )
        with step(f"Folded the history: {len(history)} Parquet files"):
            drop(stack, history, "history")
        before, quarantined_before = read_profiles(stack), read_quarantine(stack).lines
        began = time.monotonic()
        with step(f"Folded October to December: {len(days)} files of one day, as NDJSON and CSV, plain and gzipped"):
            drop(stack, days, "days")
        seconds = time.monotonic() - began
        after, quarantine = read_profiles(stack), read_quarantine(stack)

        recent = int((lines.timestamp.dt.date >= SPLIT).sum())
        counted_before = _events(before)
        sums = {
            "January to September": Sum(len(lines) - recent, counted_before, quarantined_before),
            "October to December": Sum(recent, _events(after) - counted_before, quarantine.lines - quarantined_before),
        }
        for one in sums.values():
            one.check()

        with step("Dropped the same files of October to December again"):
            dropped_at = int(time.time())
            drop(stack, days, "days")
        _check_untouched(after, read_profiles(stack))
        again = read_quarantine(stack, "days").oldest_write
        if again is None or again.timestamp() < dropped_at:
            raise DemoFailed(f"files dropped again were not all read again: {again}")
        with step("Scored the same files offline and compared"):
            offline = _score_offline(stack)
            largest = _compare(offline, after)
        _report(stack, sums, quarantine.reasons, before, after)
        _show_agreement(len(after), largest, recent / seconds)
    _show_more()


def _write_files(folder: Path) -> tuple[list[Path], list[Path], pd.DataFrame]:
    shutil.rmtree(WORK, ignore_errors=True)
    for name in ("history", "days"):
        (folder / name).mkdir(parents=True)
    lines = read_lines()
    return list(write_history(lines, folder / "history")), list(write_days(lines, folder / "days")), lines


def _python(module: str, *arguments: object, env: Mapping[str, str] | None = None) -> None:
    subprocess.run([sys.executable, "-m", module, *map(str, arguments)], cwd=ROOT, env=env, check=True)


def _events(profiles: Profiles) -> int:
    return sum(profile.events for profile in profiles.values())


def _check_untouched(before: Profiles, after: Profiles) -> None:
    if before != after:
        changed = sum(before.get(key) != profile for key, profile in after.items())
        raise DemoFailed(f"dropping the same files again changed {changed:,} profiles")


def _score_offline(stack: Stack) -> pd.DataFrame:
    out = WORK / "scores.parquet"
    events = (WORK / "events/history", WORK / "events/days")
    _python("training.score", "--events", *events, "--model", WORK / "model", "--as-of", AS_OF, "--out", out)
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


# ---- What came of it -------------------------------------------------------------------------------------------------


def _report(stack: Stack, sums: Mapping[str, Sum], reasons: Counter[str], before: Profiles, after: Profiles) -> None:
    manifest = json.loads((WORK / "model/manifest.json").read_text())
    _show_sums(sums, reasons)
    _show_segments(manifest, after)
    _show_household(stack, after)
    _show_move(manifest, before, after)
    _show_look_ups(stack, after)


def _show_sums(sums: Mapping[str, Sum], reasons: Counter[str]) -> None:
    table = Table("Lines dropped", *sums, title="Every line is accounted for", title_justify="left")
    for label, values in {
        "in the files": [one.lines for one in sums.values()],
        "counted in a profile": [one.counted for one in sums.values()],
        "kept in quarantine": [one.quarantined for one in sums.values()],
        "missing": [one.lines - one.counted - one.quarantined for one in sums.values()],
    }.items():
        table.add_row(label, *(f"{value:,}" for value in values))
    console.print("", table)
    for reason, count in reasons.most_common():
        console.print(f"  {count:,} lines in quarantine: {reason}", soft_wrap=True)


def _show_segments(manifest: Mapping[str, Any], profiles: Profiles) -> None:
    decided = [profile.decision for profile in profiles.values() if profile.decision]
    sizes = Counter(decision.segment for decision in decided)
    churn = {
        segment: statistics.fmean(d.predictions["churn_probability"] for d in decided if d.segment == segment)
        for segment in sizes
    }
    table = Table(
        "",
        "Segment",
        "Households",
        "Churn",
        "What is typical of it",
        title=f"{len(decided):,} households in {len(sizes)} segments",
        title_justify="left",
    )
    for segment in sorted(manifest["segments"], key=lambda s: -sizes[s["id"]]):
        number = segment["id"]
        share = f"{sizes[number]:,} ({sizes[number] / len(decided):.0%})"
        risk = f"{churn[number]:.0%}" if number in churn else ""
        table.add_row(str(number), segment["name"], share, risk, segment["description"])
    console.print("", table)


def _show_household(stack: Stack, profiles: Profiles) -> None:
    busiest = sorted(profiles.values(), key=lambda profile: profile.events)[len(profiles) // 2]
    customer = busiest.key.partition("#")[2]
    status, answer = stack.api_get(f"/customers/{customer}/segment")
    if status != 200:
        raise DemoFailed(f"the API answered {status} for household {customer}: {answer}")
    console.print(f"\nHousehold {customer}, from GET /customers/{customer}/segment:")
    console.print_json(data=answer)


def _show_move(manifest: Mapping[str, Any], before: Profiles, after: Profiles) -> None:
    names = {segment["id"]: segment["name"] for segment in manifest["segments"]}
    moved = [
        (old, new)
        for key, profile in after.items()
        if (new := profile.decision) and key in before and (old := before[key].decision) and old.segment != new.segment
    ]
    console.print(f"\n{len(moved):,} households changed segment as October to December came in.")
    if not moved:
        return
    old, new = max(moved, key=lambda pair: min(pair[0].margin, pair[1].margin))
    key = next(key for key, profile in after.items() if profile.decision is new)
    console.print(
        f"Household {key.partition('#')[2]}: “{names[old.segment]}” with what was known on {SPLIT}"
        f" ({before[key].events:,} lines, churn {old.predictions['churn_probability']:.0%}),"
        f" “{names[new.segment]}” now ({after[key].events:,} lines, churn {new.predictions['churn_probability']:.0%}).",
        soft_wrap=True,
    )


def _show_look_ups(stack: Stack, profiles: Profiles) -> None:
    durations = []
    for key in list(profiles)[:LOOK_UPS]:
        began = time.perf_counter()
        status, _ = stack.api_get(f"/customers/{key.partition('#')[2]}/segment")
        durations.append(1_000 * (time.perf_counter() - began))
        if status != 200:
            raise DemoFailed(f"the API answered {status} for {key}")
    console.print(
        f"\n{len(durations)} look-ups through the local AWS: median {statistics.median(durations):.0f} ms,"
        f" slowest {max(durations):.0f} ms."
    )


def _show_agreement(profiles: int, largest: float, lines_a_second: float) -> None:
    console.print(
        f"October to December went in at {lines_a_second:,.0f} lines a second, on this machine alone.\n"
        f"Dropping the same files again changed none of {profiles:,} profiles by a byte.\n"
        f"Offline scoring gives the same segment for all {profiles:,} households; largest difference in churn:"
        f" {largest:.1e}.",
        soft_wrap=True,
    )


def _show_more() -> None:
    here = WORK.relative_to(Path.cwd()) if WORK.is_relative_to(Path.cwd()) else WORK
    console.print(
        f"""
To look further:
  {here}/model/report.html      the segments and models, for a browser
  {here}/model/leaderboard.csv  every model that was tried
  {here}/scores.parquet         every household's decision, as a table
  make local                         the same stack, left running for your own event files"""
    )


if __name__ == "__main__":
    sys.exit(main())
