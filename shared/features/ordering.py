"""Rows of many profiles in one order, and each event once: the part of a set's union that is sorting."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.features.columns import OTHER, OWN_TYPES, Rows

FINGERPRINT_BITS = 40

PRECEDENCE = (
    "time_ms", "net", "discount", "engagement_ms", "kind", "device", "session", "order", "category", "brand",
    "channel", "product", "campaign", "arm",
)  # fmt: skip
"""Of rows with one fingerprint the last in this order stands: the latest, and of equal times the one with the larger
amounts."""


def each_once(owner: NDArray[np.int64], rows: Rows) -> tuple[NDArray[np.int64], Rows]:
    """One row for each distinct (owner, fingerprint), in any order: of several, PRECEDENCE's last.

    As that is the latest, a profile that is full stays a function of the set that came in: where the last row of an id
    is among those dropped, its earlier ones would be as well.
    """
    ids = packed(owner, rows.fingerprint)
    if not _equals_previous(np.sort(ids, kind="stable")).any():
        return owner, rows
    once = _last_of_each(ids, rows)
    return owner[once], rows.take(once)


def _last_of_each(ids: NDArray[np.uint64], rows: Rows) -> NDArray[np.intp]:
    """Position of PRECEDENCE's last among the rows of each id."""
    order = np.argsort(ids)
    repeats = _equals_previous(ids[order])
    one, other = order[repeats], order[np.flatnonzero(repeats) - 1]
    if any((column[one] != column[other]).any() for column in rows.columns()):
        # One id with differing contents: only an order over every column makes the same one win everywhere.
        several = _with_previous(repeats)
        some = order[several]
        ranks = [getattr(rows, name)[some] for name in reversed(PRECEDENCE)]
        # Which row stands must not hang on which types of the shop's own are told apart: they decide last.
        kind = rows.kind[some]
        ranks[-1 - PRECEDENCE.index("kind")] = np.where(kind >= OWN_TYPES, OTHER, kind)
        order[several] = some[np.lexsort((kind, *ranks, ids[some]))]
    last = np.ones(len(order), bool)
    last[:-1] = ~repeats[1:]
    return order[last]


def in_order(owner: NDArray[np.int64], time_ms: NDArray[np.int64], fingerprint: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Positions in the order of owner, time and fingerprint."""
    instant = packed(owner, time_ms - time_ms.min(initial=0))
    spare = 64 - int(instant.max(initial=0)).bit_length()
    cut = max(FINGERPRINT_BITS - spare, 0)  # as much of the fingerprint as there is room for settles nearly all ties
    key = instant << np.uint64(FINGERPRINT_BITS - cut) | fingerprint >> np.uint64(cut)
    order = np.argsort(key, kind="stable")  # quicker, as rows come by time or by customer, mostly
    tied = _equals_previous(key[order]) if cut else np.zeros(len(order), bool)
    if tied.any():
        tied = _with_previous(tied)
        some = order[tied]
        order[tied] = some[np.lexsort((fingerprint[some], key[some]))]
    return order


def packed(high: NDArray[np.int64], low: NDArray[Any]) -> NDArray[np.uint64]:
    """Both in one number, in the order of `high` and then `low`: one such key sorts ten times as fast as two.

    Raises OverflowError where they do not fit in 64 bits: the batch holds too many profiles at once.
    """
    low_bits = int(low.max(initial=0)).bit_length()
    if int(high.max(initial=0)).bit_length() + low_bits > 64:
        raise OverflowError(f"{high.max():,} and {low.max():,} do not fit in one sort key: use smaller batches")
    return high.astype(np.uint64) << np.uint64(low_bits) | low.astype(np.uint64)


def _equals_previous(values: NDArray[Any]) -> NDArray[np.bool_]:
    equal = np.zeros(len(values), bool)
    equal[1:] = values[1:] == values[:-1]
    return equal


def _with_previous(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What is flagged, and what stands before it."""
    both = flags.copy()
    both[:-1] |= flags[1:]
    return both
