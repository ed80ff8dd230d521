"""Says whether campaigns helped: of event files with exposures, or of a stack as it measured last.

python -m tessera.results --events PATH [PATH …] [--campaign NAME …] [--by ATTRIBUTE | --model DIR]
python -m tessera.results [--stack NAME | --bucket NAME] [--campaign NAME …]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import msgspec
import numpy as np
from botocore.exceptions import BotoCoreError, ClientError

from operations.stack import DeployedStack, OperationError
from shared.aws.fresh_object import ABSENT
from shared.experiments.assignment import Planned
from shared.experiments.document import document
from shared.experiments.histories import LONGEST_WINDOW_DAYS, Experiments, Exposed
from shared.experiments.results import LEAST_EFFECT, Look
from shared.experiments.trial import Cost
from shared.features import Profiles
from shared.insight.layout import LATEST_RESULTS
from shared.models.bundle import Bundle
from tessera.result_words import in_words
from training.base import command
from training.base.errors import InputError
from training.data.events import read_events

AT_ONCE = 20_000
"""Customers whose features are held at a time."""
MOST_VALUES = 50
"""Of an attribute that segments are made of."""


def main(arguments: Sequence[str] | None = None, prog: str = "python -m tessera.results") -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog=prog, description="Say whether campaigns helped, beside their control groups."
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--events", nargs="+", type=Path, metavar="PATH", help="event files or folders, with exposures")
    source.add_argument("--bucket", metavar="NAME", help="a stack's data bucket: what was measured there last")
    source.add_argument("--stack", default="tessera", metavar="NAME", help="the stack's name; default: %(default)s")
    parser.add_argument("--campaign", nargs="+", default=[], metavar="NAME", help="only these campaigns or audiences")
    parser.add_argument("--json", action="store_true", help="the whole document, as the API answers it")
    offline = parser.add_argument_group("with --events")
    offline.add_argument("--as-of", metavar="TIMESTAMP", help="only events before it count; the end of the data else")
    offline.add_argument(
        "--window",
        type=float,
        default=LONGEST_WINDOW_DAYS,
        metavar="DAYS",
        help="days from the first exposure in which counts what happens, at most; default: %(default)s, and fewer where"
        " the events end before half of the exposed have had them",
    )
    offline.add_argument(
        "--holdout",
        action="append",
        default=[],
        metavar="[NAME=]SHARE",
        help="the share of customers that was to be held back, of one campaign or of all; else the usual share nearest"
        " to what came of it",
    )
    by = offline.add_mutually_exclusive_group()
    by.add_argument("--by", metavar="ATTRIBUTE", help="effects by an attribute, as it was known at the exposure")
    by.add_argument("--model", type=Path, metavar="DIR", help="effects by the segment at the exposure, of this model")
    offline.add_argument(
        "--least-effect",
        type=float,
        default=LEAST_EFFECT,
        metavar="SHARE",
        help="of what the control group does, the effect that is worth it; default: %(default)s",
    )
    offline.add_argument("--cost", type=float, metavar="AMOUNT", help="of one contact, for the return on cost")
    offline.add_argument("--margin", type=float, metavar="SHARE", help="of revenue that is left of it")
    command.add_mapping(parser)
    return command.run(parser, _run, arguments)


def _run(given: argparse.Namespace) -> int:
    measured = _measured(given) if given.events else _reported(given)
    if given.campaign:
        known = {result["campaign"] for result in measured["results"]}
        if unknown := sorted(set(given.campaign) - known):
            raise InputError(
                f"nobody was exposed to {', '.join(unknown)}; there are {', '.join(sorted(known)) or 'none'}"
            )
        measured = {
            **measured,
            "results": [result for result in measured["results"] if result["campaign"] in given.campaign],
        }
    if given.json:
        command.say(json.dumps(measured, indent=2))
    else:
        command.say(*(command.printable(line) for line in in_words(measured)))
    return 0


# ---- Of a stack ------------------------------------------------------------------------------------------------------


def _reported(given: argparse.Namespace) -> dict[str, Any]:
    """What the stack measured last. Raises InputError where it never did."""
    try:
        bucket = given.bucket or DeployedStack(given.stack).resource("DataBucket")
        body = boto3.client("s3").get_object(Bucket=bucket, Key=LATEST_RESULTS)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] in ABSENT:
            raise InputError(f"{bucket} has no results yet: they are measured after each night's export") from error
        raise InputError(str(error)) from error
    except (OperationError, BotoCoreError) as error:
        raise InputError(str(error)) from error
    content: dict[str, Any] = json.loads(body)
    return content


# ---- Of event files --------------------------------------------------------------------------------------------------


def _measured(given: argparse.Namespace) -> dict[str, Any]:
    if not given.window >= 1:
        raise InputError("--window is a number of days, 1 at least")
    as_of_ms = command.timestamp(given.as_of) if given.as_of else None
    read = read_events(given.events, as_of_ms=as_of_ms, translator=command.translator(given))
    sys.stderr.writelines(f"{command.printable(line)}\n" for line in read.summary())
    profiles = read.profiles
    as_of_ms = as_of_ms if as_of_ms is not None else int(profiles.rows.time_ms.max()) + 1
    experiments = Experiments(profiles, as_of_ms)
    bundle = Bundle.load(given.model) if given.model else None
    planned, cost = _planned(given.holdout), _cost(given)
    trials = []
    for campaign in experiments.campaigns:
        exposed = experiments.exposed(campaign)
        if bundle is not None:
            segments: Sequence[str | None] | None = _decided(profiles, exposed, bundle)
        else:
            segments = _attribute(profiles, exposed, given.by) if given.by else None
        trial = experiments.trial(campaign, given.window, segments)
        trials.append(replace(trial, planned=planned.get(campaign, planned.get("")), cost=cost))
    return document(trials, Look(as_of_ms, given.least_effect), None)


def _planned(options: Sequence[str]) -> dict[str, Planned]:
    """The planned shares by campaign; of no name for all others. Raises InputError."""
    planned = {}
    for option in options:
        name, _, share = option.rpartition("=")
        try:
            control = float(share)
        except ValueError:
            control = 0.0
        if not 0 < control < 1:
            raise InputError(f'--holdout "{option}" is no share between 0 and 1, such as 0.1 or win_back=0.1')
        planned[name] = Planned(control, "given")
    return planned


def _cost(given: argparse.Namespace) -> Cost | None:
    if given.cost is None and given.margin is None:
        return None
    if given.cost is None or given.margin is None:
        raise InputError("--cost and --margin go together")
    if not (given.cost >= 0 and 0 <= given.margin <= 1):
        raise InputError("--cost is an amount, and --margin a share between 0 and 1")
    return Cost(given.cost, given.margin)


def _decided(profiles: Profiles, exposed: Exposed, bundle: Bundle) -> list[str | None]:
    """The segment that each of the exposed was in at that time; None of those who had done nothing before."""
    names = {segment["id"]: str(segment["name"]) for segment in bundle.manifest["segments"]}
    segments: list[str | None] = []
    for begin in range(0, len(exposed.at), AT_ONCE):
        part = profiles.take(exposed.at[begin : begin + AT_ONCE])
        instants = exposed.first_ms[begin : begin + AT_ONCE]
        decided = bundle.decide(bundle.features_at(part, instants)).segment.tolist()
        known = part.first_event_ms < instants
        segments += [names[segment] if is_known else None for segment, is_known in zip(decided, known, strict=True)]
    return segments


def _attribute(profiles: Profiles, exposed: Exposed, name: str) -> list[str | None]:
    """What an attribute of each of the exposed was, as far as it was said before the exposure. Raises InputError."""
    attributes = profiles.attributes
    if name not in attributes.names:
        raise InputError(f'no customer has an attribute "{name}"; there are {", ".join(attributes.names) or "none"}')
    own = attributes.where(attributes.name == attributes.names.index(name))
    position = np.full(len(profiles), -1)
    position[exposed.at] = np.arange(len(exposed.at))
    segments: list[str | None] = [None] * len(exposed.at)
    for owner, _, time_ms, value in own.entries():
        at = int(position[owner])
        if at >= 0 and time_ms <= exposed.first_ms[at]:
            text = msgspec.json.decode(value)
            segments[at] = text if isinstance(text, str) else value
    if len(set(segments)) > MOST_VALUES:
        raise InputError(f'"{name}" has more than {MOST_VALUES} values, which are too many to compare')
    return segments


if __name__ == "__main__":
    sys.exit(main())
