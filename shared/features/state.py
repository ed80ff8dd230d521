"""The profile state: what is kept of every customer, as a set of events.

A set is the whole trick. Its union is commutative, associative and idempotent, so any order of events, any split into
batches and any repetition end in the same state, and every feature can be computed exactly at any instant.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from shared.features.columns import DAY_MS, EventColumns, Rows

MOST_EVENTS = 6_000
"""Events kept of one customer, the latest ones. Keeping the latest commutes with union, so the state stays a function
of the set of events that came in."""

SKETCHED = 256
"""Fingerprints that stand for all events ever seen of a customer with more than MOST_EVENTS: the smallest ones. How
small they are tells how many there were, to about 1 / sqrt(SKETCHED); a repeat changes nothing. Z. Bar-Yossef et al.,
Counting Distinct Elements in a Data Stream, RANDOM 2002."""

FINGERPRINT_BITS = 40

KEPT_DAYS = 400
"""A profile that is full with events of fewer days is not a person's."""

type Sketch = NDArray[np.uint64]
_NOTHING: Sketch = np.empty(0, np.uint64)
_NOBODY = np.empty(0, np.int64)


@dataclass(frozen=True)
class Profiles:
    """The histories of many customers: rows sorted by profile, time and fingerprint, each event once."""

    keys: list[str]
    """Profile keys, sorted [n_profiles]."""
    starts: NDArray[np.int64]
    """Rows of profile i are starts[i]:starts[i + 1] [n_profiles + 1]."""
    rows: Rows
    category_names: dict[int, str]
    sketches: dict[str, Sketch] = field(default_factory=dict)
    """Of the profiles that have had more than MOST_EVENTS, by key."""

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def event_counts(self) -> NDArray[np.int64]:
        """Events kept of each profile [n_profiles]."""
        return np.diff(self.starts)

    @property
    def event_totals(self) -> NDArray[np.int64]:
        """Distinct events of each profile ever: exact up to MOST_EVENTS, an estimate beyond [n_profiles]."""
        totals = self.event_counts
        for key, sketch in self.sketches.items():
            estimate = (len(sketch) - 1) * 2**FINGERPRINT_BITS // int(sketch[-1])
            totals[self.keys.index(key)] = max(estimate, MOST_EVENTS)
        return totals

    @property
    def first_event_ms(self) -> NDArray[np.int64]:
        """Time of each profile's earliest event, UTC milliseconds [n_profiles]."""
        return self.rows.time_ms[self.starts[:-1]]

    @property
    def last_event_ms(self) -> NDArray[np.int64]:
        """Time of each profile's latest event, UTC milliseconds [n_profiles]."""
        return self.rows.time_ms[self.starts[1:] - 1]

    @property
    def automated(self) -> NDArray[np.bool_]:
        """Whether a profile has more events than a person makes: MOST_EVENTS within KEPT_DAYS [n_profiles]."""
        full = self.event_counts == MOST_EVENTS
        automated: NDArray[np.bool_] = full & (self.last_event_ms - self.first_event_ms < KEPT_DAYS * DAY_MS)
        return automated

    @property
    def owner(self) -> NDArray[np.int64]:
        """Index of the profile that each row belongs to [n_rows]."""
        return np.repeat(np.arange(len(self)), self.event_counts)

    def take(self, at: NDArray[np.intp] | list[int]) -> Self:
        """The profiles at the positions `at`, which must be ascending."""
        at = np.asarray(at, np.intp)
        counts = self.event_counts[at]
        starts = np.concatenate(([0], np.cumsum(counts)))
        rows = self.rows.take(np.repeat(self.starts[at] - starts[:-1], counts) + np.arange(starts[-1]))
        keys = [self.keys[i] for i in at]
        sketches = {key: self.sketches[key] for key in keys if key in self.sketches} if self.sketches else {}
        return type(self)(keys, starts, rows, self.category_names, sketches)

    @classmethod
    def empty(cls) -> Self:
        """No profiles."""
        return cls([], np.zeros(1, np.int64), Rows.empty(), {})


def fold(events: EventColumns) -> Profiles:
    """The state after `events` and nothing else: every distinct event once, whatever their order."""
    ranked = sorted(range(len(events.keys)), key=events.keys.__getitem__)
    rank = np.empty(len(ranked), np.int64)
    rank[ranked] = np.arange(len(ranked))
    keys = [events.keys[i] for i in ranked]
    return _settle(keys, rank[events.profile], events.rows, events.category_names)


