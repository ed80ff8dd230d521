"""What a bundle's customers and days were like in training, as histograms at many instants, to hold nights against.

It stands beside the bundle as DISTRIBUTION_FILE, and is read by nobody but who looks for drift.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.drift import measures
from shared.drift.measures import Floats, Values
from shared.drift.stability import Counts
from shared.durations import DAY_MS
from shared.features import Profiles
from shared.models.bundle import Bundle

FORMAT = 1
BINS = 10
"""At most, beside the one of what is undefined."""
LEAST_SHARE = 0.005
"""Of a kind of event; rarer ones are counted together."""
OTHERS = "others"

CUSTOMER_DAYS = (*range(0, 60, 5), *range(60, 240, 30), *range(240, 421, 6))
"""At which instants customers are looked at, in days before the bundle's: more than a year back, on all weekdays."""
FLOW_DAYS = (*range(60), *range(60, 421, 5))
"""Which days are."""
MOST_BYTES = 16 << 20
MOST_INSTANTS = 1_000
"""Of a measure: sums over them stay whole numbers."""
RECENT_DAYS = 28
"""Together they are what a night is held against."""


class Measure(msgspec.Struct, frozen=True):
    """One measure: its bins, and how many were in each at instants past."""

    days_ago: list[int]
    """Of each histogram, before the bundle's own instant."""
    counts: list[list[int]]
    """[n_histograms][n_bins]"""
    edges: list[float] | None = None
    """Of numbers: a bin ends with each of them, one is for what lies beyond, and the last for what is undefined."""
    labels: list[str] | None = None
    """Of kinds: a bin each; what is none of them is in the last."""

    @property
    def bins(self) -> int:
        """How many there are."""
        return len(self.edges) + 2 if self.edges is not None else len(self.labels or ())

    @property
    def matrix(self) -> NDArray[np.int64]:
        """The histograms [n_histograms, n_bins]."""
        return np.array(self.counts, np.int64).reshape(len(self.days_ago), self.bins)

    def histogram(self, value: Floats, labels: Sequence[str] | None = None) -> Counts:
        """How many of the values, or of `labels` by their number, are in each bin [n_bins]."""
        if self.edges is not None:
            undefined = np.isnan(value)
            at = np.searchsorted(self.edges, np.where(undefined, 0, value), side="left")
            return np.bincount(np.where(undefined, self.bins - 1, at), minlength=self.bins)
        own = {label: i for i, label in enumerate(self.labels or ())}
        place = np.array([own.get(label, self.bins - 1) for label in labels or ()], np.int64)
        return np.bincount(place[value.astype(np.int64)], minlength=self.bins)


class Reference(msgspec.Struct, frozen=True):
    """All measures of a bundle, by name."""

    format: int
    bundle_id: str
    as_of_ms: int
    measures: dict[str, Measure]


class BrokenReference(ValueError):
    """The bytes hold no reference of this format."""


def observed(profiles: Profiles, bundle: Bundle, as_of_ms: int, seed: int) -> Reference:
    """What customers and days were like up to an instant (UTC milliseconds), as far back as their events go."""
    profiles = measures.sampled(profiles, seed)
    history = int(as_of_ms - profiles.rows.time_ms.min()) // DAY_MS
    seen = {
        day: measures.customers(profiles, bundle, as_of_ms - day * DAY_MS, measures.MOST_ROWS)
        for day in CUSTOMER_DAYS
        if day <= max(history - RECENT_DAYS, 0)
    }
    by_name = {name: _measure({day: values[name] for day, values in seen.items()}) for name in seen[0]}
    days = [day for day in FLOW_DAYS if day < max(history, 1)]
    for name, values in measures.days(profiles, as_of_ms, days[-1] + 1).items():
        by_name[name] = _measure({day: Values(values.of(day), values.days_ago[:0], values.labels) for day in days})
    return Reference(FORMAT, bundle.bundle_id, as_of_ms, by_name)


def tonight(reference: Reference, profiles: Profiles, bundle: Bundle, at_ms: int) -> dict[str, Counts]:
    """The same histograms of customers at an instant and of the day before it, by name."""
    return histograms(reference, measures.tonight(profiles, bundle, at_ms))


def histograms(reference: Reference, seen: Mapping[str, Values]) -> dict[str, Counts]:
    """The histograms of what was seen of a night, in the bins of the reference, by name."""
    return {
        name: measure.histogram(seen[name].of(0), seen[name].labels)
        for name, measure in reference.measures.items()
        if name in seen and (measure.labels is None) == (seen[name].labels is None)
    }


def to_bytes(reference: Reference) -> bytes:
    """As it is kept."""
    return msgspec.json.encode(reference)


def from_bytes(body: bytes) -> Reference:
    """The reference in the bytes. Raises BrokenReference."""
    if len(body) > MOST_BYTES:
        raise BrokenReference(f"it has more than {MOST_BYTES:,} bytes")
    try:
        reference = msgspec.json.decode(body, type=Reference)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise BrokenReference("it is not a distribution.json of this release") from error
    if reference.format != FORMAT:
        raise BrokenReference(f"it has format {reference.format}; this release reads {FORMAT}")
    if not all(map(_is_whole, reference.measures.values())):
        raise BrokenReference("a measure's histograms do not fit its bins")
    return reference


def _is_whole(measure: Measure) -> bool:
    return (
        (measure.edges is None) != (measure.labels is None)
        and measure.bins > 0
        and len(measure.counts) == len(measure.days_ago) <= MOST_INSTANTS
        and all(len(row) == measure.bins and min(row) >= 0 and max(row) < 2**53 for row in measure.counts)
        and all(0 <= day < 2**20 for day in measure.days_ago)
        and (measure.edges is None or bool((np.diff(measure.edges) > 0).all()))
    )


def _measure(by_day: Mapping[int, Values]) -> Measure:
    recent = np.concatenate([values.value for day, values in by_day.items() if day < RECENT_DAYS])
    labels = by_day[0].labels
    empty = Measure([], [], labels=_common(recent, labels)) if labels else Measure([], [], edges=_edges(recent))
    rows = [empty.histogram(values.value, labels).tolist() for values in by_day.values()]
    return Measure([*by_day], rows, empty.edges, empty.labels)


def _edges(values: Floats) -> list[float]:
    """Bins of about as many each; what very many have alike is a bin of its own."""
    known = values[~np.isnan(values)]
    if not len(known):
        return []
    cuts = np.quantile(known, np.arange(1, BINS) / BINS, method="inverted_cdf")
    edges, times = np.unique(cuts, return_counts=True)
    below = np.nextafter(edges[times > 1], -np.inf)
    return [float(edge) for edge in np.union1d(edges, below)]


def _common(values: Floats, labels: Sequence[str]) -> list[str]:
    """The labels that are not rare, and one for all that are."""
    share = np.bincount(values.astype(np.int64), minlength=len(labels)) / max(len(values), 1)
    kept = [label for label, own in zip(labels, share, strict=True) if own >= LEAST_SHARE]
    return kept if len(kept) == len(labels) else [*kept, OTHERS]
