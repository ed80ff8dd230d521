"""What the columns of a table of events may be called, be it CSV or Parquet."""

from collections import Counter
from collections.abc import Sequence

from shared.events.dialects import dialect_of
from shared.events.event import FIELDS
from shared.events.streams import UnreadableFile

MOST_COLUMNS = 1_000
"""Of a table: beyond any shop's, and few enough for a statement that names them all."""
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def check_names(names: Sequence[str], table: str = "it") -> None:
    """Raises UnreadableFile where columns of these names cannot hold events; the names themselves may be anybody's."""
    missing = [name for name in ("event_type", "timestamp") if name not in names]
    if missing and dialect_of(names) is None:
        raise UnreadableFile(f"{table} has no column {' and no column '.join(missing)}, but {_described(names)}")
    if repeated := sorted(name for name, count in Counter(names).items() if count > 1):
        known = [name for name in repeated if name in FIELDS]
        others = len(repeated) - len(known)
        listed = [*known, *([f"{others:,} other column{'s' * (others != 1)}"] if others else [])]
        raise UnreadableFile(f"{table} names {', '.join(listed)} more than once")


def _described(names: Sequence[str]) -> str:
    """What columns there are, of others' names none, and what may be wrong with them."""
    known = [name for name in FIELDS if name in names]
    columns = f"{len(names):,} column{'s' * (len(names) != 1)}, of the contract's {', '.join(known) or 'none'}"
    separator = next((what for mark, what in _SEPARATORS.items() if len(names) == 1 and mark in names[0]), None)
    return f"{columns}; {separator} separate values where commas must" if separator else columns
