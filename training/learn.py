"""Trains on what is stored and publishes the bundle only if it is better than the live one; says why, either way.

Each step may be cut off, and the command given again: what was decided on a snapshot is not decided anew.

python -m training.learn --bucket NAME [--bus NAME] [--config FILE] [--least-gain SHARE] [--margin SHARE] [--again]
    [--engine memory|spark] [--spark-from CUSTOMERS --application ID --job-role ARN]
python -m training.learn --bucket NAME --install
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import msgspec
import pyarrow.compute as pc
from botocore.exceptions import ClientError

from shared.aws.fresh_object import is_absent
from shared.decisions.decision import iso
from shared.models.bundle import Bundle, BundleMismatch
from training.base import command
from training.base.config import Config
from training.base.errors import InputError
from training.bundle import gate
from training.bundle.contest import MARGIN, Comparison
from training.data.stored import Snapshot, latest_day, latest_snapshot
from training.engines import options
from training.engines.engine import Engine
from training.engines.stored import OpenStored
from training.publish import against
from training.registry.jobs import Jobs
from training.registry.packed import pack
from training.registry.published import Registry, connect
from training.registry.source import SOURCE_KEY, install
from training.score import scores
from training.segmentation.matching import S3, load_previous
from training.train import train_on

if TYPE_CHECKING:
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

LEAST_GAIN = 0.01
"""How much better a bundle has to be: a share of how far the live one's figures are from chance, or from no error."""
SURE = 3.0
"""Standard errors by which it has to be so: a shop of few customers would change its model every other night."""
REPORTS = "reports/learning/"
DECIDED = ("segment_name", "intent", "action")
LEARNED, KEPT = "Model Learned", "Model Kept"
"""What is told on the bus."""
TOLD = "told"
"""Field of a report: the bus that was told of it, or none yet."""


@dataclass(frozen=True)
class Verdict:
    """Whether a bundle is to be published, and why."""

    publish: bool
    why: str
    gains: Mapping[str, float] = field(default_factory=dict)
    """By target, how much better it is than the live one: the mean over the figures that both have."""
    errors: Mapping[str, float] = field(default_factory=dict)
    """Standard errors of these."""


def judge(comparisons: Sequence[Comparison], live_id: str | None, own_id: str, least_gain: float) -> Verdict:
    """A bundle beside the live one: nowhere worse than allowed, and better on the whole."""
    if live_id is None:
        return Verdict(True, "nothing was live before")
    if live_id == own_id:
        return Verdict(True, "it is the live bundle already")
    judged = [one for one in comparisons if one.ours]
    gains = {one.target: one.gain for one in judged}
    errors = {one.target: one.error for one in judged}
    worse = [failure for one in comparisons for failure in one.failures]
    if worse:
        return Verdict(False, f"it is worse: {'; '.join(worse)}", gains, errors)
    many = max(1, len(judged))
    on_the_whole = sum(gains.values()) / many
    # As if all targets were right or wrong together: they are judged on the same customers.
    by_chance = SURE * sum(errors.values()) / many
    why = f"{on_the_whole:+.2%} on the whole, of which {by_chance:.2%} may be chance"
    why += f", where {least_gain:.2%} are asked for"
    return Verdict(on_the_whole - by_chance >= least_gain, why, gains, errors)


def learn(
    registry: Registry, stored: OpenStored, config: Config | None, least_gain: float, margin: float
) -> dict[str, Any]:
    """Trains on the latest snapshot and publishes what is better; the report, which stands in the bucket then too.

    Without a `config` it is trained as the live bundle was. Raises InputError and Refused.
    """
    snapshot = latest_snapshot(registry.bucket)
    live = registry.live()
    with tempfile.TemporaryDirectory() as place, stored(snapshot) as engine:
        folder = Path(place)
        previous = load_previous(S3 + registry.bucket)
        train_on(engine, folder, None, config or _config_of(previous), previous)
        bundle, parity = gate.run(folder)
        comparisons = against(registry, live, bundle, folder, margin)
        verdict = judge(comparisons, live.bundle_id, bundle.bundle_id, least_gain)
        if verdict.publish and live.bundle_id != bundle.bundle_id:
            registry.upload(folder, bundle.bundle_id)
            compared = {comparison.target: comparison.as_dict() for comparison in comparisons}
            registry.switch(live, bundle.bundle_id, compared=compared, learned=verdict.why)
        would_change = _shadowed(engine, snapshot.as_of_ms, previous, bundle)
    report = {
        "snapshot": snapshot.date,
        "customers": snapshot.customers,
        "learned_at": iso(int(datetime.now(UTC).timestamp()) * 1_000),
        "bundle_id": bundle.bundle_id,
        "live_before": live.bundle_id,
        **asdict(verdict),
        "gate": str(parity),
        "compared": {comparison.target: comparison.as_dict() for comparison in comparisons},
        "would_change": would_change,
        TOLD: None,
    }
    _keep(registry, report)
    return report


def _keep(registry: Registry, report: Mapping[str, Any]) -> None:
    body = json.dumps(report, indent=2).encode()
    key = report_key(report["snapshot"])
    registry.s3.put_object(Bucket=registry.bucket, Key=key, Body=body, ContentType="application/json")


def report_key(date: str) -> str:
    """Where the report on the snapshot of a date stands."""
    return f"{REPORTS}{date}.json"


def _config_of(live: Bundle | None) -> Config:
    try:
        return Config() if live is None else msgspec.convert(live.manifest["config"], Config)
    except (KeyError, msgspec.ValidationError) as error:
        raise InputError(
            f"how {live and live.bundle_id} was trained is not known to this release: give --config"
        ) from error


