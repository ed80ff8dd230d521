"""The columns of histories as they are stored: whole numbers from 0, as small as can be.

One table says which columns there are, in what order, and what becomes of each: an amount is counted in the coarsest
unit that is exact, an id is its position in a dictionary of its profile, and what is near another number is the
difference from it. The table drives both ways.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.features.columns import COLUMN_TYPES, Rows
from shared.features.varint import unzigzag, zigzag

type Ints = NDArray[np.int64]

UNITS = {"time": (1, 1_000, 60_000), "money": (1, 100, 10_000), "engagement": (1, 1_000, 60_000)}
"""The sizes that each unit may have, in the order in which a profile names those that it takes."""

PREVIOUS = "the row before"
NEWEST = "the newest of the dictionary"
TIME = "time_ms"


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """What is stored of a column of `Rows`."""

    name: str
    since: int = 1
    """The version from which on it is stored; before, it was 0 everywhere."""
    unit: str | None = None
    """What its values are divided by, of UNITS."""
    dictionary: str | None = None
    """Where its values stand; stored are their positions, from 1, and 0 for none. Columns may share one."""
    less: str | None = None
    """What is subtracted: the same of the row before, in its profile, or another column's of the row; of NEWEST, how
    long ago a value was new is counted, so that new ones take little: 0 for none, 1 for one that is new, 2 for the
    newest so far, and so on."""
    signed: bool = False
    """Whether a difference may be negative."""
    lasts: bool = False
    """Whether a row often has what the row before has."""


COLUMNS = (
    StoredColumn(TIME, unit="time", less=PREVIOUS),
    StoredColumn("kind", lasts=True),
    StoredColumn("session", dictionary="ids", less=PREVIOUS, signed=True),
    StoredColumn("order", dictionary="ids", less="session", signed=True, lasts=True),
    StoredColumn("category", dictionary="categories"),
    StoredColumn("brand", dictionary="brands"),
    StoredColumn("net", unit="money"),
    StoredColumn("discount", unit="money"),
    StoredColumn("engagement_ms", unit="engagement"),
    StoredColumn("device", lasts=True),
    StoredColumn("channel", since=2, lasts=True),
    StoredColumn("product", since=3, dictionary="products", less=NEWEST),
    StoredColumn("campaign", since=3, dictionary="categories"),
    StoredColumn("arm", since=3),
)
"""Every column but the fingerprints, which are stored as they are. New ones come last."""

_COUNTED_IN = {unit: [column.name for column in COLUMNS if column.unit == unit] for unit in UNITS}
_LISTED_IN = {
    dictionary: [column.name for column in COLUMNS if column.dictionary == dictionary]
    for dictionary in dict.fromkeys(column.dictionary for column in COLUMNS if column.dictionary)
}
NAMED = "categories"
"""The dictionary whose values stand for names, which are stored in their place."""
HASHED = tuple(name for name in _LISTED_IN if name != NAMED)
"""The dictionaries whose values are stored as they are."""


@dataclass(frozen=True, slots=True)
class Dictionary:
    """The different values that profiles have, one profile after the other, each in order of first appearance."""

    values: NDArray[np.uint32]
    counts: Ints
    """How many each profile has [n_profiles]."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """What is stored of the rows of many profiles, but for fingerprints and dictionaries."""

    units: list[Ints]
    """One for each of UNITS: what each profile counts in [n_profiles each]."""
    columns: list[Ints]
    """One for each of COLUMNS [n_rows each]."""


def columns_of(version: int) -> int:
    """How many columns a version stores."""
    return sum(column.since <= version for column in COLUMNS)


def to_numbers(rows: Rows, starts: Ints) -> tuple[Numbers, dict[str, Dictionary]]:
    """What to store of `rows`, of which those of profile i are starts[i]:starts[i + 1], at least one of each."""
    owner = _owner(starts)
    units = {
        name: _coarsest_unit(sizes, starts, [getattr(rows, member) for member in _COUNTED_IN[name]])
        for name, sizes in UNITS.items()
    }
    dictionaries: dict[str, Dictionary] = {}
    positions: dict[str, Ints] = {}
    for name, members in _LISTED_IN.items():
        dictionaries[name], own = _dictionary(owner, len(starts) - 1, [getattr(rows, member) for member in members])
        positions |= zip(members, own, strict=True)
    plain: dict[str, Ints] = {}
    columns: list[Ints] = []
    for column in COLUMNS:
        values = positions[column.name] if column.dictionary else getattr(rows, column.name)
        plain[column.name] = values // units[column.unit][owner] if column.unit else values
        columns.append(_subtracted(column, plain, starts) if column.less else plain[column.name])
    return Numbers([*units.values()], columns), dictionaries


def to_rows(
    numbers: Numbers, dictionaries: Mapping[str, Dictionary], fingerprint: NDArray[np.uint64], starts: Ints
) -> Rows:
    """The rows that the numbers were made of. Raises IndexError where they name what is in no dictionary."""
    owner = _owner(starts)
    units = dict(zip(UNITS, numbers.units, strict=True))
    plain: dict[str, Ints] = {}
    columns: dict[str, NDArray[Any]] = {}
    for column, stored in zip(COLUMNS, numbers.columns, strict=True):
        values = plain[column.name] = _added(column, stored, plain, starts) if column.less else stored
        if column.dictionary:
            columns[column.name] = _look_up(dictionaries[column.dictionary], owner, values)
        elif column.unit:
            columns[column.name] = values * units[column.unit][owner]
        else:
            columns[column.name] = values.astype(COLUMN_TYPES[column.name])
    return Rows(fingerprint=fingerprint, **columns)


def _owner(starts: Ints) -> Ints:
    return np.repeat(np.arange(len(starts) - 1), starts[1:] - starts[:-1])


def _subtracted(column: StoredColumn, plain: Mapping[str, Ints], starts: Ints) -> Ints:
    values = plain[column.name]
    if column.less == PREVIOUS:
        values = _differences(values, starts)
    elif column.less == NEWEST:
        values = np.where(values > 0, _newest_before(values, starts) + 2 - values, 0)
    elif column.less:
        values = values - plain[column.less]
    return zigzag(values).view(np.int64) if column.signed else values


def _added(column: StoredColumn, numbers: Ints, plain: Mapping[str, Ints], starts: Ints) -> Ints:
    """What `_subtracted` made the numbers of; `plain` holds the columns before."""
    values = unzigzag(numbers) if column.signed else numbers
    if column.less == PREVIOUS:
        return _running_sum(values, starts)
    if column.less == NEWEST:
        new = (values == 1).astype(np.int64)
        return np.where(values > 0, _running_sum(new, starts) - new + 2 - values, 0)
    return values + plain[column.less] if column.less else values


def _newest_before(positions: Ints, starts: Ints) -> Ints:
    """The largest of the positions before each one in the same profile, 0 for the first."""
    floor = _owner(starts) * (1 + positions.max(initial=0))
    newest = np.maximum.accumulate(floor + positions) - floor
    before = np.concatenate(([0], newest[:-1]))
    before[starts[:-1]] = 0
    return before


def _differences(column: Ints, starts: Ints) -> Ints:
    """Each value less the one before it in the same profile; the first stands as it is."""
    out = np.diff(column, prepend=0)
    out[starts[:-1]] = column[starts[:-1]]
    return out


def _running_sum(column: Ints, starts: Ints) -> Ints:
    total = np.cumsum(column)
    before = total[starts[:-1]] - column[starts[:-1]]
    return total - np.repeat(before, starts[1:] - starts[:-1])


def _coarsest_unit(sizes: Sequence[int], starts: Ints, columns: Sequence[Ints]) -> Ints:
    """The largest of `sizes`, the smallest first, that divides all of a profile's values in `columns` [n_profiles]."""
    best = np.full(len(starts) - 1, sizes[0], np.int64)
    for size in sizes[1:]:
        remainders = np.logical_or.reduce([column % size != 0 for column in columns])
        best[~np.logical_or.reduceat(remainders, starts[:-1])] = size
    return best


