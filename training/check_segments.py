"""Holds segments and their names to what is promised of them, on whole datasets.

python -m training.check_segments --events PATH [PATH …] [--as-of TIMESTAMP] [--name NAME] [--table FILE.md]

Each name is read as a customer of the product reads it, word by word, and counted anew over the members of its segment.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, permutations
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from shared.decisions.decision import iso
from shared.features import FEATURES, features
from training import train
from training.base import command
from training.base.config import Config
from training.data.preparation import Matrix
from training.evaluate import marked, put
from training.segmentation.choice import unsound
from training.segmentation.facts import facts_of, typical
from training.segmentation.naming import TRUE, Segment, catalogue
from training.segmentation.patterns import NAMES, WORDS, Pattern
from training.segmentation.segments import Segmentation, fit_segments

MOST_WORDS = 2
"""Words before a name, at most."""
BROKEN = 1
"""Exit status where a promise is broken."""

type Shares = Mapping[int, float]
"""By segment, the share of its members of whom its name is true; segments whose names say nothing are left out."""


def meanings(name: str) -> Iterator[tuple[Pattern, ...]]:
    """The patterns that a name may be made of: words and then a noun. None for a name that says nothing."""
    counts = range(MOST_WORDS + 1)
    before: list[tuple[Pattern, ...]] = list(chain.from_iterable(permutations(WORDS, count) for count in counts))
    for noun in NAMES:
        if noun.name.casefold() not in name.casefold():
            continue
        for words in before:
            parts = (*words, noun)
            has_meaning = any(part.conditions for part in parts)
            if has_meaning and " ".join(part.name for part in parts).casefold() == name.casefold():
                yield parts


def shares(segmentation: Segmentation, segments: Sequence[Segment], X: Matrix) -> Shares:
    """How true each name is of the customers X [n, n_features] in its segment."""
    segment = segmentation.segment_of(X)
    values = facts_of(X)
    everyone = {name: typical(name, column) for name, column in values.items()}
    true_of = {}
    for one in segments:
        own = segment == one.id
        members = {name: column[own] for name, column in values.items()}
        counts = [
            np.logical_and.reduce([part.holds(members, everyone) for part in parts]).mean()
            for parts in meanings(one.name)
        ]
        if counts:
            true_of[one.id] = float(max(counts))
    return true_of


def broken(segmentation: Segmentation, segments: Sequence[Segment], true_of: Shares, config: Config) -> list[str]:
    """The promises that are not kept, each in words."""
    total = sum(one.size for one in segments)
    chosen = segmentation.chosen
    better = [one for one in segmentation.tried if not unsound(one, config) and one.largest <= config.largest_segment]
    largest = max(one.size for one in segments) / total
    unusual = sum(one.size for one in segments if one.id == segmentation.unusual) / total
    wrong = [
        f"{one.name} is true of {true_of[one.id]:.0%} of its members, {TRUE:.0%} are promised"
        for one in segments
        if one.id in true_of and true_of[one.id] < TRUE
    ]
    wrong += [
        f"{one.name} is said to be true of {one.true_of['members']:.1%}, and is of {true_of.get(one.id, 0.0):.1%}"
        for one in segments
        if one.true_of and abs(one.true_of["members"] - true_of.get(one.id, 0.0)) > 5e-4
    ]
    if len({one.name.casefold() for one in segments}) < len(segments):
        wrong.append("two segments have one name")
    if largest > config.largest_segment and better:
        wrong.append(f"a segment holds {largest:.0%}, though {better[0].name} is sound and has none as large")
    if chosen.segments > 1 and not config.fewest_segments <= len(segments) <= config.most_segments:
        wrong.append(f"there are {len(segments)} segments, not {config.fewest_segments} to {config.most_segments}")
    if unusual > config.most_unusual:
        wrong.append(f"{unusual:.0%} of the customers are unusual, above most_unusual")
    return wrong


def table(about: str, segmentation: Segmentation, segments: Sequence[Segment], true_of: Shares) -> list[str]:
    """The segments as lines of Markdown, the largest first; what they are of is said `about` them."""
    total = sum(one.size for one in segments)
    lines = [
        f"{about}: {len(segments)} segments of {total:,} customers, by {segmentation.chosen.name}",
        "",
        "| segment | customers | its name is true of | and of others |",
        "|---|---|---|---|",
    ]
    for one in sorted(segments, key=lambda one: -one.size):
        others = f"{one.true_of['others']:.0%}" if one.true_of else "-"
        members = f"{true_of[one.id]:.0%}" if one.id in true_of else "-"
        lines.append(f"| {one.name} | {one.size:,} ({one.size / total:.0%}) | {members} | {others} |")
    return lines


def main(arguments: Sequence[str] | None = None, prog: str = "python -m training.check_segments") -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog=prog, description="Hold segments and their names to what is promised.")
    parser.add_argument("--events", nargs="+", type=Path, required=True, metavar="PATH", help="event files or folders")
    parser.add_argument("--as-of", metavar="TIMESTAMP", help="only events before it count; the end by default")
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file with options of training/base/config.py")
    parser.add_argument("--name", default="events", help="what the data are called in the table")
    parser.add_argument("--table", type=Path, metavar="FILE.md", help="page to put the table into, between its marks")
    command.add_mapping(parser)
    return command.run(parser, _run, arguments)


def _run(arguments: argparse.Namespace) -> int:
    marks = f"{arguments.name}: segments"
    if arguments.table:
        marked(arguments.table, marks)
    config = Config.load(arguments.config)
    as_of_ms = None if arguments.as_of is None else command.timestamp(arguments.as_of)
    profiles, window = train.customers(arguments.events, as_of_ms, config, command.translator(arguments))
    X = features(profiles, window.as_of_ms, config.zone)
    with threadpool_limits(limits=1):
        segmentation = fit_segments(X, config, FEATURES)
    segments, _ = catalogue(segmentation, X)
    true_of = shares(segmentation, segments, X)
    about = f"**{arguments.name}**, as of {iso(window.as_of_ms)[:10]}"
    lines = table(about, segmentation, segments, true_of)
    wrong = broken(segmentation, segments, true_of, config)
    command.say(*lines, "", *(wrong or ["Every name is true of two in three, and all bounds are kept."]))
    if arguments.table:
        put(arguments.table, marks, lines)
    return BROKEN if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