def _shadowed(engine: Engine, as_of_ms: int, live: Bundle | None, bundle: Bundle) -> dict[str, float]:
    """The share of the customers for whom something is decided otherwise than by the live bundle."""
    if live is None:
        return {}
    customers = 0
    changed = dict.fromkeys(DECIDED, 0)
    try:
        for before, now in zip(*(scores(engine, each, as_of_ms) for each in (live, bundle)), strict=True):
            customers += len(now)
            for name in DECIDED:
                changed[name] += pc.sum(pc.not_equal(before[name], now[name])).as_py() or 0
    except BundleMismatch:
        return {}
    return {name: round(count / customers, 6) for name, count in changed.items()}


def tell(registry: Registry, bus: str, report: Mapping[str, Any]) -> None:
    """Says on the bus what came of it, unless it was said before: at least once, whatever breaks off in between."""
    if report.get(TOLD, bus) is None:
        _announce(bus, report)
        _keep(registry, {**report, TOLD: bus})


def _announce(bus: str, report: Mapping[str, Any]) -> None:
    detail = {name: report[name] for name in ("snapshot", "bundle_id", "live_before", "publish", "why", "gains")}
    entry: PutEventsRequestEntryTypeDef = {
        "Source": "tessera",
        "DetailType": LEARNED if report["publish"] else KEPT,
        "Detail": json.dumps(detail),
        "EventBusName": bus,
    }
    answer = boto3.client("events").put_events(Entries=[entry])
    if answer["FailedEntryCount"]:
        raise InputError(f"bus {bus} did not take the news: {answer['Entries'][0].get('ErrorCode')}; run it again")


def main(arguments: Sequence[str] | None = None, prog: str = "python -m training.learn") -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog=prog, description="Train on what is stored, and publish what is better.")
    parser.add_argument("--bucket", required=True, metavar="NAME", help="the stack's data bucket")
    parser.add_argument("--bus", metavar="NAME", help="the event bus to tell of what came of it")
    parser.add_argument("--config", type=Path, metavar="FILE", help="options of training; default: the live bundle's")
    parser.add_argument(
        "--least-gain",
        type=float,
        default=LEAST_GAIN,
        metavar="SHARE",
        help="how much better it has to be on the whole; default: %(default)s",
    )
    parser.add_argument(
        "--margin",
        type=float,
        default=MARGIN,
        metavar="SHARE",
        help="share of a live figure that a figure may be worse by all the same; default: %(default)s",
    )
    options.add_stored_engine(parser)
    parser.add_argument(
        "--spark-from",
        type=int,
        default=0,
        metavar="CUSTOMERS",
        help="from so many customers on, have it done by a job of EMR Serverless; default: never",
    )
    parser.add_argument("--application", metavar="ID", help="of EMR Serverless, for --spark-from")
    parser.add_argument("--job-role", metavar="ARN", help="role whose rights the job has, for --spark-from")
    parser.add_argument("--again", action="store_true", help="although this snapshot was learned from before")
    parser.add_argument("--install", action="store_true", help="only put there what the stack itself trains with")
    return command.run(parser, _run, arguments)


def _run(arguments: argparse.Namespace) -> None:
    with connect(arguments.bucket) as registry:
        if arguments.install:
            command.say(f"{SOURCE_KEY}: {install(registry):,} bytes, with which the stack trains from now on")
            return
        report = None if arguments.again else _done(registry)
        if report:
            command.say(f"the snapshot of {report['snapshot']} was learned from before: {report['why']}")
        else:
            report = _learned(registry, arguments)
            became = "is live" if report["publish"] else f"is not published, {report['live_before']} stays live"
            command.say(f"{report['bundle_id']} {became}: {report['why']}")
        if arguments.bus:
            tell(registry, arguments.bus, report)


def _learned(registry: Registry, arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.spark_from:
        snapshot = latest_snapshot(registry.bucket)
        if snapshot.customers >= arguments.spark_from:
            return _by_job(registry, snapshot, arguments)
    config = Config.load(arguments.config) if arguments.config else None
    return learn(registry, options.stored(arguments), config, arguments.least_gain, arguments.margin)


def _by_job(registry: Registry, snapshot: Snapshot, arguments: argparse.Namespace) -> dict[str, Any]:
    """The report of a job that does what this command would, but for telling of it: EMR Serverless reaches no bus."""
    if not (arguments.application and arguments.job_role):
        raise InputError("--spark-from needs --application and --job-role")
    if arguments.config:
        raise InputError("--config is a file of this machine: a job trains as the live bundle was trained")
    command.say(f"{snapshot.customers:,} customers of the snapshot of {snapshot.date} are for Spark")
    same = [f"--bucket={registry.bucket}", f"--least-gain={arguments.least_gain}", f"--margin={arguments.margin}"]
    same += ["--again"] if arguments.again else []
    jobs = Jobs(arguments.application, arguments.job_role)
    jobs.run(f"learn-{snapshot.date}", pack(registry), ["learn", *same, f"--engine={options.SPARK}"])
    report = _done(registry)
    if report is None:
        raise InputError(f"the job left no report on the snapshot of {snapshot.date}: give the command again")
    return report


def _done(registry: Registry) -> dict[str, Any] | None:
    """The report on the latest snapshot, if there is one."""
    key = report_key(latest_day(registry.s3, registry.bucket))
    try:
        report: dict[str, Any] = json.loads(registry.s3.get_object(Bucket=registry.bucket, Key=key)["Body"].read())
    except ValueError:
        return None  # a report that cannot be read tells of nothing that was decided
    except ClientError as error:
        if is_absent(registry.s3, registry.bucket, key, error):
            return None
        raise
    return report


if __name__ == "__main__":
    sys.exit(main())
