"""Demand of the next weeks by segment and category, and how far off it would have been on the weeks that are known.

python -m training.demand --events PATH [PATH …] --model DIR [--as-of TIMESTAMP] [--of lines|amount]
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shared.durations import WEEK_MS
from shared.features import MONEY_UNITS, PURCHASE, Profiles
from shared.insight.demand import Sales, report
from shared.models.bundle import Bundle
from training.base import command
from training.base.errors import InputError
from training.base.progress import progress
from training.data.events import read_events

SHOWN = 10


def sales(profiles: Profiles, bundle: Bundle, as_of_ms: int, of: str) -> Sales:
    """What customers bought in the whole weeks before an instant, in the segments that they were in when each began.

    `of` is `lines` (how often it was bought) or `amount` (for how much).
    """
    rows = profiles.rows
    weeks = (as_of_ms - int(rows.time_ms.min())) // WEEK_MS
    begin_ms = as_of_ms - weeks * WEEK_MS
    ids = [segment["id"] for segment in bundle.manifest["segments"]]
    place = {segment: i for i, segment in enumerate(ids)}
    codes, category = np.unique(rows.category, return_inverse=True)
    bought = np.zeros((len(ids), len(codes), weeks))
    customers = np.zeros((len(ids), weeks + 1))
    week = (rows.time_ms - begin_ms) // WEEK_MS
    owner = profiles.owner
    worth = rows.net / MONEY_UNITS if of == "amount" else np.ones(len(rows))
    with progress("deciding on every week", weeks + 1) as advance:
        for number in range(weeks + 1):
            at_ms = begin_ms + number * WEEK_MS
            decided = bundle.decide(bundle.features_at(profiles, at_ms)).segment.tolist()
            segment = np.array([place[one] for one in decided])
            known = profiles.first_event_ms < at_ms
            customers[:, number] = np.bincount(segment[known], minlength=len(ids))
            own = (week == number) & (rows.kind == PURCHASE) & known[owner] & (rows.time_ms < as_of_ms)
            if number < weeks:
                np.add.at(bought, (segment[owner[own]], category[own], number), worth[own])
            advance(1, f"{number} of {weeks} weeks")
    names = [str(segment["name"]) for segment in bundle.manifest["segments"]]
    return Sales(names, [profiles.category_names.get(code, "") for code in codes.tolist()], bought, customers)


def in_words(forecast: dict[str, Any], of: str) -> Iterator[str]:
    """Lines about a report."""
    if forecast["state"] != "forecast":
        yield f"not enough data: {forecast['weeks_known']} whole weeks, where {forecast['weeks_needed']} are needed"
        return
    yield f"Tried on weeks that are known, {forecast['weeks_ahead']} ahead: mean absolute percentage error of {of}"
    for name, error in forecast["errors"].items():
        shares = f"{error['mean_absolute_percentage']:.1%}, weighted by what came {error['weighted_percentage']:.1%}"
        yield f"  {name.replace('_', '-')}: {shares}"
    verdict = "better" if forecast["method"] == "rates" else "not better, so that the seasonal-naive one is shown"
    yield f"  the forecast by rates is {verdict}"
    most = sorted(forecast["demand"], key=lambda one: -one["a_week"])
    for one in most[:SHOWN]:
        off = f", usually off by {one['error']:.0%}" if one["error"] is not None else ""
        ahead = f"{one['a_week']:,.0f} a week (last week {one['last_week']:,.0f}{off})"
        yield f"{one['segment']}, {one['category']}: {ahead}"
    if len(most) > SHOWN:
        yield f"… and {len(most) - SHOWN:,} more; --json has them all"


def main(arguments: Sequence[str] | None = None, prog: str = "python -m training.demand") -> int:
    """The command line."""
    description = "Forecast demand, and try that on weeks that are known."
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument("--events", nargs="+", type=Path, required=True, metavar="PATH", help="event files or folders")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="folder that training wrote")
    parser.add_argument("--as-of", metavar="TIMESTAMP", help="only events before it count; the end of the data else")
    parser.add_argument("--of", choices=("lines", "amount"), default="lines", help="how often, or for how much")
    parser.add_argument("--json", action="store_true", help="the whole report")
    command.add_mapping(parser)
    return command.run(parser, _run, arguments)


def _run(given: argparse.Namespace) -> int:
    as_of_ms = command.timestamp(given.as_of) if given.as_of else None
    bundle = Bundle.load(given.model)
    profiles = read_events(given.events, as_of_ms=as_of_ms, translator=command.translator(given)).profiles
    as_of_ms = as_of_ms if as_of_ms is not None else int(profiles.rows.time_ms.max()) + 1
    if as_of_ms - int(profiles.rows.time_ms.min()) < WEEK_MS:
        raise InputError("there is not one whole week before that")
    forecast = report(sales(profiles, bundle, as_of_ms, given.of))
    lines = [json.dumps(forecast, indent=2)] if given.json else in_words(forecast, given.of)
    command.say(*(command.printable(line) for line in lines) if not given.json else lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
