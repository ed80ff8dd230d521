"""Bodies of two profiles, with everything that a body may hold."""

import numpy as np

from shared.features.bodies import Bodies, StoredAttributes
from shared.features.stored_columns import COLUMNS, UNITS, Ints, Numbers

ROWS = np.array([2, 1_000])


def bodies() -> Bodies:
    columns = [np.arange(ROWS.sum()) % (i + 2) for i in range(len(COLUMNS))]
    units = [np.array([sizes[0], sizes[-1]]) for sizes in UNITS.values()]
    known = StoredAttributes(np.array([0, 2]), np.array([6, 2**41 + 1]), [b"born", b"tier"], [b"1987", b'"gold"'])
    return Bodies(Numbers(units, columns), ROWS, [b"Hats", "Überzug".encode(), b"Tea"], np.array([1, 2]), known)


def short() -> Bodies:
    """Of one profile with one row."""
    numbers = Numbers([*np.ones((3, 1), np.int64)], [*np.arange(len(COLUMNS))[:, None]])
    return Bodies(numbers, np.array([1]), [b"Hats"], np.array([1]), StoredAttributes.none(1))


def plain(read: Bodies) -> list[object]:
    """All that bodies hold, to be compared."""
    known = read.attributes
    arrays: list[Ints] = [*read.numbers.units, *read.numbers.columns, read.rows, read.categories, known.counts]
    return [*(array.tolist() for array in (*arrays, known.said)), read.names, known.names, known.values]
