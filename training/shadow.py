"""Scores everyone with a challenger beside the champion, and tells what would change.

python -m training.shadow --events PATH [PATH …] --champion DIR|BUCKET --challenger DIR --as-of TIMESTAMP
                          [--out FILE.parquet]
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table
from scipy.stats import spearmanr

from shared.decisions.decision import iso
from shared.durations import DAY_MS
from shared.events.event import parse_timestamp
from shared.features import Profiles
from shared.identity.keys import customer_key
from shared.models.bundle import Bundle
from shared.models.manifests import TARGETS
from training.base import command
from training.base.errors import InputError
from training.base.target_entry import own_types
from training.data.events import read_events
from training.data.own_types import without_own_types
from training.prediction.metrics import measure
from training.prediction.targets import Target, target_in
from training.registry.published import connect
from training.score import SCHEMA, score

CHAMPION, CHALLENGER = "champion", "challenger"
METRICS = ("auc", "average_precision", "lift_at_10_percent", "brier", "spearman", "mean_absolute_error", "total_ratio")


def main(arguments: Sequence[str] | None = None, prog: str = "python -m training.shadow") -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog=prog, description="Score with two bundles and compare.")
    parser.add_argument("--events", nargs="+", type=Path, required=True, metavar="PATH", help="event files or folders")
    parser.add_argument(
        "--champion",
        required=True,
        metavar="DIR|BUCKET",
        help="a bundle's folder, or the bucket whose live bundle it is",
    )
    parser.add_argument("--challenger", type=Path, required=True, metavar="DIR", help="folder that training wrote")
    parser.add_argument("--as-of", required=True, metavar="TIMESTAMP", help="only events before it count for scores")
    parser.add_argument("--out", type=Path, metavar="FILE.parquet", help="where to write both decisions of everyone")
    command.add_mapping(parser)
    return command.run(parser, _run, arguments)


def _run(arguments: argparse.Namespace) -> None:
    as_of_ms = command.timestamp(arguments.as_of)
    champion, challenger = _champion(arguments.champion), Bundle.load(arguments.challenger)
    currency = challenger.manifest.get("currency") or ""
    judged = [target_in(challenger.manifest, name) for name in challenger.manifest["targets"]]
    own = own_types([target.entry for target in judged])
    files = read_events(arguments.events, currency, as_of_ms, command.translator(arguments), own)
    command.say(*files.summary())
    both = side_by_side(without_own_types(files.profiles), champion, challenger, as_of_ms)
    console = Console(highlight=False, width=max(120, Console().width))
    console.print(
        f"{both.num_rows:,} customers as of {iso(as_of_ms)}: champion {champion.bundle_id},"
        f" challenger {challenger.bundle_id}",
        soft_wrap=True,
    )
    for role, bundle in ((CHAMPION, champion), (CHALLENGER, challenger)):
        known = bundle.manifest.get("events", {}).get("last")
        if known and parse_timestamp(known) > as_of_ms:
            console.print(f"the {role} was trained on events until {known}, which flatters its figures", soft_wrap=True)
    after = figures_after(files.profiles, both, as_of_ms, judged)
    for table in (_changes(both), cross_table(both), _predictions(both), after):
        if table.row_count:
            console.print(table, soft_wrap=True)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(both, arguments.out)
        command.say(f"both decisions of everyone are in {arguments.out}")


def side_by_side(profiles: Profiles, champion: Bundle, challenger: Bundle, as_of_ms: int) -> pa.Table:
    """A row a customer, with the columns of `training.score` once for each bundle: `champion_…` and `challenger_…`.

    What only one of them predicts is null of the other.
    """
    tables = {CHAMPION: score(profiles, champion, as_of_ms), CHALLENGER: score(profiles, challenger, as_of_ms)}
    columns = {"customer_id": tables[CHAMPION]["customer_id"]}
    names = dict.fromkeys(name for table in tables.values() for name in table.column_names if name != "customer_id")
    for role, table in tables.items():
        nothing = pa.nulls(table.num_rows, pa.float32())
        columns |= {f"{role}_{name}": table[name] if name in table.column_names else nothing for name in names}
    return pa.table(columns)


def _champion(place: str) -> Bundle:
    if Path(place).is_dir():
        return Bundle.load(place)
    with connect(place) as registry:
        bundle_id = registry.live().bundle_id
        if bundle_id is None:
            raise InputError(f"{place} is no folder, and nothing was published to a bucket of that name")
        return registry.bundle(bundle_id)


def _changes(both: pa.Table) -> Table:
    """Of how many customers what differs."""
    table = _table("What would change", "decision", "customers", "share")
    for name in ("segment_name", "intent", "action"):
        differ = int(pc.sum(pc.not_equal(both[f"{CHAMPION}_{name}"], both[f"{CHALLENGER}_{name}"])).as_py() or 0)
        table.add_row(name.removesuffix("_name"), f"{differ:,}", f"{differ / both.num_rows:.1%}")
    return table


def cross_table(both: pa.Table) -> Table:
    """The customers of each of the champion's segments by where the challenger puts them."""
    before, after = (both[f"{role}_segment_name"].to_pylist() for role in (CHAMPION, CHALLENGER))
    names = sorted(set(after), key=lambda name: -after.count(name))
    caption = "Across: " + ", ".join(f"{i} {name}" for i, name in enumerate(names, 1))
    table = _table("Segments: the champion's down, the challenger's across", "", *map(str, range(1, len(names) + 1)))
    table.caption = caption
    table.caption_justify = "left"
    cells = Counter(zip(before, after, strict=True))
    for own in sorted(set(before), key=lambda name: -before.count(name)):
        table.add_row(own, *(f"{cells[own, name]:,}" if cells[own, name] else "·" for name in names))
    return table


