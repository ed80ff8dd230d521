"""Writes the tables that are exported as Markdown: `python -m shared.exports > docs/exports.md`."""

import sys

from shared.exports.schema import Growth, Kind, Table
from shared.exports.tables import TABLES
from shared.features import FEATURES

_HEAD = """\
# Exports

Every night, and whenever `tessera export` asks for it, all that the stack knows is written as Parquet into the data
bucket: `exports/<table>/date=YYYY-MM-DD/*.parquet`, the date being the snapshot's day in the shop's time zone.
[Warehouses](warehouse.md) read it as it lies there.

A **snapshot** holds all of a table at that date's instant: one date is enough, and dates beside each other are its
history. An **increment** holds what was recorded since the snapshot before: all dates together are all of it, and no
row is in two of them. Running a date again replaces it; two runs of a date at once give way to the first.

`snapshots` says which dates are whole: it is written last. While a run is at work, or after one that was killed,
objects of its date are there that no row of `snapshots` counts; the next run of the date takes them away. Beside the
objects stands `_manifest.json` with the rows and bytes of each of them.

Events are kept by the hashes of what they name, but for categories and campaigns: `order_code`, `product_code` and
`brand_code` are the first 32 bits of a hash ([below](#codes)), equal where the texts are.

All times are UTC. A column may be NULL where it is not part of the key.

Made by `python -m shared.exports > docs/exports.md` from `shared/exports/tables.py`.
"""

_CODES = """\
## Codes

`product_code` of `shared/events/columns.py` gives the code of an id, to join with tables of your own.
"""

_KINDS = {
    Kind.TEXT: "text",
    Kind.TEXTS: "list of texts",
    Kind.WHOLE: "whole number",
    Kind.FLOAT: "number, 32 bits",
    Kind.NUMBER: "number, 64 bits",
    Kind.MONEY: "decimal, 4 places",
    Kind.FLAG: "true or false",
    Kind.TIME: "time",
    Kind.BYTES: "bytes",
}
_GROWTHS = {
    Growth.SNAPSHOT: "A snapshot",
    Growth.INCREMENT: "An increment",
}
_FEATURES = {feature.name for feature in FEATURES}


def markdown() -> str:
    """The page, a table of columns a table."""
    return "\n".join([_HEAD, *(line for table in TABLES for line in _section(table)), _CODES])


def _section(table: Table) -> list[str]:
    key = ", ".join(f"`{name}`" for name in table.key)
    lines = [f"## {table.name}", "", f"{table.meaning} {_GROWTHS[table.growth]}; one row for each {key}.", ""]
    lines += ["| column | type | what it says |", "|---|---|---|"]
    own = [column for column in table.columns if column.name not in _FEATURES]
    lines += [f"| `{column.name}` | {_KINDS[column.kind]} | {column.meaning} |" for column in own]
    if len(own) < len(table.columns):
        lines += [f"| … | {_KINDS[Kind.FLOAT]} | the {len(FEATURES)} [features](features.md), each under its name |"]
    return [*lines, ""]


if __name__ == "__main__":
    sys.stdout.write(markdown())