def _dictionary(owner: Ints, n_profiles: int, columns: Sequence[NDArray[np.uint32]]) -> tuple[Dictionary, Ints]:
    """The different values of each profile in `columns`, and the position of each row's value among those of its
    profile, from 1; 0 for none [n_columns, n_rows]."""
    values = np.column_stack(columns).ravel().astype(np.uint64)
    used = np.flatnonzero(values > 0)
    owners = owner[used // len(columns)]
    each = owners.astype(np.uint64) << np.uint64(32) | values[used]
    runs = np.flatnonzero(np.append(True, each[1:] != each[:-1])[: len(each)])  # values often come many times in a row
    _, first, inverse = np.unique(each[runs], return_index=True, return_inverse=True)
    is_first = np.zeros(len(runs), bool)
    is_first[first] = True
    pairs = each[runs[is_first]]
    counts = np.bincount((pairs >> np.uint64(32)).astype(np.int64), minlength=n_profiles)
    starts = np.cumsum(counts) - counts
    position = np.cumsum(is_first)[first][inverse]
    positions = np.zeros(len(values), np.int64)
    positions[used] = np.repeat(position, np.diff(runs, append=len(each))) - starts[owners]
    dictionary = Dictionary((pairs & np.uint64(0xFFFFFFFF)).astype(np.uint32), counts)
    return dictionary, positions.reshape(-1, len(columns)).T


def _look_up(dictionary: Dictionary, owner: Ints, positions: Ints) -> NDArray[np.uint32]:
    starts = np.cumsum(dictionary.counts) - dictionary.counts
    padded = np.concatenate((np.zeros(1, np.uint32), dictionary.values))
    return padded[np.where(positions > 0, starts[owner] + positions, 0)]
