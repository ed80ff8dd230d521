"""What is not as it was when a model was trained: of a stack by its last night, of event files by their last day.

python -m training.drift --bucket NAME
python -m training.drift --events PATH [PATH …] --model DIR [--as-of TIMESTAMP]
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shared.decisions.decision import iso
from shared.drift import reference
from shared.drift.comparing import compare
from shared.drift.measures import sampled
from shared.drift.reference import BrokenReference
from shared.insight.layout import DRIFT, report_key
from shared.models.bundle import Bundle
from shared.models.layout import DISTRIBUTION_FILE
from training.base import command
from training.base.errors import InputError
from training.data.events import read_events
from training.registry.published import connect

SHOWN = 5
SAID = {
    "drifted": "drifted",
    "steady": "as in training",
    "not_enough_data": "not enough data to compare",
    "no_model": "no model is live",
    "no_distribution": "the live model was trained by a release before this one; train again to look for drift",
}


def main(arguments: Sequence[str] | None = None, prog: str = "python -m training.drift") -> int:
    """The command line."""
    description = "Say what is not as it was when the model was trained."
    parser = argparse.ArgumentParser(prog=prog, description=description)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--bucket", metavar="NAME", help="a stack's data bucket, of whose last night it is said")
    what.add_argument("--events", nargs="+", type=Path, metavar="PATH", help="event files or folders")
    parser.add_argument("--model", type=Path, metavar="DIR", help="folder that training wrote, with --events")
    parser.add_argument("--as-of", metavar="TIMESTAMP", help="only events before it count; the end of the data else")
    parser.add_argument("--json", action="store_true", help="the whole report")
    command.add_mapping(parser)
    return command.run(parser, _run, arguments)


def in_words(report: Mapping[str, Any]) -> Iterator[str]:
    """Lines about a report."""
    yield f"{report['as_of'][:10]}, {report['bundle_id'] or 'no model'}: {SAID[report['state']]}"
    for one in report["measures"][: max(SHOWN, len(report["drifted"]))]:
        usual = f"usually {one['natural']:.3f} by itself" + (", by the season" if one["is_season"] else "")
        mark = "!" if one["is_drift"] else " "
        yield f"{mark} {one['name']}: index {one['index']:.3f} ({usual}; p {one['p_value']:.1e}, of {one['number']:,})"
    for one in report["predictions"]:
        yield f"{one['target']}: {_figures(one['expected'])} expected of what is said now"
        if came := one["came_true"]:
            expected = {"auc": came["expected_auc"], "brier": came["expected_brier"]}
            yield f"  said on {one['said_on']}: {_figures(came)}, where {_figures(expected)} was expected"


def _figures(of: Mapping[str, float | None]) -> str:
    return ", ".join(
        f"{label} {of[name]:.3f}" for name, label in (("auc", "AUC"), ("brier", "Brier")) if of[name] is not None
    )


def _run(given: argparse.Namespace) -> int:
    report = _of_stack(given.bucket) if given.bucket else _of_files(given)
    lines = [json.dumps(report, indent=2)] if given.json else [*map(command.printable, in_words(report))]
    command.say(*lines)
    return 0


def _of_stack(bucket: str) -> Any:
    with connect(bucket) as registry:
        try:
            return json.loads(registry.s3.get_object(Bucket=bucket, Key=report_key(DRIFT))["Body"].read())
        except registry.s3.exceptions.NoSuchKey:
            raise InputError(f"bucket {bucket} has no night yet: `tessera export --wait` makes one") from None


def _of_files(given: argparse.Namespace) -> dict[str, Any]:
    if given.model is None:
        raise InputError("--events are compared with a model: give --model as well")
    try:
        known = reference.from_bytes((given.model / DISTRIBUTION_FILE).read_bytes())
    except (OSError, BrokenReference) as error:
        raise InputError(f"{given.model} holds no {DISTRIBUTION_FILE} of this release: train again") from error
    bundle = Bundle.load(given.model)
    as_of_ms = command.timestamp(given.as_of) if given.as_of else None
    profiles = read_events(given.events, as_of_ms=as_of_ms, translator=command.translator(given)).profiles
    as_of_ms = as_of_ms if as_of_ms is not None else int(profiles.rows.time_ms.max()) + 1
    counts = reference.tonight(known, sampled(profiles, bundle.manifest.get("seed", 0)), bundle, as_of_ms)
    findings = compare(known, counts, as_of_ms)
    drifted = sorted(one.name for one in findings if one.is_drift)
    return {
        "as_of": iso(as_of_ms),
        "bundle_id": bundle.bundle_id,
        "state": "drifted" if drifted else "steady" if findings else "not_enough_data",
        "drifted": drifted,
        "measures": [asdict(one) for one in findings],
        "predictions": [],
    }


if __name__ == "__main__":
    sys.exit(main())
