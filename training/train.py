"""From event files to a bundle: segments, predictions, and the proof that the export decides as they do.

python -m training.train --events PATH [PATH …] --out DIR [--as-of TIMESTAMP] [--config FILE]
    [--engine memory|disk|spark]
python -m training.train --bucket NAME --out DIR [--engine memory|spark]
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from shared.decisions.decision import iso
from shared.drift.measures import drawn
from shared.drift.reference import observed, to_bytes
from shared.events.translator import Translator
from shared.features import DEFINITIONS, FEATURE_NAMES, FEATURE_SET_HASH, FEATURES, Profiles
from shared.features.definitions import to_json
from shared.models.bundle import Bundle
from shared.models.labels import labelled
from shared.models.layout import DISTRIBUTION_FILE, MANIFEST_FILE, ONNX_FILE
from shared.reasons.contributions import FILE, Reasons
from training.base import command
from training.base.config import Config
from training.base.progress import progress
from training.base.target_entry import own_actions
from training.bundle import gate, reasons_file
from training.bundle.contest import figures
from training.bundle.export import bundle, model_version
from training.bundle.fitted import Fitted
from training.bundle.manifest import leaderboard, manifest, write_json, write_leaderboard
from training.bundle.promises import foreseen as promised
from training.bundle.promises import in_words, promises
from training.data.stored import latest_snapshot
from training.engines import options
from training.engines.engine import Engine, Question
from training.prediction import holdout, predictions
from training.prediction.predictions import FittedTarget, fit_target
from training.prediction.questions import DigestBefore, EventsBefore, FeaturesAt
from training.prediction.targets import PointsInTime, Target, targets
from training.prediction.uplift import fit_uplift
from training.prediction.window import Window, known_in, known_of, source
from training.report.findings import find
from training.report.page import report
from training.report.reasons import reasons_section
from training.segmentation.labels import read_actions
from training.segmentation.matching import Matching, load_previous, matched
from training.segmentation.naming import catalogue
from training.segmentation.segments import fit_segments


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
    with known_in(source(paths, as_of_ms, config, translator), config) as (points, window):
        _train(points, window, out, config, previous)


def train_on(engine: Engine, out: Path, as_of_ms: int | None, config: Config, previous: Bundle | None = None) -> None:
    """The same on customers whom an engine has, wherever their events were read."""
    _train(*known_of(engine, as_of_ms, config), out, config, previous)


def _train(points: PointsInTime, window: Window, out: Path, config: Config, previous: Bundle | None) -> None:
    points.foresee(_foreseen(window, previous, config))
    fitted, matching = _fit(points, window, previous, config)
    exported = bundle(fitted.segmentation, fitted.models, len(FEATURE_NAMES), _metadata(window, fitted, config))
    content = exported.SerializeToString(deterministic=True)
    segments, heights = catalogue(fitted.segmentation, fitted.X, matching.before)
    about = manifest(model_version(exported), window.as_of_ms, points, fitted, segments, config)
    actions = read_actions() | own_actions(config.targets)
    about = labelled({**about, "identity": matching.as_dict(), "actions": actions}, matching.labels)
    about["promises"] = promises(fitted.targets, points, window.span_ms, about, config)
    serving = Bundle.from_files(content, about)
    parity, rows = gate.pass_training(serving, exported, fitted, config)
    command.say(f"gate: {parity}")

    out.mkdir(parents=True, exist_ok=True)
    (out / ONNX_FILE).write_bytes(content)
    holdouts = holdout.held_out(fitted.targets, points, config.seed)
    for name, notes in _about_holdouts(fitted.targets, holdouts, serving).items():
        about["targets"][name]["holdout"] = notes
    kept = {gate.GATE_FILE: gate.save(out, rows, fitted), holdout.HOLDOUT_FILE: holdout.save(out, holdouts)}
    about["gate"] = {**parity.as_dict(), "kept_rows": len(rows), "files": kept}
    about["reasons"] = reasons_file.save(out, exported, reasons_file.background(fitted.X, config.seed))
    write_json(out / MANIFEST_FILE, about)
    seen = observed(points.some(drawn(len(points.keys), config.seed)), serving, window.as_of_ms, config.seed)
    (out / DISTRIBUTION_FILE).write_bytes(to_bytes(seen))
    _write_report(out, about, serving, fitted, heights, holdouts)
    command.say(*_summary(about), *matching.summary(), f"{out}: bundle {about['bundle_id']}")


def customers(
    paths: Sequence[str | Path], as_of_ms: int | None, config: Config, translator: Translator | None = None
) -> tuple[Profiles, Window]:
    """Everyone with an event before `as_of_ms`, the end of the data where it is None, and the time that is known, in
    memory. Raises InputError for events that cannot be trained on."""
    with known_in(source(paths, as_of_ms, config, translator), config) as (points, window):
        return points.profiles, window


def _foreseen(window: Window, previous: Bundle | None, config: Config) -> Iterator[Question]:
    """What will be asked of everyone, in about the order in which it is."""
    yield FeaturesAt(window.as_of_ms, config.zone.name)
    for target in targets(config):
        yield from predictions.foreseen(target, window.span_ms, config)
    if previous is not None:
        yield FeaturesAt.of(previous, window.as_of_ms)
    yield from (EventsBefore(window.as_of_ms), DigestBefore(window.as_of_ms))
    yield from promised(window.span_ms, config)


def _fit(points: PointsInTime, window: Window, previous: Bundle | None, config: Config) -> tuple[Fitted, Matching]:
    """Segments, by the ids of those of the bundle `previous` that they carry on, and a model for every target."""
    steps = targets(config)
    with threadpool_limits(limits=1), progress("fitting models", len(steps) + 2) as advance, _pool(config) as beside:
        X = points.features(window.as_of_ms)
        advance(1, "segments")
        segments = beside.submit(fit_segments, X, config, FEATURES)
        # The last target has the most candidates: begun first, it is not waited for alone.
        fits = [beside.submit(_fit_one, target, points, window.span_ms, config) for target in reversed(steps)][::-1]
        segmentation = segments.result()
        for target, fit in zip(steps, fits, strict=True):
            advance(1, target.name)
            fit.result()
        advance(1, "")
    known = X if previous is None else points.ask(FeaturesAt.of(previous, window.as_of_ms))
    segmentation, matching = matched(segmentation, X, previous, known)
    return Fitted(X, segmentation, [fit.result() for fit in fits]), matching


def _fit_one(target: Target, points: PointsInTime, span_ms: tuple[int, int], config: Config) -> FittedTarget:
    fit = fit_uplift if target.kind == "uplift" else fit_target
    return fit(target, points, *span_ms, config)


@contextmanager
def _pool(config: Config) -> Iterator[ThreadPoolExecutor]:
    """Threads for fitting, each of which computes by itself: were one computation shared among several, its sums would
    be in another order and differ in their last digits, and so would the bundle, from run to run."""
    one_each = partial(threadpool_limits, 1, "openmp")
    with ThreadPoolExecutor(config.threads, initializer=one_each) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _metadata(window: Window, fitted: Fitted, config: Config) -> dict[str, str]:
    # The last millisecond that counts, so that "the end of September" is called by its day.
    day = datetime.fromtimestamp((window.as_of_ms - 1) / 1000, UTC)
    return {
        "model_version": f"{day:%Y%m%d}",
        # By these two alone the release before knows a bundle that it can run.
        "feature_names": json.dumps(FEATURE_NAMES),
        "feature_set_hash": FEATURE_SET_HASH,
        "feature_definitions": to_json(DEFINITIONS),
        "horizon_days": json.dumps({one.target.output: one.target.horizon_days for one in fitted.targets}),
        "training_window": f"{iso(window.first_ms)}/{iso(window.as_of_ms)}",
        **({} if config.zone.is_utc else {"time_zone": config.time_zone}),
    }


def _about_holdouts(
    targets: Sequence[FittedTarget], holdouts: Mapping[str, holdout.Holdout], serving: Bundle
) -> dict[str, dict[str, Any]]:
    """What the manifest says of each target's holdout, and of the bundle's own figures on it."""
    return {
        fitted.target.name: holdout.about(fitted, rows, figures(fitted.target.name, rows, serving))
        for fitted in targets
        if (rows := holdouts.get(fitted.target.name)) is not None
    }


def _write_report(
    out: Path,
    about: Mapping[str, Any],
    serving: Bundle,
    fitted: Fitted,
    heights: NDArray[np.float64],
    holdouts: Mapping[str, holdout.Holdout],
) -> None:
    """`leaderboard.csv` and `report.html` of the manifest `about`, once the other files stand in `out`."""
    tried = leaderboard(fitted)
    write_leaderboard(out / "leaderboard.csv", tried)
    findings = find(serving, fitted, heights, tried, holdouts, about["seed"])
    why = reasons_section(fitted.X, serving, Reasons.from_bytes((out / FILE).read_bytes(), about))
    (out / "report.html").write_text(report(about, findings, why))


def _summary(about: dict[str, Any]) -> list[str]:
    chosen = about["segmentation"]
    names = ("silhouette", "stability", "noise", "fidelity")
    figures = ", ".join(f"{name} {chosen[name]:.2f}" for name in names if chosen[name] is not None)
    lines = [
        f"segments by {chosen['algorithm']}, {chosen['setting']} ({figures})"
        if len(about["segments"]) > 1
        else "nothing that was tried tells these customers apart within the bounds of the config: they are one segment",
        f"{len(about['segments'])} segment{'s'[: len(about['segments']) - 1]} of"
        f" {sum(s['size'] for s in about['segments']):,} customers:",
    ]
    lines += [
        f"  {s['id']}  {s['name']:<28} {s['size']:>8,} {_true_of(s):>5}  {s['description']}" for s in about["segments"]
    ]
    for name, target in about["targets"].items():
        figures = ", ".join(
            f"{key} {value:,.4g}" for key, value in target.get("metrics", {}).items() if value is not None
        )
        lines.append(f"{name}: {target['model']} ({figures})" if target["trained"] else f"{name}: {target['reason']}")
    return lines + _promised(about["promises"])


def _promised(promises: Mapping[str, Any]) -> list[str]:
    if not promises["instants"]:
        return ["intents: the events are too short to hold any against what happened then"]
    days = promises["days"]
    at = ", ".join(instant[:10] for instant in promises["instants"])
    what = f"churned or bought within {days['churned']} days, converted within {days['converted']}"
    return [f"intents on {at}, none of which the models knew, and who then {what}:", *in_words(promises["kept"])]


def _true_of(segment: dict[str, Any]) -> str:
    true_of = segment["true_of"]
    return f"{true_of['members']:.0%}" if true_of else ""


def main(arguments: Sequence[str] | None = None, prog: str = "python -m training.train") -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog=prog, description="Train a model bundle from event files.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--events", nargs="+", metavar="PATH", help="event files, folders, or s3://BUCKET/PREFIX")
    what.add_argument("--bucket", metavar="NAME", help="a stack's data bucket, of whose latest snapshot is trained")
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
    options.add_engine(parser)
    return command.run(parser, _run, arguments)


def _run(arguments: argparse.Namespace) -> None:
    as_of_ms = None if arguments.as_of is None else command.timestamp(arguments.as_of)
    previous = None if arguments.previous is None else load_previous(arguments.previous)
    config = Config.load(arguments.config)
    if arguments.events:
        files = source(arguments.events, as_of_ms, config, command.translator(arguments))
        with known_in(files, config, options.engine(arguments)) as (points, window):
            _train(points, window, arguments.out, config, previous)
        return
    stored = options.stored(arguments)
    snapshot = latest_snapshot(arguments.bucket)
    command.say(f"{snapshot.customers:,} customers of the snapshot of {snapshot.date}")
    with stored(snapshot) as engine:
        train_on(engine, arguments.out, as_of_ms, config, previous)


if __name__ == "__main__":
    sys.exit(main())
