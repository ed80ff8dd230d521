"""Looks at event files that nobody prepared, and writes a mapping by which they can be read.

`python -m training.inspect orders.csv --out mapping.toml`, then `python -m training.train --mapping mapping.toml …`.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import msgspec
import tomli_w
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shared.events import FIELDS, Event, mappings
from shared.events.event import parse_timestamp
from shared.features import EVENT_TYPES
from training.base import command
from training.base.errors import InputError
from training.data.places import event_files
from training.inspection.guess import Guesses, guess
from training.inspection.known import Known, as_it_is
from training.inspection.proposal import LARGE_SHARE, Proposal, chosen, guessed, known
from training.inspection.sample import ROWS, Sample, beginning_of, read_sample

SHOWN_ROWS = 10
MOST_NAMES = 8
COMPARED = 50
"""Files of a folder whose columns are compared with those of the first."""


def inspect(paths: Sequence[Path], out: Path, console: Console) -> None:
    """Shows what files hold, and writes the mapping. Raises InputError."""
    files = [Path(file.place) for file in event_files(paths)]
    sample = read_sample(files[0])
    guesses = guess(sample)
    console.print(Text(files[0].name, "bold"), Text(f": {_described(sample)}"), sep="")
    if sample.format != "ndjson":
        _show_others(sample, files[1 : 1 + COMPARED], console)
    if plain := as_it_is(sample):
        console.print(Text(f"These are {plain}, which are read as they are, without a mapping.", "green"))
    problems = [*_gaps(guesses)]
    proposal = chosen(None if problems else guessed(sample, guesses), known(files[0], sample, guesses))
    if proposal is None:
        _show_guesses(guesses, console)
        raise InputError("; ".join(problems))
    if proposal.known:
        _show_known(proposal.known, console)
    else:
        _show_guesses(guesses, console)
    _show_events(proposal.events, console)
    _show_refused(proposal, console)
    _show_types(proposal.events, console)
    out.write_text(proposal.document)
    console.print(Text(f"\nWrote {out}. Read it, correct what is wrong, and give it to --mapping."))


def _described(sample: Sample) -> str:
    form = {"csv": "CSV", "ndjson": "NDJSON", "parquet": "Parquet"}[sample.format]
    parts = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}.get(sample.delimiter, "blanks")
    how = (
        f" parted by {parts}, {sample.encoding}{'' if sample.header else ', without a header'}" if form == "CSV" else ""
    )
    more = "the first " if len(sample.records) >= ROWS else ""
    return f"{form}{how}; {len(sample.names)} columns; {more}{len(sample.records):,} rows were looked at"


def _show_others(sample: Sample, files: Sequence[Path], console: Console) -> None:
    """What other files call their columns, in so many words where a column has another name there."""
    others = {file: names for file in files if (names := beginning_of(file).names) != sample.names}
    if not others:
        return
    file, names = next(iter(others.items()))
    lacking = [name for name in sample.names if name not in names]
    more = [name for name in names if name not in sample.names]
    differ = f"{len(others)} of {1 + len(files)} files have other columns: {file.name}"
    if lacking:
        differ += f" has no {', '.join(lacking[:MOST_NAMES])}"
    if more:
        differ += f"{', but' if lacking else ' has'} {', '.join(more[:MOST_NAMES])}"
    console.print(Text(command.printable(differ), "yellow"))
    if len(lacking) == len(more) == 1:
        first, second = (tomli_w.dumps({"": name}).partition("= ")[2].strip() for name in (*lacking, *more))
        hint = f"If they are one and the same, the mapping says so by [{first}, {second}]."
        console.print(Text(command.printable(hint), "yellow"))


def _gaps(guesses: Guesses) -> Iterator[str]:
    """What no column was found for, all at once."""
    if "timestamp" not in guesses.fields:
        yield "no column holds times"
    if not {"customer_id", "anonymous_id"} & guesses.fields.keys():
        yield "no column says who it was: neither customers nor visitors"


def _show_guesses(guesses: Guesses, console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("field", "column", "sure", "because"):
        table.add_column(title)
    for one in guesses.fields.values():
        table.add_row(
            *map(Text, (one.field, command.printable(one.column), f"{one.confidence:.0%}", command.printable(one.why)))
        )
    for name, value in guesses.constants.items():
        table.add_row(name, f'always "{value}"', "", "no column says it")
    console.print(table)


def _show_known(export: Known, console: Console) -> None:
    title = f"This looks like {mappings.title(export.name)}: {export.share:.0%} of its columns are there."
    console.print(Text(title, "green"))
    console.print(Text(f"The mapping {export.name}, which comes with Tessera, reads it."))


def _show_events(events: Sequence[Event], console: Console) -> None:
    shown = [msgspec.structs.asdict(event) for event in islice(events, SHOWN_ROWS)]
    names = [name for name in FIELDS if any(event[name] is not None for event in shown)]
    table = Table(box=None, pad_edge=False, title=f"The first {len(shown)} events", title_justify="left")
    for name in names:
        table.add_column(name, overflow="ellipsis", max_width=26, no_wrap=True)
    for event in shown:
        table.add_row(*(Text("" if event[name] is None else _cell(name, event[name])) for name in names))
    console.print()
    console.print(table)


def _cell(name: str, value: object) -> str:
    if name == "timestamp" and isinstance(value, str | int | float):
        with suppress(ValueError, OverflowError, OSError):
            return datetime.fromtimestamp(parse_timestamp(value) / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return command.printable(str(value))


def _show_refused(proposal: Proposal, console: Console) -> None:
    colour = "red" if proposal.refused_share > LARGE_SHARE else "green"
    count, rows = proposal.refused.total(), proposal.rows
    console.print(f"\n[{colour}]{count:,} of {rows:,} rows would be refused ({proposal.refused_share:.1%})[/]")
    for reason, count in proposal.refused.most_common(10):
        console.print(Text(f"  {count:,}: {command.printable(reason)}"))
    if proposal.untold:
        console.print(f"{proposal.untold:,} rows tell no event")


def _show_types(events: Sequence[Event], console: Console) -> None:
    counts = Counter(event.event_type for event in events)
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in counts.most_common(12))
    console.print(Text(command.printable(f"Events: {kinds}")))
    if unknown := [kind for kind, _ in counts.most_common() if kind not in EVENT_TYPES]:
        share = sum(counts[kind] for kind in unknown) / counts.total()
        words = f"Words that mean nothing to Tessera, and count as other activity: {', '.join(unknown[:12])}"
        console.print(
            Text(command.printable(f"{words} ({share:.0%} of the events)"), "red" if share > LARGE_SHARE else "")
        )


def main(arguments: Sequence[str] | None = None, prog: str = "python -m training.inspect") -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog=prog, description="Propose a mapping for event files in columns of their own."
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="file or folder of event files")
    parser.add_argument("--out", type=Path, default=Path("mapping.toml"), help="where the mapping goes")
    parser.add_argument(
        "--overwrite", action="store_true", help="also where there is one, which may have been corrected"
    )
    return command.run(parser, _run, arguments)


def _run(given: argparse.Namespace) -> None:
    if given.out.exists() and not given.overwrite:
        raise InputError(f"{given.out} is there already: choose another --out, or --overwrite it")
    inspect(given.paths, given.out, Console())


if __name__ == "__main__":
    sys.exit(main())
