"""Lists the published bundles of a data bucket: when each went live, how good it is and what it was excused for.

python -m training.bundles --bucket NAME
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from shared.models.switching import Live
from training.base import command
from training.base.errors import InputError
from training.registry.published import connect

FIGURES = {"churn": "auc", "conversion": "auc", "ltv": "spearman"}
"""The figure of each target that is listed."""
NOTES = {"force_reason": "forced", "rolled_back_from": "rolled back from"}


def main(arguments: Sequence[str] | None = None, prog: str = "python -m training.bundles") -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog=prog, description="List the published bundles.")
    parser.add_argument("--bucket", required=True, metavar="NAME", help="the stack's data bucket")
    return command.run(parser, _run, arguments)


def _run(arguments: argparse.Namespace) -> None:
    with connect(arguments.bucket) as registry:
        live = registry.live()
        manifests = {bundle_id: registry.manifest(bundle_id) for bundle_id in registry.bundle_ids()}
    if not manifests:
        raise InputError(f"nothing was published to {arguments.bucket} yet")
    console = Console(highlight=False, width=max(140, Console().width))
    console.print(_bundles(manifests, live), soft_wrap=True)
    console.print(_history(live), soft_wrap=True)


def _bundles(manifests: Mapping[str, Mapping[str, Any]], live: Live) -> Table:
    table = Table(title="Bundles", title_justify="left")
    table.add_column("bundle")
    table.add_column("")
    table.add_column("events until")
    table.add_column("customers", justify="right")
    table.add_column("segments", justify="right")
    for target, figure in FIGURES.items():
        table.add_column(f"{target} {figure.upper() if figure == 'auc' else figure}", justify="right")
    marks = {live.bundle_id: "live", live.content.get("previous"): "previous"}
    for bundle_id, manifest in manifests.items():
        customers = sum(segment["size"] for segment in manifest["segments"])
        figures = [_figure(manifest["targets"].get(target, {}), name) for target, name in FIGURES.items()]
        until = str(manifest.get("as_of", "unknown"))[:10]
        style = "bold" if bundle_id == live.bundle_id else ""
        cells = [bundle_id, marks.get(bundle_id, ""), until, f"{customers:,}", str(len(manifest["segments"])), *figures]
        table.add_row(*cells, style=style)
    return table


def _history(live: Live) -> Table:
    table = Table(title="What went live when, newest first", title_justify="left")
    for column in ("at", "bundle", "note"):
        table.add_column(column)
    for record in reversed(live.content.get("history", [])):
        notes = [f"{words} {record[name]}" for name, words in NOTES.items() if name in record]
        notes += [f"excused: {excuse}" for excuse in record.get("excused", [])]
        table.add_row(record["published_at"], record["bundle_id"], "; ".join(notes))
    return table


def _figure(target: Mapping[str, Any], name: str) -> str:
    value = target.get("metrics", {}).get(name)
    return "-" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    sys.exit(main())
