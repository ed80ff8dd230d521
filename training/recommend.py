"""Trains recommendations, says how good they are, publishes them, and puts earlier ones back.

python -m training.recommend --events PATH [PATH …] --out DIR [--as-of TIMESTAMP] [--catalogue FILE] [--model DIR]
python -m training.recommend --out DIR --publish --bucket NAME [--force-reason TEXT]
python -m training.recommend --rollback --bucket NAME [--to VERSION]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import boto3
import numpy as np
from botocore.exceptions import BotoCoreError, ClientError
from numpy.typing import NDArray

from shared.aws.versioned_document import EditedMeanwhile, NoSuchVersion
from shared.decisions.decision import iso
from shared.features import Profiles
from shared.models.bundle import Bundle
from shared.recommending import publishing
from shared.recommending.layout import FILE, REPORT, Publication
from shared.recommending.recommender import LONGEST_TEXT, NoRecommender, Recommender
from training.base import command
from training.base.errors import InputError, Refused
from training.data.events import EventFiles, read_events
from training.prediction.targets import known_at
from training.recommending.building import Assortment
from training.recommending.catalogue_file import read_catalogue
from training.recommending.training import Shop, Trained, encoded, table, train

CHUNK = 20_000
"""Customers who are decided on at a time."""


def main(arguments: Sequence[str] | None = None, prog: str = "python -m training.recommend") -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog=prog, description="Train recommendations, judge and publish them.")
    parser.add_argument("--events", nargs="+", type=Path, metavar="PATH", help="event files or folders to train from")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for what is trained, or of what to publish")
    parser.add_argument(
        "--as-of", metavar="TIMESTAMP", help="only events before it count; default: the end of the data"
    )
    parser.add_argument("--test-from", metavar="TIMESTAMP", help="judge on the days from here on; default: the last 30")
    parser.add_argument(
        "--catalogue", type=Path, metavar="FILE", help="CSV, NDJSON or Parquet: only what is in it is shown"
    )
    parser.add_argument(
        "--model", type=Path, metavar="DIR", help="folder that training wrote, for segments' favourites"
    )
    parser.add_argument("--publish", action="store_true", help="make what is in --out live in --bucket")
    parser.add_argument("--rollback", action="store_true", help="make an earlier recommender live again in --bucket")
    parser.add_argument("--bucket", metavar="NAME", help="the stack's data bucket")
    parser.add_argument("--to", type=int, metavar="VERSION", help="of --rollback; default: the one before the live one")
    parser.add_argument(
        "--force-reason", default="", metavar="TEXT", help="publish even what was judged worse than others"
    )
    command.add_mapping(parser)
    return command.run(parser, _run, arguments)


def _run(arguments: argparse.Namespace) -> None:
    if (arguments.publish or arguments.rollback) and not arguments.bucket:
        raise InputError("--bucket says where to publish")
    if not (arguments.events or arguments.publish or arguments.rollback):
        raise InputError("--events says what to train from; --publish and --rollback go by --bucket")
    if (arguments.events or arguments.publish) and not arguments.out:
        raise InputError("--out names the folder of the recommender")
    if arguments.rollback:
        _on_aws(arguments.bucket, lambda: _put_back(arguments))
        return
    if arguments.events:
        _train(arguments)
    if arguments.publish:
        _on_aws(arguments.bucket, lambda: _publish(arguments))


def _train(arguments: argparse.Namespace) -> None:
    as_of_ms = None if arguments.as_of is None else command.timestamp(arguments.as_of)
    test_ms = None if arguments.test_from is None else command.timestamp(arguments.test_from)
    bundle = Bundle.load(arguments.model) if arguments.model else None
    currency = (bundle.manifest["currency"] or "") if bundle else ""
    read = read_events(arguments.events, currency, as_of_ms, command.translator(arguments), product_ids=True)
    command.say(*read.summary())
    as_of_ms = int(read.profiles.rows.time_ms.max()) + 1 if as_of_ms is None else as_of_ms
    trained = train(_shop(read, arguments.catalogue, bundle), as_of_ms, test_ms)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / FILE).write_bytes(trained.recommender.to_bytes())
    (arguments.out / REPORT).write_bytes(encoded(trained.report()))
    command.say(*_summary(trained, arguments.out))


def _summary(trained: Trained, out: Path) -> list[str]:
    known = trained.recommender
    shown = f"{int(known.products.available.sum()):,} products may be recommended, {len(known.products):,} are known"
    lines = [*table(trained.evaluation), ""] if trained.evaluation else ["Too few events to judge by."]
    if trained.is_plain:
        lines.append("On the days before, what was learned hit no more: lists go by how often things are bought.")
    return [*lines, f"{known.recommender_id} as of {iso(known.as_of_ms)} is in {out}: {shown}"]


def _shop(read: EventFiles, catalogue: Path | None, bundle: Bundle | None) -> Shop:
    entries, categories = read_catalogue(catalogue) if catalogue else ({}, {})
    ids = {code: one for code, one in read.product_ids.items() if one and len(one.encode()) <= LONGEST_TEXT}
    for code, entry in entries.items():
        if ids.get(code, entry.product_id) != entry.product_id or read.product_ids.get(code) == "":
            raise InputError(f"{catalogue}: a product_id cannot be told from another of the events: rename it")
        ids[code] = entry.product_id
    shop = Shop(read.profiles, Assortment(ids, entries), {**read.profiles.category_names, **categories})
    if bundle is None:
        return shop
    names = {segment["id"]: segment["name"] for segment in bundle.manifest["segments"]}
    return Shop(
        shop.profiles, shop.assortment, shop.category_names, _decided(read.profiles, bundle), names, bundle.bundle_id
    )


def _decided(profiles: Profiles, bundle: Bundle) -> Callable[[int], NDArray[np.int64]]:
    def segments(as_of_ms: int) -> NDArray[np.int64]:
        segment = np.full(len(profiles), -1)
        known = np.flatnonzero(known_at(profiles, as_of_ms))
        for begin in range(0, len(known), CHUNK):
            at = known[begin : begin + CHUNK]
            segment[at] = bundle.decide(bundle.features_at(profiles.take(at), as_of_ms)).segment
        return segment

    return segments


def _publish(arguments: argparse.Namespace) -> None:
    content, report = ((arguments.out / name).read_bytes() for name in (FILE, REPORT))
    try:
        Recommender.from_bytes(content)
        judged = (json.loads(report)["evaluation"] or {}).get("all", {}).get("ahead_of_the_best", {})
        behind = bool(judged) and judged["precision"][2] < 0
    except (NoRecommender, KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        raise Refused(f"{arguments.out} holds no whole recommender: {error}") from None
    if behind and not arguments.force_reason:
        raise Refused("it was judged worse than the best of the baselines (--force-reason excuses it)")
    live = publishing.publish(boto3.client("s3"), arguments.bucket, content, report, _why(arguments.force_reason))
    command.say(f"{live.recommender_id} is live in {arguments.bucket} as version {live.version}")


def _put_back(arguments: argparse.Namespace) -> None:
    live = publishing.put_back(boto3.client("s3"), arguments.bucket, _why(arguments.force_reason), arguments.to)
    command.say(f"{live.recommender_id} is live in {arguments.bucket} again, as version {live.version}")


def _why(text: str) -> Publication:
    who = boto3.client("sts").get_caller_identity()["Arn"]
    return Publication(0, "", "", iso(round(datetime.now(UTC).timestamp()) * 1_000), who, text[:1_000])


def _on_aws(bucket: str, work: Callable[[], None]) -> None:
    try:
        work()
    except (BotoCoreError, ClientError) as error:
        raise InputError(f"bucket {bucket}: {error}") from error
    except NoSuchVersion as error:
        raise InputError(str(error)) from None
    except EditedMeanwhile:
        raise InputError("others are publishing recommenders just now; try again") from None
    except ValueError as error:
        raise InputError(f"recommenders/current.json: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
