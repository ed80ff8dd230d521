"""The table that models are trained on, for any tool: features at past instants, and what came of each target then.

python -m training.table --events PATH [PATH …] --out FILE.parquet [--as-of TIMESTAMP] [--config FILE]
    [--engine memory|disk|spark]
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shared.events.translator import Translator
from shared.features import FEATURE_NAMES, FEATURE_SET_HASH
from shared.identity.keys import customer_id, is_visitor, visitor_id
from training.base import command
from training.base.config import Config
from training.base.errors import InputError
from training.data.writing import write_tables
from training.engines import options
from training.prediction.questions import FeaturesAt
from training.prediction.targets import PointsInTime, Slice, Target, asked_at, cutoffs, targets
from training.prediction.window import known_in, source

CUTOFF = pa.timestamp("ms", "UTC")


def column(target: str) -> str:
    """The column of a target's outcomes."""
    return f"target_{target}"


def table(points: PointsInTime, span_ms: tuple[int, int], config: Config, whole: bool = False) -> pa.Table:
    """A row for each customer and visitor at each cut-off at which a target asks something of them.

    After who it is, the cut-off and the features at it stands a column for each target: null where it asks nothing of
    them, or is not known yet. Its latest cut-off, on which models are judged, is left out unless the `whole` is asked
    for. `span_ms` is the time that is known (UTC milliseconds).
    """
    return pa.concat_tables(tables(points, span_ms, config, whole))


def tables(points: PointsInTime, span_ms: tuple[int, int], config: Config, whole: bool = False) -> Iterator[pa.Table]:
    """The same, cut-off by cut-off."""
    asked = [target for target in targets(config) if target.kind != "uplift"]
    parts: dict[tuple[bool, int], list[Target]] = {}
    for target in asked:
        for cutoff in cutoffs(*span_ms, target.horizon_days, config)[0 if whole else 1 :]:
            parts.setdefault((target.entry.whom == "exposed", cutoff), []).append(target)
    if not parts:
        raise InputError("the events span too few days for any target: training says how many are needed")
    for (exposed, cutoff), some in sorted(parts.items(), key=lambda part: part[0]):
        if not exposed:
            points.foresee([FeaturesAt(cutoff, config.zone.name), *(q for t in some for q in asked_at(t, cutoff))])
        slices = [(target, points.slice(target, cutoff)) for target in some]
        yield _rows(points, slices, asked).replace_schema_metadata({"feature_set_hash": FEATURE_SET_HASH})
        points.forget()


def _rows(points: PointsInTime, slices: Sequence[tuple[Target, Slice]], asked: Sequence[Target]) -> pa.Table:
    """The rows of one cut-off; those of exposures, which have features of their own, target by target."""
    if slices[0][0].entry.whom == "exposed":
        return pa.concat_tables([_columns(points, s.customers, s, {target.name: s}, asked) for target, s in slices])
    everyone = np.unique(np.concatenate([s.customers for _, s in slices]))
    cutoff = slices[0][1].cutoff_ms
    whole = Slice(cutoff, everyone, points.features(cutoff)[everyone], np.zeros(len(everyone)))
    return _columns(points, everyone, whole, {target.name: s for target, s in slices}, asked)


def _columns(
    points: PointsInTime, who: NDArray[np.int64], rows: Slice, known: dict[str, Slice], asked: Sequence[Target]
) -> pa.Table:
    keys = [points.keys[i] for i in who.tolist()]
    columns: dict[str, pa.Array] = {
        "customer_id": pa.array([None if is_visitor(key) else customer_id(key) for key in keys], pa.string()),
        "anonymous_id": pa.array([visitor_id(key) if is_visitor(key) else None for key in keys], pa.string()),
        "cutoff": pa.array(np.full(len(who), rows.cutoff_ms), CUTOFF),
        **{name: pa.array(rows.X[:, j]) for j, name in enumerate(FEATURE_NAMES)},
    }
    for target in asked:
        outcome = np.full(len(who), np.nan)
        if (of := known.get(target.name)) is not None:
            outcome[np.searchsorted(who, of.customers)] = of.y
        columns[column(target.name)] = pa.array(outcome, pa.float64(), from_pandas=True)
    return pa.table(columns)


def make(
    paths: list[Path],
    as_of_ms: int | None,
    config: Config,
    translator: Translator | None = None,
    whole: bool = False,
) -> pa.Table:
    """The table of the events in `paths` before `as_of_ms`, the end of the data where it is None.

    Raises InputError for events that cannot be trained on.
    """
    with known_in(source(paths, as_of_ms, config, translator), config) as (points, window):
        return table(points, window.span_ms, config, whole)


def main(arguments: Sequence[str] | None = None, prog: str = "python -m training.table") -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog=prog, description="Write the table that models are trained on.")
    parser.add_argument(
        "--events", nargs="+", required=True, metavar="PATH", help="event files, folders, or s3://BUCKET/PREFIX"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.parquet")
    parser.add_argument(
        "--as-of", metavar="TIMESTAMP", help="only events before it count; the end of the data by default"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file with options of training/base/config.py")
    parser.add_argument(
        "--whole", action="store_true", help="with each target's latest cut-off, on which `tessera adopt` judges"
    )
    command.add_mapping(parser)
    options.add_engine(parser)
    return command.run(parser, _run, arguments)


def _run(arguments: argparse.Namespace) -> None:
    as_of_ms = None if arguments.as_of is None else command.timestamp(arguments.as_of)
    config = Config.load(arguments.config)
    files = source(arguments.events, as_of_ms, config, command.translator(arguments))
    made = Made()
    with known_in(files, config, options.engine(arguments)) as (points, window):
        write_tables(made.counted(tables(points, window.span_ms, config, arguments.whole)), arguments.out)
    command.say(
        f"{made.rows:,} rows of {len(FEATURE_NAMES)} features at {len(made.cutoffs)} cut-offs, in {arguments.out}:"
    )
    for name, count in made.known.items():
        mean = made.totals[name] / max(1, count)
        command.say(f"  {name:<20} {count:>9,} rows, mean {mean:.4g}")


@dataclass
class Made:
    """What is said of a table once it is written."""

    rows: int = 0
    cutoffs: set[Any] = field(default_factory=set)
    known: Counter[str] = field(default_factory=Counter)
    """Rows of which the outcome is known, by target's column."""
    totals: Counter[str] = field(default_factory=Counter)
    """The outcomes' sum."""

    def counted(self, parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """The same tables, once they are counted here."""
        for part in parts:
            self.rows += len(part)
            self.cutoffs.update(part["cutoff"].unique().to_pylist())
            for name in (each for each in part.column_names if each.startswith(column(""))):
                outcomes = part[name].drop_null()
                self.known[name] += len(outcomes)
                self.totals[name] += sum(outcomes.to_pylist())
            yield part


if __name__ == "__main__":
    sys.exit(main())