def merge(*states: Profiles) -> Profiles:
    """The union of states, profile by profile and event by event: all sorted once, however many."""
    keys = sorted({key for state in states for key in state.keys})
    position = {key: i for i, key in enumerate(keys)}
    owners = [np.array([position[key] for key in state.keys], np.int64)[state.owner] for state in states]
    sketches: dict[str, Sketch] = {}
    names: dict[int, str] = {}
    for state in states:
        for key, sketch in state.sketches.items():
            sketches[key] = _sketch(sketches.get(key, _NOTHING), sketch)
        names = _united(names, state.category_names)
    rows = Rows.concatenate([state.rows for state in states])
    return _settle(keys, np.concatenate([_NOBODY, *owners]), rows, names, sketches)


def changed(before: Profiles, after: Profiles) -> NDArray[np.intp]:
    """Positions in `after` of the profiles that `before` does not hold exactly so; `after` holds all its keys."""
    position = {key: i for i, key in enumerate(after.keys)}
    at = np.array([position[key] for key in before.keys], np.intp)
    same = np.zeros(len(after), bool)
    same[at] = before.event_counts == after.event_counts[at]
    old, new = before.take(np.flatnonzero(same[at])), after.take(np.flatnonzero(same))
    differs = np.logical_or.reduce([a != b for a, b in zip(old.rows.columns(), new.rows.columns(), strict=True)])
    same[same] = np.bincount(new.owner, differs, minlength=len(new)) == 0
    for key, sketch in after.sketches.items():
        same[position[key]] &= np.array_equal(sketch, before.sketches.get(key, _NOTHING))
    return np.flatnonzero(~same)


def _united(a: dict[int, str], b: dict[int, str]) -> dict[int, str]:
    # Two names with one hash: the smaller stands for both, whichever came first.
    return {**a, **b, **{code: min(a[code], b[code]) for code in a.keys() & b.keys()}}


def _sketch(*fingerprints: Sketch) -> Sketch:
    return np.unique(np.concatenate(fingerprints))[:SKETCHED]


def _settle(
    keys: list[str],
    owner: NDArray[np.int64],
    rows: Rows,
    category_names: dict[int, str],
    sketches: Mapping[str, Sketch] = MappingProxyType({}),
) -> Profiles:
    """Sort rows into the canonical order and keep each event once; profiles without rows are left out."""
    once = _once_each(owner, rows)
    owner, time_ms, fingerprint = owner[once], rows.time_ms[once], rows.fingerprint[once]
    order = np.argsort(_packed(owner, time_ms - time_ms.min(initial=0)))
    instant = np.cumsum(~_equals_previous(owner[order], time_ms[order]))
    order = order[np.argsort(_packed(instant, fingerprint[order]))]
    counts = np.bincount(owner, minlength=len(keys))
    sketched = {
        keys[i]: _sketch(sketches.get(keys[i], _NOTHING), fingerprint[owner == i])
        for i in range(len(keys) if sketches or counts.max(initial=0) > MOST_EVENTS else 0)
        if counts[i] > MOST_EVENTS or keys[i] in sketches
    }
    if counts.max(initial=0) > MOST_EVENTS:
        order = order[_newer_after(counts) < MOST_EVENTS]
        counts = np.minimum(counts, MOST_EVENTS)
    present = np.flatnonzero(counts)
    starts = np.concatenate(([0], np.cumsum(counts[present])))
    return Profiles([keys[i] for i in present], starts, rows.take(once[order]), category_names, sketched)


def _newer_after(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of each row of profiles with `counts` sorted rows, how many rows of its profile come after it."""
    return np.repeat(np.cumsum(counts), counts) - 1 - np.arange(counts.sum())


def _once_each(owner: NDArray[np.int64], rows: Rows) -> NDArray[np.intp]:
    """Positions of one row for each distinct (owner, fingerprint): the earliest, whatever the order of `rows`."""
    order = np.argsort(_packed(owner, rows.fingerprint))
    repeats = _equals_previous(owner[order], rows.fingerprint[order])
    columns = rows.columns()
    if repeats.any() and not _equals_previous(*(column[order] for column in columns))[repeats].all():
        # One id with differing contents: only an order over every column makes the same one win everywhere.
        order = np.lexsort((*columns[::-1], rows.fingerprint, owner))
    return order[~repeats]


def _packed(high: NDArray[np.int64], low: NDArray[Any]) -> NDArray[np.uint64]:
    """Both in one number, in the order of `high` and then `low`: one such key sorts ten times as fast as two.

    Raises OverflowError where they do not fit in 64 bits: the batch holds too many profiles at once.
    """
    low_bits = int(low.max(initial=0)).bit_length()
    if int(high.max(initial=0)).bit_length() + low_bits > 64:
        raise OverflowError(f"{high.max():,} and {low.max():,} do not fit in one sort key: use smaller batches")
    return high.astype(np.uint64) << np.uint64(low_bits) | low.astype(np.uint64)


def _equals_previous(*columns: NDArray[Any]) -> NDArray[np.bool_]:
    equal = np.zeros(len(columns[0]), bool)
    equal[1:] = np.logical_and.reduce([column[1:] == column[:-1] for column in columns])
    return equal
