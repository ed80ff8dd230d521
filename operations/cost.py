"""Reckons what a month costs, service by service, beside a call, a read and a write for every event.

python -m operations.cost --events-a-month 10000000 --customers 200000 [--live-share 0.5] [--lookups-a-month 1000000]
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from operations.stack import BAD_INPUT, say

USAGE_FILE = Path(__file__).with_name("usage.json")
"""What the work uses by the piece, as `make bench OPTIONS=--usage` measured it."""
PRICES_FILE = Path(__file__).with_name("prices.toml")

DAYS_A_MONTH = 365.25 / 12
BATCH = 10
"""Messages that an invocation takes in where enough are waiting."""
REQUEST_SECONDS = 0.005
"""How long a request to DynamoDB, S3 or SQS is waited for, about."""
INTAKE_GB, API_GB = 1_769 / 1_024, 1.0
"""Memory of the functions that take events in, whose processor it is that `usage.json` measured, and of the others."""
API_SECONDS = 0.01
"""Processor time of a request to the API, from the event to the answer."""
LOG_BYTES = 1_500
"""That an invocation logs, its metrics and Lambda's own lines included."""
TRACED = 0.05
"""Of requests, X-Ray's own sampling."""
ARCHIVED_BYTES = 60
"""Of a live event, as the archive keeps it compressed, for a year."""
MOVE_UNITS = 2 * 3
"""Of a move: its row and two sizes in one transaction, which costs twice."""
UNIT_BYTES = 1_024
SHARDS, LOOK_MINUTES = 16, 5
"""Of the index of who is due, and how often it is looked at."""
METRICS = 30
"""That functions count into, about."""
TEMPLATE = Path(__file__).parents[1] / "template.yaml"
STANDING = (
    ("cloudwatch", "alarms", "AWS::CloudWatch::Alarm"),
    ("cloudwatch", "dashboards", "AWS::CloudWatch::Dashboard"),
    ("secrets_manager", "secrets", "AWS::SecretsManager::Secret"),
)
"""What the template has of these is paid for whatever happens."""

type Use = tuple[str, str, float]
"""How much of a thing with a price: the service, what of it, and the quantity."""


@dataclass(frozen=True)
class Shop:
    """What happens in a month."""

    events: float
    customers: float
    live_share: float = 0.0
    """Of the events, those that come one by one while they happen; the others come in files."""
    events_a_call: float = 1.0
    """Live events in one request."""
    files: float = 24 * DAYS_A_MONTH
    lookups: float = 0.0
    events_an_update: float | None = None
    """Of one customer in one file; as measured, of files of a day, where it is None."""


@dataclass(frozen=True)
class Line:
    """What one thing costs."""

    service: str
    quantity: float
    unit: str
    dollars: float


def uses(shop: Shop, usage: Mapping[str, Any]) -> Iterator[Use]:
    """All that is paid for in a month; the same thing may come more than once."""
    yield from _files(shop, usage)
    yield from _live(shop, usage)
    yield from _time(shop, usage)
    yield from _lookups(shop)
    yield from _kept(shop, usage)


