"""Makes a trained bundle the live one, once it has passed the gate.

python -m training.publish --model DIR --bucket NAME [--force-reason TEXT] [--margin SHARE]
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from shared.models.bundle import Bundle, BundleMismatch
from shared.models.switching import FILES, Live
from training.base import command
from training.base.errors import InputError, Refused
from training.bundle import gate
from training.bundle.contest import MARGIN, Comparison, contest
from training.prediction import holdout
from training.registry.published import Registry, connect
from training.segmentation.matching import S3


def main(arguments: Sequence[str] | None = None, prog: str = "python -m training.publish") -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog=prog, description="Publish a trained bundle.")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="folder that training wrote")
    parser.add_argument("--bucket", required=True, metavar="NAME", help="the stack's data bucket")
    parser.add_argument(
        "--force-reason",
        metavar="TEXT",
        help="recorded with the bundle; excuses worse figures, never an export that decides otherwise than its models",
    )
    parser.add_argument(
        "--margin",
        type=float,
        default=MARGIN,
        metavar="SHARE",
        help=f"share of a live bundle's figure that this one may be worse by ({MARGIN} by default)",
    )
    return command.run(parser, _run, arguments)


def _run(arguments: argparse.Namespace) -> None:
    if missing := [name for name in FILES if not (arguments.model / name).is_file()]:
        raise InputError(f"{arguments.model} holds no {', no '.join(missing)}; train writes it")
    bundle, parity = gate.run(arguments.model)
    command.say(f"gate passed: {parity}")
    with connect(arguments.bucket) as registry:
        live = registry.live()
        try:
            comparisons = against(registry, live, bundle, arguments.model, arguments.margin)
            worse = [failure for comparison in comparisons for failure in comparison.failures]
        except InputError as error:
            comparisons = []
            worse = [f"it cannot be read: {error}"]
        command.say(*map(str, comparisons), *who_moves(live.bundle_id, bundle, arguments.bucket))
        if worse and not arguments.force_reason:
            failures = f"beside the live bundle {live.bundle_id}: {'; '.join(worse)}"
            raise Refused(f"{failures} (--force-reason excuses it)")
        registry.upload(arguments.model, bundle.bundle_id)
        record = registry.switch(
            live,
            bundle.bundle_id,
            force_reason=arguments.force_reason,
            excused=worse,
            compared={comparison.target: comparison.as_dict() for comparison in comparisons},
        )
    command.say(f"{record['bundle_id']} is live in {arguments.bucket}; before it: {record['previous'] or 'none'}")


def who_moves(live_id: str | None, bundle: Bundle, bucket: str) -> Iterator[str]:
    """Whether ids mean the same segments as in the live bundle, and what share of the customers change theirs."""
    identity = bundle.manifest.get("identity", {})
    if live_id in (None, bundle.bundle_id):
        return
    if identity.get("previous") == live_id:
        yield f"{identity['moved']:.1%} of the customers are in another segment than by {live_id}"
    else:
        yield (
            f"its segments were not matched to those of {live_id}, so that an id may mean other customers than before"
            f" (train with --previous {S3}{bucket} to keep ids and names)"
        )


def against(registry: Registry, live: Live, bundle: Bundle, folder: Path, margin: float) -> list[Comparison]:
    """The bundle in `folder` beside the live one; nothing where there is no other."""
    if live.bundle_id in (None, bundle.bundle_id):
        return []
    manifest = registry.manifest(live.bundle_id)
    champion: Bundle | None = None
    try:
        champion = registry.bundle(live.bundle_id)
        if unknown := sorted(needed.name for needed in {*champion.definitions} - {*bundle.definitions}):
            raise BundleMismatch(f"the holdout has no {', '.join(unknown)}")
    except BundleMismatch as mismatch:
        champion = None
        command.say(f"the live bundle cannot be run beside this one: {mismatch}")
    rows = {name: replace(kept, X=bundle.spread(kept.X)) for name, kept in holdout.load(folder).items()}
    return contest(bundle.manifest, rows, manifest, champion, margin)


if __name__ == "__main__":
    sys.exit(main())