def _predictions(both: pa.Table) -> Table:
    """How the predictions of the two relate."""
    table = _table(
        "Predictions", "prediction", "champion's mean", "challenger's mean", "mean difference", "rank correlation"
    )
    named = [name.removeprefix(f"{CHALLENGER}_") for name in both.column_names if name.startswith(f"{CHALLENGER}_")]
    for name in (*TARGETS, *(name for name in named if name not in SCHEMA.names)):
        columns = [both[f"{role}_{name}"] for role in (CHAMPION, CHALLENGER)]
        if any(column.null_count for column in columns):
            missing = " and ".join(r for r, c in zip((CHAMPION, CHALLENGER), columns, strict=True) if c.null_count)
            table.add_row(name, f"not predicted by {missing}")
            continue
        old, new = (column.to_numpy() for column in columns)
        same_order = f"{spearmanr(old, new).statistic:.3f}" if np.ptp(old) and np.ptp(new) else "-"
        table.add_row(name, f"{old.mean():.4g}", f"{new.mean():.4g}", f"{(new - old).mean():+.4g}", same_order)
    return table


def figures_after(profiles: Profiles, both: pa.Table, as_of_ms: int, targets: Sequence[Target]) -> Table:
    """How good both are at each of the targets whose horizon the events cover; of those who were exposed, nothing is
    said, as they are scored at another time."""
    table = _table("Against what happened after", "", CHAMPION, CHALLENGER)
    rows = {key: row for row, key in enumerate(profiles.keys)}
    at = np.array([rows[customer_key(customer)] for customer in both["customer_id"].to_pylist()])
    known_ms = int(profiles.rows.time_ms.max()) + DAY_MS
    for target in (target for target in targets if target.entry.whom != "exposed"):
        end_ms = as_of_ms + target.horizon_days * DAY_MS
        judged = target.eligible(profiles, as_of_ms)[at]
        y = target.outcome(profiles, as_of_ms, end_ms)[at][judged]
        if end_ms > known_ms or len(np.unique(y > 0)) < 2:
            continue
        both_figures = [
            measure(target, y, column.to_numpy()[judged].astype(np.float64)) if not column.null_count else {}
            for column in (both[f"{role}_{target.output}"] for role in (CHAMPION, CHALLENGER))
        ]
        for name in (name for name in METRICS if any(name in figures for figures in both_figures)):
            cells = (f"{figures[name]:.4g}" if name in figures else "-" for figures in both_figures)
            table.add_row(f"{target.name} {name.replace('_', ' ')}", *cells)
    return table


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


if __name__ == "__main__":
    sys.exit(main())
