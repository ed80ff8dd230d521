"""From event files to a bundle: segments, predictions, and the proof that the export decides as they do.

python -m training.train --events PATH [PATH …] --out DIR [--as-of TIMESTAMP] [--config FILE]
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from shared.decisions.decision import iso
from shared.events.translator import Translator
from shared.features import DEFINITIONS, FEATURE_NAMES, FEATURE_SET_HASH, FEATURES, Profiles
from shared.features.columns import DAY_MS
from shared.features.definitions import to_json
from shared.models.bundle import Bundle
from shared.models.labels import labelled
from shared.reasons.contributions import FILE, Reasons
from training.base import command
from training.base.config import Config
from training.base.errors import InputError
from training.base.progress import progress
from training.bundle import gate, reasons_file
from training.bundle.contest import figures
from training.bundle.export import bundle, model_version
from training.bundle.manifest import leaderboard, manifest, write_json, write_leaderboard
from training.data.events import read_events
from training.data.preparation import Matrix
from training.prediction import holdout
from training.prediction.predictions import Outcome, fit_target
from training.prediction.targets import PointsInTime, known_at, targets
from training.report.findings import find
from training.report.page import report
from training.report.reasons import reasons_section
from training.segmentation.labels import read_actions
from training.segmentation.matching import identified, load_previous
from training.segmentation.naming import catalogue
from training.segmentation.segments import Segmentation, fit_segments


def train(
    paths: list[Path],
    out: Path,
    as_of_ms: int | None,
    config: Config,
    previous: Bundle | None = None,
    translator: Translator | None = None,
) -> None:
    """Trains on the events in `paths` strictly before `as_of_ms` and writes the bundle's folder `out`.

    Segments that carry on those of the bundle `previous` keep their ids and names.
    Raises InputError for events that cannot be trained on, and Refused where the export does not decide as the models.
    """
    files = read_events(paths, config.currency, as_of_ms, translator)
    command.say(*files.summary())
    if files.refused_share > config.most_refused:
        raise InputError(
            f"{files.refused_share:.0%} of all lines were refused, more than most_refused allows"
            f" ({config.most_refused:.0%}): correct the mapping or the files"
        )
    profiles, window = _known(files.profiles, as_of_ms, config)
    points = PointsInTime(profiles)
    # Sums in one order: with several threads their last digits, and so the bundle, would differ from run to run.
    with threadpool_limits(limits=1):
        X, segmentation, outcomes = _fit(points, window, config)
    segmentation, identity = identified(segmentation, X, previous)
    models = {outcome.target.output: outcome.model for outcome in outcomes if outcome.model}
    exported = bundle(segmentation, models, len(FEATURE_NAMES), _metadata(window))
    segments, heights = catalogue(segmentation, X, identity.before)
    about = manifest(model_version(exported), window.as_of_ms, profiles, X, segments, segmentation, outcomes, config)
    about = labelled({**about, "identity": identity.as_dict(), "actions": read_actions()}, identity.labels)

    serving = Bundle.from_files(exported.SerializeToString(deterministic=True), about)
    seen = [X, *(outcome.fitted for outcome in outcomes if outcome.fitted is not None)]
    parity, rows = gate.pass_training(serving, exported, segmentation, models, seen, config)
    command.say(f"gate: {parity}")

    out.mkdir(parents=True, exist_ok=True)
    held = {o.target.name: found for o in outcomes if (found := holdout.held_out(o, points, config.seed)) is not None}
    for outcome in (outcome for outcome in outcomes if outcome.target.name in held):
        name, rows_held = outcome.target.name, held[outcome.target.name]
        about["targets"][name]["holdout"] = holdout.about(outcome, rows_held, figures(name, rows_held, serving))
    kept = {gate.GATE_FILE: gate.save(out, rows, segmentation, models), holdout.HOLDOUT_FILE: holdout.save(out, held)}
    about["gate"] = {**parity.as_dict(), "kept_rows": len(rows), "files": kept}
    about["reasons"] = reasons_file.save(out, exported, reasons_file.background(X, config.seed))
    (out / "bundle.onnx").write_bytes(exported.SerializeToString(deterministic=True))
    write_json(out / "manifest.json", about)
    tried = leaderboard(segmentation, outcomes)
    write_leaderboard(out / "leaderboard.csv", tried)
    findings = find(serving, X, segmentation, heights, tried, models, held, config)
    why = reasons_section(X, serving, Reasons.from_bytes((out / FILE).read_bytes(), about))
    (out / "report.html").write_text(report(about, findings, why))
    command.say(*_summary(about), *identity.summary(), f"{out}: bundle {about['bundle_id']}")


@dataclass(frozen=True)
class Window:
    """The time that is trained on, UTC milliseconds."""

    first_ms: int
    """The first event."""
    end_ms: int
    """Until when it is known what happened: labels may reach up to here."""
    as_of_ms: int


def _known(profiles: Profiles, as_of_ms: int | None, config: Config) -> tuple[Profiles, Window]:
    """Everyone with an event before `as_of_ms`, the end of the data where it is None."""
    first_ms, last_ms = int(profiles.rows.time_ms.min()), int(profiles.rows.time_ms.max())
    as_of_ms = last_ms + 1 if as_of_ms is None else as_of_ms
    if as_of_ms <= first_ms:
        raise InputError(f"as-of {iso(as_of_ms)} is not after the first event, {iso(first_ms)}")
    known = profiles.take(np.flatnonzero(known_at(profiles, as_of_ms)))
    if len(known) < config.minimum_customers:
        raise InputError(
            f"only {len(known)} customers have events before {iso(as_of_ms)}; {config.minimum_customers} are needed"
        )
    times = known.rows.time_ms
    last_ms = int(times[times < as_of_ms].max())
    # A day and more without anyone is the end of the data, not a shop that lost all its customers.
    end_ms = as_of_ms if as_of_ms - last_ms <= DAY_MS else last_ms + 1
    return known, Window(first_ms, end_ms, as_of_ms)


def _fit(points: PointsInTime, window: Window, config: Config) -> tuple[Matrix, Segmentation, list[Outcome]]:
    steps = targets(config)
    with progress("fitting models", len(steps) + 2) as advance:
        X = points.features(window.as_of_ms)
        advance(1, "segments")
        segmentation = fit_segments(X, config, FEATURES)
        advance(1, steps[0].name)
        outcomes = []
        for target in steps:
            outcomes.append(fit_target(target, points, window.first_ms, window.end_ms, config))
            advance(1, target.name)
    return X, segmentation, outcomes


def _metadata(window: Window) -> dict[str, str]:
    # The last millisecond that counts, so that "the end of September" is called by its day.
    day = datetime.fromtimestamp((window.as_of_ms - 1) / 1000, UTC)
    return {
        "model_version": f"{day:%Y%m%d}",
        # By these two alone the release before knows a bundle that it can run.
        "feature_names": json.dumps(FEATURE_NAMES),
        "feature_set_hash": FEATURE_SET_HASH,
        "feature_definitions": to_json(DEFINITIONS),
        "training_window": f"{iso(window.first_ms)}/{iso(window.as_of_ms)}",
    }


def _summary(about: dict[str, Any]) -> list[str]:
    found = about["segmentation"]
    figures = ", ".join(f"{name} {found[name]:.2f}" for name in ("silhouette", "stability", "noise", "fidelity"))
    lines = [
        f"segments by {found['algorithm']}, {found['setting']} ({figures})",
        f"{len(about['segments'])} segments of {sum(s['size'] for s in about['segments']):,} customers:",
    ]
    lines += [f"  {s['id']}  {s['name']:<28} {s['size']:>8,}  {s['description']}" for s in about["segments"]]
    for name, target in about["targets"].items():
        figures = ", ".join(
            f"{key} {value:,.4g}" for key, value in target.get("metrics", {}).items() if value is not None
        )
        lines.append(f"{name}: {target['model']} ({figures})" if target["trained"] else f"{name}: {target['reason']}")
    return lines


def main(arguments: Sequence[str] | None = None, prog: str = "python -m training.train") -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog=prog, description="Train a model bundle from event files.")
    parser.add_argument("--events", nargs="+", type=Path, required=True, metavar="PATH", help="event files or folders")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write the bundle to")
    parser.add_argument(
        "--as-of", metavar="TIMESTAMP", help="only events before it count; the end of the data by default"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file with options of training/base/config.py")
    parser.add_argument(
        "--previous",
        metavar="DIR|s3://BUCKET",
        help="a bundle's folder, or the bucket whose live bundle it is: segments that go on keep their ids and names",
    )
    command.add_mapping(parser)
    return command.run(parser, _run, arguments)


def _run(arguments: argparse.Namespace) -> None:
    as_of_ms = None if arguments.as_of is None else command.timestamp(arguments.as_of)
    previous = None if arguments.previous is None else load_previous(arguments.previous)
    config, translator = Config.load(arguments.config), command.translator(arguments)
    train(arguments.events, arguments.out, as_of_ms, config, previous, translator)


if __name__ == "__main__":
    sys.exit(main())
