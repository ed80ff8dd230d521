"""What the demo prints once all is folded: sums, segments, single households and how to look further."""

import statistics
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from local.complete_journey import AS_OF, SPLIT
from local.console import console
from local.emulator import LocalStackError
from local.stack import Stack
from shared.events.event import parse_timestamp
from shared.features import FEATURE_NAMES
from shared.features import Profiles as History
from shared.models.bundle import Bundle, Decisions
from shared.profiles.histories import histories
from shared.profiles.stored_profile import StoredProfile

LOOK_UPS = 100
REASONS_SHOWN = 3

type Profiles = Mapping[str, StoredProfile]


@dataclass(frozen=True, slots=True)
class Sum:
    """What became of the lines of one drop."""

    lines: int
    counted: int
    quarantined: int

    @property
    def missing(self) -> int:
        """Lines that are neither counted nor in quarantine; must be 0."""
        return self.lines - self.counted - self.quarantined


def report(stack: Stack, bundle: Bundle, sums: Mapping[str, Sum], reasons: Counter[str], profiles: Profiles) -> None:
    """Print sums, segments, a household, one that moved, and look-up times."""
    _show_sums(sums, reasons)
    _show_segments(bundle, profiles)
    _show_household(stack, profiles)
    _show_moves(bundle, profiles)
    _show_look_ups(stack, profiles)


def _show_sums(sums: Mapping[str, Sum], reasons: Counter[str]) -> None:
    table = Table("Lines dropped", *sums, title="Every line is accounted for", title_justify="left")
    for label, values in {
        "in the files": [one.lines for one in sums.values()],
        "counted in a profile": [one.counted for one in sums.values()],
        "kept in quarantine": [one.quarantined for one in sums.values()],
        "missing": [one.missing for one in sums.values()],
    }.items():
        table.add_row(label, *(f"{value:,}" for value in values))
    console.print("", table)
    for reason, count in reasons.most_common():
        console.print(f"  {count:,} lines in quarantine: {reason}", soft_wrap=True)


def _show_segments(bundle: Bundle, profiles: Profiles) -> None:
    decided = [profile.decision for profile in profiles.values() if profile.decision]
    sizes = Counter(decision.segment for decision in decided)
    console.print(f"\n{len(decided):,} households scored, in {len(sizes)} segments:")
    for segment in sorted(bundle.manifest["segments"], key=lambda segment: -sizes[segment["id"]]):
        members = [decision for decision in decided if decision.segment == segment["id"]]
        churn = statistics.fmean(member.predictions["churn_probability"] for member in members) if members else 0.0
        console.print(
            f"  [bold]{segment['name']}[/] (segment {segment['id']}): {len(members):,} households,"
            f" {len(members) / len(decided):.0%}; expected churn {churn:.0%}\n    {segment['description']}",
            soft_wrap=True,
        )


def _show_household(stack: Stack, profiles: Profiles) -> None:
    typical = sorted(profiles.values(), key=lambda profile: profile.events)[len(profiles) // 2]
    customer = typical.key.partition("#")[2]
    path = f"/customers/{customer}/segment?explain=true"
    status, answer = stack.api_get(path)
    if status != 200 or not answer["explanation"].get("segment"):
        raise LocalStackError(f"the API answered {status} for household {customer}: {answer}")
    explanation = answer.pop("explanation")
    console.print(f"\nHousehold {customer}, from GET {path}:")
    console.print_json(data=answer)
    for part in ("segment", *answer["predictions"]):
        reasons = explanation[part]
        if reasons:
            scale = explanation["about"][part]["scale"]
            console.print(f"Why this {part.replace('_', ' ')}? The strongest of {len(reasons)} reasons, in {scale}:")
        for reason in reasons[:REASONS_SHOWN]:
            console.print(f"  {reason['contribution']:+.2f}  {reason['text']}", soft_wrap=True, markup=False)


def _show_moves(bundle: Bundle, profiles: Profiles) -> None:
    """Households whose segment was another at SPLIT: a stored history answers for any instant, the past included."""
    history = histories(profiles.values())
    history = history.take(np.flatnonzero(history.first_event_ms < parse_timestamp(SPLIT.isoformat())))
    then, now = (_standing(history, bundle, instant) for instant in (SPLIT.isoformat(), AS_OF))
    moved = np.flatnonzero(then.decided.segment != now.decided.segment)
    console.print(f"\n{len(moved):,} of {len(history):,} households known on {SPLIT} have changed segment since.")
    if len(moved):
        clearest = moved[np.minimum(then.decided.margin, now.decided.margin)[moved].argmax()]
        console.print(f"Household {history.keys[clearest].partition('#')[2]}, for one:")
        both = f"  {SPLIT}: {then.describe(clearest)}\n  {AS_OF[:10]}: {now.describe(clearest)}"
        console.print(both, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class _Standing:
    matrix: NDArray[np.float32]
    decided: Decisions
    names: Mapping[int, str]

    def describe(self, i: int) -> str:
        value = dict(zip(FEATURE_NAMES, self.matrix[i].tolist(), strict=False))
        return (
            f"{self.names[int(self.decided.segment[i])]}, churn {self.decided.predictions['churn_probability'][i]:.0%},"
            f" visits in 90 days: {value['visits_90d']:.0f}, days since the last: {value['days_since_visit']:.0f}"
        )


def _standing(history: History, bundle: Bundle, instant: str) -> _Standing:
    matrix = bundle.features_at(history, parse_timestamp(instant))
    names = {segment["id"]: segment["name"] for segment in bundle.manifest["segments"]}
    return _Standing(matrix, bundle.decide(matrix), names)


def _show_look_ups(stack: Stack, profiles: Profiles) -> None:
    durations = []
    for key in list(profiles)[:LOOK_UPS]:
        began = time.perf_counter()
        status, _ = stack.api_get(f"/customers/{key.partition('#')[2]}/segment")
        durations.append(1_000 * (time.perf_counter() - began))
        if status != 200:
            raise LocalStackError(f"the API answered {status} for {key}")
    console.print(
        f"\n{len(durations)} look-ups through the local AWS: median {statistics.median(durations):.0f} ms,"
        f" slowest {max(durations):.0f} ms."
    )


def show_agreement(profiles: int, largest: float, lines_a_second: float) -> None:
    """Print what was compared and held."""
    console.print(
        f"October to December went in at {lines_a_second:,.0f} lines a second, on this machine alone.\n"
        f"Dropping the same files again changed none of {profiles:,} profiles by a byte.\n"
        f"Offline scoring gives the same segment for all {profiles:,} households; largest difference in churn:"
        f" {largest:.1e}.",
        soft_wrap=True,
    )


def show_more(folder: Path) -> None:
    """Print where everything is that the demo left in `folder`."""
    here = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    console.print(
        f"""
To look further:
  {here}/dashboard.html         the dashboard of this shop, in one page for a browser
  {here}/model/report.html      the segments and models, for a browser
  {here}/model/leaderboard.csv  every model that was tried
  {here}/scores.parquet         every household's decision, as a table
  make local                         the same stack, left running for your own event files""",
        soft_wrap=True,
    )