def naive(shop: Shop, usage: Mapping[str, Any]) -> Iterator[Use]:
    """The same by one invocation, one read and one write of the whole profile for every event, look-ups as ours.

    What is read and written is as large as a profile of ours, which is smaller than JSON; no decision is made.
    """
    yield from _called(shop.events, API_SECONDS + 2 * REQUEST_SECONDS)
    yield "dynamodb", "reads", shop.events * -(-usage["profile_bytes"] // (4 * UNIT_BYTES))
    yield "dynamodb", "writes", shop.events * -(-usage["profile_bytes"] // UNIT_BYTES)
    yield "dynamodb", "storage", shop.customers * usage["profile_bytes"] / 1e9
    yield "api_gateway", "requests", shop.events * shop.live_share / shop.events_a_call
    yield from _lookups(shop)


def priced(used: Iterable[Use], prices: Mapping[str, Any]) -> list[Line]:
    """What that costs, the dearest first."""
    amounts: defaultdict[tuple[str, str], float] = defaultdict(float)
    for service, what, amount in used:
        amounts[service, what] += amount
    lines = [
        Line(f"{service}: {what}", amount, prices[service][what]["unit"], amount * prices[service][what]["each"])
        for (service, what), amount in amounts.items()
        if amount
    ]
    return sorted(lines, key=lambda line: -line.dollars)


def platform_fee(customers: float, platform: Mapping[str, Any]) -> float:
    """What a platform with a list price takes a month for tracking so many users."""
    fee, from_users = float(platform["fee"]), float(platform["included"])
    for tier in platform["tiers"]:
        fee += max(0.0, min(customers, tier["until"]) - from_users) * tier["each"]
        from_users = max(from_users, tier["until"])
    return fee


def _files(shop: Shop, usage: Mapping[str, Any]) -> Iterator[Use]:
    events = shop.events * (1 - shop.live_share)
    if not events:
        return
    measured = usage["file"]
    updates = events / (shop.events_an_update or measured["events_an_update"])
    yield from _updates(updates, measured)
    yield from _invoked(shop.files, INTAKE_GB, updates * measured["milliseconds"] / 1_000)
    yield "s3", "gets", shop.files
    yield "s3", "puts", shop.files
    yield "sqs", "requests", 3 * shop.files


def _live(shop: Shop, usage: Mapping[str, Any]) -> Iterator[Use]:
    events = shop.events * shop.live_share
    measured = usage["live"]
    calls = events / shop.events_a_call
    batches = calls / BATCH
    updates = events / measured["events_an_update"]
    waited = batches * (measured["requests_a_batch"] + 3) * REQUEST_SECONDS
    yield "api_gateway", "requests", calls
    yield from _called(calls, API_SECONDS + REQUEST_SECONDS)
    yield "sqs", "requests", calls + 2 * batches  # sent one by one; received and deleted by the batch
    yield from _invoked(batches, INTAKE_GB, updates * measured["milliseconds"] / 1_000 + waited)
    yield from _updates(updates, measured)
    # Of each person that a batch names: whether they refused, and where their lines are kept.
    yield "dynamodb", "reads", updates
    yield "dynamodb", "writes", updates
    yield "s3", "puts", batches
    yield "s3", "storage", 12 * events * ARCHIVED_BYTES / 1e9


def _time(shop: Shop, usage: Mapping[str, Any]) -> Iterator[Use]:
    """Those whose decisions change because time goes by: read, decided on and written, with their new day."""
    due = shop.customers * usage["due_a_day"] * DAYS_A_MONTH
    looks = DAYS_A_MONTH * 24 * 60 / LOOK_MINUTES
    yield from _invoked(looks, INTAKE_GB, due * usage["file"]["milliseconds"] / 1_000)
    yield "dynamodb", "reads", due + looks * SHARDS / 2
    yield "dynamodb", "writes", due * (-(-usage["head_bytes"] // UNIT_BYTES) + 2)
    yield from _moves(due * usage["file"]["moved"])


def _lookups(shop: Shop) -> Iterator[Use]:
    yield "api_gateway", "requests", shop.lookups
    yield from _called(shop.lookups, API_SECONDS + REQUEST_SECONDS)
    yield "dynamodb", "reads", shop.lookups / 2


def _kept(shop: Shop, usage: Mapping[str, Any]) -> Iterator[Use]:
    """Profiles, and what a stack has whatever happens."""
    yield "dynamodb", "storage", shop.customers * usage["profile_bytes"] / 1e9
    template = TEMPLATE.read_text()
    for service, what, kind in STANDING:
        yield service, what, len(re.findall(rf"Type: {kind}\b", template))
    yield "cloudwatch", "metrics", METRICS


def _updates(updates: float, measured: Mapping[str, Any]) -> Iterator[Use]:
    yield "dynamodb", "reads", updates * measured["read_units"]
    yield "dynamodb", "writes", updates * (measured["write_units"] + measured["index_units"])
    yield from _moves(updates * measured["moved"])


def _moves(moves: float) -> Iterator[Use]:
    """Moves between segments leave through the table's stream, one by one in the ledger and on the bus."""
    yield from _invoked(moves / BATCH, API_GB, moves * 2 * REQUEST_SECONDS)
    yield "dynamodb", "writes", moves * MOVE_UNITS
    yield "eventbridge", "events", moves


def _called(calls: float, seconds_each: float) -> Iterator[Use]:
    return _invoked(calls, API_GB, calls * seconds_each)


def _invoked(invocations: float, gigabytes: float, seconds: float) -> Iterator[Use]:
    """Invocations that take so many seconds in all."""
    yield "lambda", "requests", invocations
    yield "lambda", "compute", seconds * gigabytes
    yield "cloudwatch", "logs", invocations * LOG_BYTES / 1e9
    yield "xray", "traces", invocations * TRACED


def main(arguments: Sequence[str] | None = None, prog: str = "python -m operations.cost") -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog=prog, description="Reckon what a month costs, service by service.")
    amount = partial(parser.add_argument, metavar="N")
    amount("--events-a-month", type=at_least_0, required=True)
    amount("--customers", type=at_least_0, required=True, help="whose profiles are kept")
    amount("--live-share", type=_share, default=0.0, help="of events, those sent as they happen; default: 0")
    amount("--events-a-call", type=above_0, default=1.0, help="live events in one request; default: 1")
    amount("--files-a-month", type=above_0, default=24 * DAYS_A_MONTH, help="default: one an hour")
    amount("--lookups-a-month", type=at_least_0, default=0.0, help="default: 0")
    amount("--events-an-update", type=above_0, help="of one customer in one file; default: as measured")
    parser.add_argument("--prices", type=Path, default=PRICES_FILE, help="prices of your region; default: %(default)s")
    parser.add_argument("--json", action="store_true", help="the same for programs")
    given = parser.parse_args(arguments)
    shop = Shop(
        given.events_a_month,
        given.customers,
        given.live_share,
        given.events_a_call,
        given.files_a_month,
        given.lookups_a_month,
        given.events_an_update,
    )
    try:
        prices = tomllib.loads(given.prices.read_text())
        usage = json.loads(USAGE_FILE.read_bytes())
        ours, theirs = priced(uses(shop, usage), prices), priced(naive(shop, usage), prices)
        fee = platform_fee(shop.customers, prices["platform"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.stderr.write(f"error: {given.prices} has not all prices: {' '.join(str(error).split())}\n")
        return BAD_INPUT
    if given.json:
        say(json.dumps(_summary(ours, theirs, fee, shop) | {"lines": [asdict(line) for line in ours]}, indent=2))
    else:
        say(*_report(ours, theirs, fee, shop, prices, usage))
    return 0


def _summary(ours: Sequence[Line], theirs: Sequence[Line], fee: float, shop: Shop) -> dict[str, float]:
    total, other = (sum(line.dollars for line in lines) for lines in (ours, theirs))
    return {
        "total": round(total, 2),
        "a_thousand_customers": round(1_000 * total / shop.customers, 4) if shop.customers else 0.0,
        "a_call_a_read_and_a_write_for_each_event": round(other, 2),
        "share_of_it": round(total / other, 4) if other else 0.0,
        "platform": round(fee, 2),
    }


def _report(
    ours: Sequence[Line],
    theirs: Sequence[Line],
    fee: float,
    shop: Shop,
    prices: Mapping[str, Any],
    usage: Mapping[str, Any],
) -> list[str]:
    summary = _summary(ours, theirs, fee, shop)
    lines = [f"{line.service:<28} {line.quantity:>18,.1f} {line.unit:<36} ${line.dollars:>12,.2f}" for line in ours]
    return [
        *lines,
        f"{'a month':<28} {'':>18} {'':<36} ${summary['total']:>12,.2f}",
        "",
        f"${summary['a_thousand_customers']:,.4f} a thousand customers",
        f"${summary['a_call_a_read_and_a_write_for_each_event']:,.2f} with one invocation, one read and one write for"
        f" each event: ours is {summary['share_of_it']:.1%} of it, decisions included",
        f"${fee:,.2f}: {prices['platform']['name']}, for as many tracked users",
        f"Prices of {prices['region']} as of {prices['as_of']}, without free tiers; what an update uses was measured on"
        f" {usage['measured']} on {usage['of']}.",
    ]


def at_least_0(text: str) -> float:
    """A number of an option, thousands parted as you like."""
    value = float(text.replace(",", "").replace("_", ""))
    if not 0 <= value < 1e15:
        raise argparse.ArgumentTypeError(f"{text} is no number from 0")
    return value


def above_0(text: str) -> float:
    """The same, and not 0."""
    if not (value := at_least_0(text)):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def _share(text: str) -> float:
    if (value := at_least_0(text)) > 1:
        raise argparse.ArgumentTypeError(f"{text} is no share from 0 to 1")
    return value


if __name__ == "__main__":
    sys.exit(main())
