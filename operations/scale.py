"""Says what a stack meets first as a shop grows: what is needed of every quota of AWS, and what helps.

python -m operations.scale --events-a-second 50000 --customers 100000000 [--events-a-call 10] [--lookups-a-second 5000]
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from operations.cost import API_SECONDS, BATCH, MOVE_UNITS, REQUEST_SECONDS, UNIT_BYTES, USAGE_FILE, above_0, at_least_0
from operations.stack import say
from shared.durations import DAY_SECONDS
from shared.profiles import due, members

QUOTAS_FILE = Path(__file__).with_name("quotas.toml")
BUSIEST_SEGMENT = 0.6
"""The largest share of customers that training lets a segment have where there are others."""


@dataclass(frozen=True)
class Load:
    """What comes in a second, at its busiest."""

    events: float
    customers: float
    events_a_call: float = 1.0
    lookups: float = 0.0


@dataclass(frozen=True)
class Need:
    """How much of a quota a load takes."""

    quota: str
    needed: float
    limit: float
    unit: str
    raised: bool
    """Whether AWS gives more to whoever asks."""
    relief: str

    @property
    def share(self) -> float:
        """Of the quota; above 1 it does not suffice."""
        return self.needed / self.limit


def needs(load: Load, usage: Mapping[str, Any], quotas: Sequence[Mapping[str, Any]]) -> list[Need]:
    """Every quota by what the load takes of it, the scarcest first."""
    needed = _needed(load, usage)
    shards = {"shard": due.SHARDS, "shard of a segment": members.SHARDS}
    by_quota = [
        Need(
            quota["name"],
            needed[quota["name"]],
            quota["limit"] * shards.get(quota.get("each", ""), 1),
            quota["unit"],
            quota["raised"],
            quota["relief"],
        )
        for quota in quotas
    ]
    return sorted(by_quota, key=lambda need: -need.share)


def _needed(load: Load, usage: Mapping[str, Any]) -> dict[str, float]:
    live = usage["live"]
    calls = load.events / load.events_a_call
    batches = calls / BATCH
    updates = load.events / live["events_an_update"]
    overdue = load.customers * usage["due_a_day"] / DAY_SECONDS
    moves = updates * live["moved"] + overdue * usage["file"]["moved"]
    seconds_taking_in = (
        updates * live["milliseconds"] / 1_000 + batches * (live["requests_a_batch"] + 3) * REQUEST_SECONDS
    )
    seconds_answering = (calls + load.lookups) * (API_SECONDS + REQUEST_SECONDS)
    seconds_of_time = overdue * usage["file"]["milliseconds"] / 1_000
    head_units = -(-usage["head_bytes"] // UNIT_BYTES)
    return {
        "requests to the API": calls + load.lookups,
        "events on the bus": moves,
        "invocations at once": seconds_taking_in + seconds_answering + seconds_of_time,
        "invocations that take live events in at once": seconds_taking_in,
        # Of each person that a batch names, where their lines are kept is written as well.
        "units that the table writes": updates * (live["write_units"] + 1) + overdue * head_units + moves * MOVE_UNITS,
        "units that the table reads": updates * (live["read_units"] + 1) + overdue + load.lookups / 2,
        # An entry that moves to another day is taken out and put in.
        "units that the index of who is due writes": updates * live["index_units"] + 2 * overdue,
        "units that the index of members writes": 2 * moves * BUSIEST_SEGMENT,
        "objects that the archive writes": batches,
        "messages that are being worked on": seconds_taking_in * BATCH,
    }


def breaks_at(load: Load, usage: Mapping[str, Any], quotas: Sequence[Mapping[str, Any]]) -> tuple[float, Need]:
    """Events a second at which the first quota does not suffice any more, all else growing along, and that quota."""
    scarcest = needs(load, usage, quotas)[0]
    return load.events / scarcest.share, scarcest


def main(arguments: Sequence[str] | None = None, prog: str = "python -m operations.scale") -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog=prog, description="Say what a stack meets first as a shop grows.")
    amount = partial(parser.add_argument, metavar="N")
    amount("--events-a-second", type=above_0, required=True, help="live, when most is going on")
    amount("--customers", type=at_least_0, required=True, help="whose profiles are kept")
    amount("--events-a-call", type=above_0, default=1.0, help="live events in one request; default: 1")
    amount("--lookups-a-second", type=at_least_0, default=0.0, help="default: 0")
    given = parser.parse_args(arguments)
    load = Load(given.events_a_second, given.customers, given.events_a_call, given.lookups_a_second)
    usage = json.loads(USAGE_FILE.read_bytes())
    quotas = tomllib.loads(QUOTAS_FILE.read_text())["quota"]
    say(*_report(load, needs(load, usage, quotas), breaks_at(load, usage, quotas)))
    return 0


def _report(load: Load, scarcest_first: Sequence[Need], breaks: tuple[float, Need]) -> list[str]:
    lines = [f"{'':<46} {'needed':>12} {'there is':>12}"]
    for need in scarcest_first:
        verdict = "" if need.share <= 1 else "ask AWS for more" if need.raised else "does not suffice"
        lines.append(f"{need.quota:<46} {need.needed:>12,.0f} {need.limit:>12,.0f} {need.unit:<12} {verdict}".rstrip())
    rate, first = breaks
    lines += ["", f"The first to be met, at {rate:,.0f} events a second: {first.quota}."]
    lines += [f"{need.quota}: {need.relief}." for need in scarcest_first if need.share > 1]
    return lines


if __name__ == "__main__":
    sys.exit(main())
