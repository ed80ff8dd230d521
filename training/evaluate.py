"""How good a bundle is on what happened after it: train on the past, score it, and compare with the future.

python -m training.evaluate --events PATH [PATH …] --as-of TIMESTAMP [--config FILE] [--name NAME] [--table FILE.md]
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from shared.decisions.decision import iso
from shared.durations import DAY_MS
from shared.events.translator import Translator
from shared.models.bundle import Bundle
from training import score, train
from training.base import command
from training.base.config import Config
from training.base.errors import InputError
from training.base.target_entry import own_types
from training.bundle.promises import Kept, by_intent, outcomes, percent
from training.data.events import read_events
from training.prediction import baseline
from training.prediction.calibration import Vector
from training.prediction.metrics import Metrics, bins, measure
from training.prediction.targets import PointsInTime, Slice, Target, cutoffs, targets

SHOWN = {
    "probability": ("auc", "average_precision", "lift_at_10_percent", "brier"),
    "amount": ("spearman", "total_ratio", "mean_absolute_error"),
}
WORDS = {"auc": "AUC", "lift_at_10_percent": "lift at 10 %", "total_ratio": "predicted / actual total"}
MARK = "<!-- {name} -->"
INTENTS = "{name}: intents"
"""What the second table of a name is called in its marks."""


@dataclass(frozen=True)
class Result:
    """A target of a bundle beside the plain model, on the customers known at the instant."""

    target: Target
    model: str
    """The chosen candidate and its calibration, or why there is none."""
    ours: Metrics | None
    plain: Metrics | None
    tenths: Sequence[tuple[float, float, int]] = ()
    """Mean prediction, mean outcome and customers of each tenth, by prediction."""


@dataclass(frozen=True)
class Evaluation:
    """A bundle against what happened after it."""

    results: Sequence[Result]
    promised: Mapping[str, Any]
    """What training promised of the intents, as the manifest holds it."""
    kept: Mapping[str, Kept]
    """What those with each intent then did."""


def evaluate(paths: list[Path], as_of_ms: int, config: Config, translator: Translator | None = None) -> Evaluation:
    """Trains on the events before `as_of_ms` (UTC milliseconds), scores them with the bundle's files, and measures the
    scores on the events after it.

    Targets whose horizon the events do not cover are shortened to what they do: a lifetime value over what is left.
    """
    whole = read_events(paths, config.currency, None, translator, own_types(config.targets)).profiles
    last_ms = int(whole.rows.time_ms.max())
    config = _covered(config, as_of_ms, last_ms)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        out = Path(folder) / "scores.parquet"
        train.train(paths, model, as_of_ms, config, translator=translator)
        bundle = Bundle.load(model)
        known = read_events(paths, config.currency, as_of_ms, translator).profiles
        pq.write_table(score.score(known, bundle, as_of_ms), out)
        scores = pq.read_table(out)
    points = PointsInTime(whole, config.zone)
    results = [
        _result(target, bundle, scores, points, as_of_ms, config)
        for target in targets(config)
        if target.entry.whom != "exposed"  # they are scored at another time than they are exposed at
    ]
    place = {key: i for i, key in enumerate(whole.keys)}
    scored = np.array([place[f"{score.CUSTOMER}{customer}"] for customer in scores["customer_id"].to_pylist()])
    happened = outcomes(points, scored, as_of_ms, config)
    kept = by_intent(np.array(scores["intent"].to_pylist(), np.str_), happened)
    return Evaluation(results, bundle.manifest["promises"], kept)


def _covered(config: Config, as_of_ms: int, last_ms: int) -> Config:
    left = -((as_of_ms - last_ms - 1) // DAY_MS)
    if left < 1:
        raise InputError(f"there are no events after {iso(as_of_ms)} to compare with; the last is of {iso(last_ms)}")
    horizons = [field.name for field in fields(Config) if field.name.endswith("_horizon_days")]
    short: dict[str, Any] = {name: left for name in horizons if getattr(config, name) > left}
    command.say(
        *(f"{name}: {days}, since no more days are known after {iso(as_of_ms)}" for name, days in short.items())
    )
    own = [msgspec.structs.replace(entry, within_days=min(entry.within_days, left)) for entry in config.target]
    return replace(config, target=tuple(own), **short)


def _result(
    target: Target, bundle: Bundle, scores: pa.Table, points: PointsInTime, as_of_ms: int, config: Config
) -> Result:
    about = bundle.manifest["targets"][target.name]
    target = replace(target, horizon_days=about["horizon_days"])
    if not about["trained"]:
        return Result(target, about["reason"], None, None)
    future, known = _scored(points.slice(target, as_of_ms), points, scores)
    ours = np.array(scores[target.output].to_numpy(), np.float64)[known]
    first_ms = int(points.profiles.rows.time_ms.min())
    past = [points.slice(target, at) for at in cutoffs(first_ms, as_of_ms, target.horizon_days, config)]
    plain = baseline.predictions(target, points.profiles, past, future, config)
    return Result(
        target,
        f"{about['model']}, {about['calibration']}",
        measure(target, future.y, ours),
        measure(target, future.y, plain),
        bins(future.y, ours),
    )


def _scored(rows: Slice, points: PointsInTime, scores: pa.Table) -> tuple[Slice, Vector]:
    """The rows of customers who have a score, and the place of each in the scores."""
    place = {f"{score.CUSTOMER}{customer}": i for i, customer in enumerate(scores["customer_id"].to_pylist())}
    at = np.array([place.get(points.profiles.keys[i], -1) for i in rows.customers.tolist()])
    kept = at >= 0
    return Slice(rows.cutoff_ms, rows.customers[kept], rows.X[kept], rows.y[kept]), at[kept]


def table(name: str, as_of_ms: int, results: Sequence[Result]) -> list[str]:
    """The results as lines of Markdown, in brackets those of the plain model."""
    lines = [
        f"**{name}**, trained as of {iso(as_of_ms)[:10]}:",
        "",
        "| target | model | on what happened then |",
        "|---|---|---|",
    ]
    for result in results:
        target = result.target
        about = f"{target.name}, {target.horizon_days} days"
        if result.ours is None or result.plain is None:
            lines.append(f"| {about} | none | {result.model} |")
            continue
        figures = ", ".join(
            f"{WORDS.get(key, key.replace('_', ' '))} {_short(result.ours[key])} [{_short(result.plain[key])}]"
            for key in SHOWN[target.kind]
        )
        of = f"{result.ours['rows']:,.0f} customers" + (
            f", {result.ours['positives']:,.0f} with it" if "positives" in result.ours else ""
        )
        lines.append(f"| {about} | {result.model} | {figures}; {of} |")
    for result in results:
        if result.tenths:
            tenths = " · ".join(f"{_short(predicted)} {_short(actual)}" for predicted, actual, _ in result.tenths)
            lines += ["", f"Predicted and actual {result.target.name} of each tenth: {tenths}"]
    return lines


def intents_table(name: str, as_of_ms: int, evaluation: Evaluation) -> list[str]:
    """What became of those with each intent as lines of Markdown, in brackets what training had promised."""
    days = evaluation.promised["days"]
    head = ["intent", "customers"]
    head += [f"{outcome} within {days[outcome]} days" for outcome in ("churned", "converted", "bought")] + ["spent"]
    lines = [f"**{name}**, as of {iso(as_of_ms)[:10]}:", "", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for intent, kept in evaluation.kept.items():
        if kept["customers"]:
            promised = evaluation.promised["kept"].get(intent, {})
            figures = [f"{_figure(outcome, kept)} [{_figure(outcome, promised)}]" for outcome in days]
            lines.append(f"| `{intent}` | {kept['customers']:,} | {' | '.join(figures)} |")
    return lines


def _figure(outcome: str, kept: Mapping[str, Any]) -> str:
    value = kept.get(outcome)
    return _short(value) if outcome == "spent" and value is not None else percent(value)


def _short(value: float) -> str:
    return f"{value:.3f}" if 0.1 <= abs(value) < 10 else f"{value:.3g}"


def put(path: Path, name: str, lines: Sequence[str]) -> None:
    """Replaces what stands in the page between two marks of the name; raises InputError where there are none."""
    before, mark, after = marked(path, name)
    path.write_text(f"{before}{mark}\n" + "\n".join(lines) + f"\n{mark}{after}")


def marked(path: Path, name: str) -> tuple[str, str, str]:
    """The page before the two marks of the name, the mark, and the page after them."""
    mark = MARK.format(name=name)
    before, *rest = path.read_text().split(mark)
    if len(rest) != 2:
        raise InputError(f"{path} does not hold the line {mark} twice, to put the table between")
    return before, mark, rest[1]


def main(arguments: Sequence[str] | None = None, prog: str = "python -m training.evaluate") -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog=prog, description="Train on the past, score, and compare with the future.")
    parser.add_argument("--events", nargs="+", type=Path, required=True, metavar="PATH", help="event files or folders")
    parser.add_argument("--as-of", required=True, metavar="TIMESTAMP", help="where the past ends and the future begins")
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file with options of training/base/config.py")
    parser.add_argument("--name", default="events", help="what the data are called in the table")
    parser.add_argument("--table", type=Path, metavar="FILE.md", help="page to put the table into, between its marks")
    command.add_mapping(parser)
    return command.run(parser, _run, arguments)


def _run(arguments: argparse.Namespace) -> None:
    as_of_ms = command.timestamp(arguments.as_of)
    name = arguments.name
    names = [name, INTENTS.format(name=name)]
    if arguments.table:
        for each in names:
            marked(arguments.table, each)
    config = Config.load(arguments.config)
    evaluation = evaluate(arguments.events, as_of_ms, config, command.translator(arguments))
    tables = [table(name, as_of_ms, evaluation.results), intents_table(name, as_of_ms, evaluation)]
    for each, lines in zip(names, tables, strict=True):
        command.say(*lines, "")
        if arguments.table:
            put(arguments.table, each, lines)


if __name__ == "__main__":
    sys.exit(main())
