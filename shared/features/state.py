"""The profile state: what is kept of every customer, as a set of events, and what these say of them.

A set is the whole trick. Its union is commutative, associative and idempotent, so any order of events, any split into
batches and any repetition end in the same state, and every feature can be computed exactly at any instant.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from shared.durations import DAY_MS
from shared.features.attributes import Attributes
from shared.features.columns import CAMPAIGN_EXPOSURE, EventColumns, Rows
from shared.features.ordering import FINGERPRINT_BITS, each_once, in_order

MOST_EVENTS = 6_000
"""Events kept of one customer, the latest ones. Keeping the latest commutes with union, so the state stays a function
of the set of events that came in."""

SKETCHED = 256
"""Fingerprints that stand for all events ever seen of a customer with more than MOST_EVENTS: the smallest ones. How
small they are tells how many there were, to about 1 / sqrt(SKETCHED); a repeat changes nothing. Z. Bar-Yossef et al.,
Counting Distinct Elements in a Data Stream, RANDOM 2002."""


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
    attributes: Attributes = field(default_factory=Attributes.none)
    """What is known of the profiles, by their index."""

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def event_counts(self) -> NDArray[np.int64]:
        """Events kept of each profile [n_profiles]."""
        return self.starts[1:] - self.starts[:-1]

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
        """Whether a profile has more events than a person makes: MOST_EVENTS within KEPT_DAYS [n_profiles].

        Campaigns make nobody a machine: where more than half of the events are exposures, it is not.
        """
        full = self.event_counts == MOST_EVENTS
        automated: NDArray[np.bool_] = full & (self.last_event_ms - self.first_event_ms < KEPT_DAYS * DAY_MS)
        if automated.any():
            exposures = np.bincount(self.owner, self.rows.kind == CAMPAIGN_EXPOSURE, minlength=len(self))
            automated &= 2 * exposures <= MOST_EVENTS
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
        attributes = self.attributes.take(at, len(self))
        return type(self)(keys, starts, rows, self.category_names, sketches, attributes)

    def rows_of(self, i: int) -> Rows:
        """The events of the profile at a position."""
        return self.rows.take(slice(int(self.starts[i]), int(self.starts[i + 1])))

    def part(self, begin: int, end: int) -> Self:
        """The profiles from one position up to another, as they are in these where they can be."""
        rows = self.rows.take(slice(int(self.starts[begin]), int(self.starts[end])))
        some = slice(*np.searchsorted(self.attributes.owner, (begin, end)).tolist())
        attributes = replace(self.attributes.where(some), owner=self.attributes.owner[some] - begin)
        starts = self.starts[begin : end + 1] - self.starts[begin]
        return type(self)(self.keys[begin:end], starts, rows, self.category_names, self.sketches, attributes)

    @classmethod
    def empty(cls) -> Self:
        """No profiles."""
        return cls([], np.zeros(1, np.int64), Rows.empty(), {})


def fold(*events: EventColumns) -> Profiles:
    """The state after all of `events` and nothing else: every distinct event once, whatever their order."""
    keys, places = _together([part.keys for part in events])
    owners = [place[part.profile] for place, part in zip(places, events, strict=True)]
    names = _united([part.category_names for part in events])
    attributes = Attributes.united([part.attributes for part in events], places)
    return _profiles(keys, owners, [part.rows for part in events], names, attributes)


def merge(*states: Profiles) -> Profiles:
    """The union of states, profile by profile and event by event: all sorted once, however many."""
    keys, places = _together([state.keys for state in states])
    owners = [np.repeat(place, state.event_counts) for place, state in zip(places, states, strict=True)]
    sketches: dict[str, Sketch] = {}
    for state in states:
        for key, sketch in state.sketches.items():
            sketches[key] = _sketch(sketches.get(key, _NOTHING), sketch)
    names = _united([state.category_names for state in states])
    attributes = Attributes.united([state.attributes for state in states], places)
    return _profiles(keys, owners, [state.rows for state in states], names, attributes, sketches)


def until(profiles: Profiles, until_ms: int) -> Profiles:
    """The same without the events from an instant on, in UTC milliseconds; who has none before it stays, empty.

    Of an attribute that was said anew since then, the value before is not known any more: it is left out.
    """
    kept = profiles.rows.time_ms < until_ms
    starts = np.concatenate(([0], np.cumsum(kept)))[profiles.starts]
    attributes = profiles.attributes.where(profiles.attributes.time_ms < until_ms)
    return replace(profiles, rows=profiles.rows.take(kept), starts=starts, attributes=attributes)


def since(profiles: Profiles, from_ms: Mapping[str, int]) -> Profiles:
    """The same without what is known of some, by key, from before an instant of theirs in UTC milliseconds."""
    limits = np.array([from_ms.get(key, 0) for key in profiles.keys], np.int64)
    kept = profiles.rows.time_ms >= limits[profiles.owner] if len(profiles) else np.zeros(0, bool)
    counts = np.bincount(profiles.owner[kept], minlength=len(profiles))
    present = np.flatnonzero(counts)
    keys = [profiles.keys[i] for i in present]
    starts = np.concatenate(([0], np.cumsum(counts[present])))
    sketches = {key: sketch for key, sketch in profiles.sketches.items() if key not in from_ms}
    rows = profiles.rows.take(np.flatnonzero(kept))
    attributes = profiles.attributes.where(profiles.attributes.time_ms >= limits[profiles.attributes.owner])
    attributes = attributes.take(present, len(profiles))
    return Profiles(keys, starts, rows, profiles.category_names, sketches, attributes)


def changed(before: Profiles, after: Profiles) -> NDArray[np.intp]:
    """Positions in `after` of the profiles that `before` does not hold exactly so; `after` holds all its keys."""
    position = {key: i for i, key in enumerate(after.keys)}
    at = np.array([position[key] for key in before.keys], np.intp)
    same = np.zeros(len(after), bool)
    same[at] = before.event_counts == after.event_counts[at]
    old, new = before.take(np.flatnonzero(same[at])), after.take(np.flatnonzero(same))
    differs = np.logical_or.reduce([a != b for a, b in zip(old.rows.columns(), new.rows.columns(), strict=True)])
    same[same] = (np.bincount(new.owner, differs, minlength=len(new)) == 0) & ~new.attributes.differing(
        old.attributes, len(new)
    )
    for key, sketch in after.sketches.items():
        same[position[key]] &= np.array_equal(sketch, before.sketches.get(key, _NOTHING))
    return np.flatnonzero(~same)


def _together(parts: list[list[str]]) -> tuple[list[str], list[NDArray[np.int64]]]:
    """All keys, sorted, and where among them those of each part are."""
    keys = sorted(set().union(*parts))
    position = {key: i for i, key in enumerate(keys)}
    return keys, [np.fromiter(map(position.__getitem__, part), np.int64, len(part)) for part in parts]


def _united(parts: list[dict[int, str]]) -> dict[int, str]:
    names: dict[int, str] = {}
    for part in parts:
        for code, name in part.items():  # two names with one hash: the smaller stands for both, whichever came first
            names[code] = min(names.get(code, name), name)
    return names


def _sketch(*fingerprints: Sketch) -> Sketch:
    return np.unique(np.concatenate(fingerprints))[:SKETCHED]


def _profiles(
    keys: list[str],
    owners: list[NDArray[np.int64]],
    parts: list[Rows],
    category_names: dict[int, str],
    attributes: Attributes,
    sketches: Mapping[str, Sketch] = MappingProxyType({}),
) -> Profiles:
    """The rows of all parts in the one order of `Profiles`, each event once; who has none is left out."""
    owner, rows = each_once(np.concatenate([_NOBODY, *owners]), Rows.concatenate(parts))
    order = in_order(owner, rows.time_ms, rows.fingerprint)
    counts = np.bincount(owner, minlength=len(keys))
    sketched = _sketched(keys, owner, rows.fingerprint, sketches)
    if counts.max(initial=0) > MOST_EVENTS:
        order = order[_followers(counts) < MOST_EVENTS]
        counts = np.minimum(counts, MOST_EVENTS)
    present = np.flatnonzero(counts)
    starts = np.concatenate(([0], np.cumsum(counts[present])))
    attributes = attributes.take(present, len(keys))
    return Profiles([keys[i] for i in present], starts, rows.take(order), category_names, sketched, attributes)


def _followers(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where `counts[i]` rows of profile i stand together, how many of its profile's rows follow each row [n_rows]."""
    return np.repeat(np.cumsum(counts), counts) - 1 - np.arange(counts.sum())


def _sketched(
    keys: list[str], owner: NDArray[np.int64], fingerprint: Sketch, known: Mapping[str, Sketch]
) -> dict[str, Sketch]:
    """The sketches of those who have more than MOST_EVENTS, or had so before."""
    counts = np.bincount(owner, minlength=len(keys))
    if not known and counts.max(initial=0) <= MOST_EVENTS:
        return {}  # as nearly always, without a look at every key
    return {
        key: _sketch(known.get(key, _NOTHING), fingerprint[owner == i])
        for i, key in enumerate(keys)
        if counts[i] > MOST_EVENTS or key in known
    }
