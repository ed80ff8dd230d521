"""Features that the catalogue lacks: what FeatureTools makes of the history, judged on cut-offs that are held out.

python -m training.discover --events PATH [PATH …] --target NAME [--as-of TIMESTAMP] [--config FILE] [--customers N]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shared.decisions.decision import iso
from shared.features import FEATURES
from training.base import command
from training.base.config import Config
from training.base.errors import InputError
from training.base.progress import progress
from training.discovery.candidates import Candidate
from training.discovery.judging import SHUFFLED, Gain, Judgement, Round, column_of, judged, screened
from training.discovery.synthesised import OWN_PYTHON, Engine, Synthesised, sampled, steps, synthesise
from training.prediction.happenings import NAMED_IN
from training.prediction.targets import PointsInTime, Target, cutoffs, targets
from training.prediction.validation import origins
from training.train import customers

FEWEST_ROUNDS = 2
"""Cut-offs that have to be held out: what one of them says may be its own."""


@dataclass(frozen=True)
class Search:
    """How much is looked at."""

    customers: int = 2_000
    """From whose histories candidates are made."""
    most: int = 12
    """Candidates that are judged on what is held out."""
    engine: Engine = field(default_factory=Engine)


@dataclass(frozen=True)
class Discovery:
    """What came of it."""

    target: Target
    rounds: list[Round]
    synthesised: Synthesised
    candidates: list[Candidate]
    judgement: Judgement
    names: dict[int, str]
    """Of categories."""

    @property
    def improving(self) -> list[tuple[Candidate, Gain]]:
        """Those that improve the target beyond chance, the best first."""
        by_chance = self.judgement.by_chance
        each = zip(self.candidates, self.judgement.gains, strict=True)
        return sorted((one for one in each if one[1].is_found(by_chance)), key=lambda one: -one[1].mean)


def discover(
    points: PointsInTime, span_ms: tuple[int, int], target: Target, config: Config, search: Search
) -> Discovery:
    """Looks for features that would improve the target; `span_ms` is the time that is known (UTC milliseconds).

    Raises InputError where the events span too few days, or FeatureTools cannot be run.
    """
    instants = cutoffs(*span_ms, target.horizon_days, config)
    rounds = origins(target, [points.slice(target, cutoff) for cutoff in instants], config)
    if len(rounds) < FEWEST_ROUNDS:
        raise InputError(
            f"{target.name}: {len(rounds)} cut-offs could be held out, where {FEWEST_ROUNDS} are needed: each needs"
            f" earlier ones whose outcomes were known by then, with both outcomes"
        )
    known = rounds[-1][1]  # by the first of those held out: nothing that is judged on is looked at before
    who = sampled(points.profiles, search.customers, config.seed)
    with progress("discovering", len(known) * steps() + (1 + SHUFFLED + search.most) * len(rounds)) as advance:
        instants = [one.cutoff_ms for one in known]
        made = synthesise(points.known, who, instants, named_by(target), search.engine, advance)
        chosen = screened(target, known, made, search.most, config)
        names = points.profiles.category_names
        columns = [column_of(one.feature(names), points) for one in chosen]
        judgement = judged(target, rounds, columns, config, advance)
    return Discovery(target, rounds, made, chosen, judgement, names)


def named_by(target: Target) -> dict[str, int]:
    """Codes of what the target counts, by column: what somebody did with that before may tell of it."""
    return {column: code(name) for column, code in NAMED_IN.items() if (name := getattr(target.entry, column))}


def told(discovery: Discovery) -> Iterator[str]:
    """What was found, in lines for people."""
    target, judgement = discovery.target, discovery.judgement
    held = ", ".join(iso(one.cutoff_ms)[:10] for one, _ in discovery.rounds)
    loss = "deviance" if target.kind == "amount" else "log loss"
    yield f"{target.name}: {target.meaning}"
    yield (
        f"FeatureTools made {discovery.synthesised.made:,} features of {len(discovery.synthesised.who):,} customers'"
        f" events, {len(discovery.synthesised.candidates):,} with windows that formulas of ours give;"
        f" {len(discovery.candidates)} that tell most beside the {len(FEATURES)} known ones were judged on {held}"
        f" ({judgement.rows:,} rows, {loss} {judgement.loss:.5f}; shuffled columns gained"
        f" {judgement.by_chance:+.5f} at most)"
    )
    yield ""
    if not discovery.improving:
        yield "None of them improves it beyond chance."
    else:
        yield f"| feature | {loss} less by | of it | at each cut-off |"
        yield "|---|---|---|---|"
    for candidate, gain in discovery.improving:
        each = ", ".join(f"{one:+.5f}" for one in gain.by_cutoff)
        yield (
            f"| {candidate.name(discovery.names)} | {gain.mean:.5f} ({gain.low:.5f} to {gain.high:.5f})"
            f" | {gain.mean / judgement.loss:.1%} | {each} |"
        )
    if discovery.improving:
        yield ""
        yield 'To add to FEATURES of shared/features/catalogue.py (CONTRIBUTING.md, "A feature of customers"):'
        yield ""
        for candidate, _ in discovery.improving:
            yield f"    {candidate.line(discovery.names)}"


def main(arguments: Sequence[str] | None = None, prog: str = "python -m training.discover") -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog=prog, description="Look for features that would improve a target.")
    parser.add_argument(
        "--events", nargs="+", required=True, metavar="PATH", help="event files, folders, or s3://BUCKET/PREFIX"
    )
    parser.add_argument("--target", default="churn", metavar="NAME", help="default: %(default)s")
    parser.add_argument(
        "--as-of", metavar="TIMESTAMP", help="only events before it count; the end of the data by default"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file with options of training/base/config.py")
    parser.add_argument(
        "--customers", type=int, default=Search.customers, metavar="N",
        help="of whose events FeatureTools makes candidates; default: %(default)s",
    )  # fmt: skip
    parser.add_argument(
        "--judge", type=int, default=Search.most, metavar="N", help="candidates that are judged; default: %(default)s"
    )
    parser.add_argument(
        "--minutes", type=float, default=Engine.most_seconds / 60, metavar="N", help="for FeatureTools at most"
    )
    parser.add_argument("--python", type=Path, default=OWN_PYTHON, metavar="FILE", help="which has FeatureTools")
    command.add_mapping(parser)
    return command.run(parser, _run, arguments)


def _run(arguments: argparse.Namespace) -> None:
    if arguments.customers < 50 or not 1 <= arguments.judge <= 100 or arguments.minutes <= 0:
        raise InputError("--customers are 50 or more, --judge is from 1 to 100, and --minutes are above 0")
    config = Config.load(arguments.config)
    asked = {target.name: target for target in targets(config) if target.kind != "uplift"}
    if arguments.target not in asked:
        raise InputError(f"{command.printable(arguments.target)} is none of {', '.join(asked)}")
    target = asked[arguments.target]
    if target.entry.whom == "exposed":
        raise InputError(f"{target.name} is asked at exposures, of which there are no cut-offs to hold out")
    as_of_ms = None if arguments.as_of is None else command.timestamp(arguments.as_of)
    profiles, window = customers(arguments.events, as_of_ms, config, command.translator(arguments))
    points = PointsInTime(profiles, config.zone, config.cutoff_every_days)
    search = Search(arguments.customers, arguments.judge, Engine(arguments.python, arguments.minutes * 60))
    command.say(*told(discover(points, (window.first_ms, window.end_ms), target, config, search)))


if __name__ == "__main__":
    sys.exit(main())
