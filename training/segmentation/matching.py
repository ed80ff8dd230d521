"""Segments keep their ids when a shop trains again: each new one is matched to the previous one it carries on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from shared.models.bundle import Bundle, BundleMismatch
from shared.models.labels import LABELS_FILE, Labels, labelled, parse_labels
from shared.models.layout import MANIFEST_FILE
from training.base.errors import InputError
from training.data.preparation import Matrix
from training.registry.published import connect
from training.segmentation.clustering import Ids
from training.segmentation.segments import Segmentation

ALIKE = 0.5
"""A segment carries on a previous one where Dice's coefficient reaches this: twice the customers in both, over the sum
of their sizes."""

PART = 0.25
"""Share of the whole that a part of a split or merge holds at least."""
MOST = 0.5
"""Share of a part that comes from the whole, or goes into it, at least."""

S3 = "s3://"


@dataclass(frozen=True)
class Matching:
    """What has become of the previous segments, by the customers of today decided on by both bundles."""

    ids: list[int]
    """The id of each fitted segment, in their order."""
    next_id: int
    """The smallest id that no segment has ever had."""
    previous: str | None = None
    """The bundle before, None where there is none."""
    moved: float = 0.0
    """Share of the customers who are in a segment with another id than before."""
    gone: list[int] = field(default_factory=list)
    splits: dict[int, list[int]] = field(default_factory=dict)
    """Into which segments a previous one came apart."""
    merges: dict[int, list[int]] = field(default_factory=dict)
    """Which previous segments came together in one."""
    before: Mapping[int, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    """The previous catalogue's entries of the segments that go on, by id."""
    labels: Labels = field(default_factory=dict, repr=False)
    """The user's labels of the segments that go on, and the user's actions."""

    @property
    def new(self) -> list[int]:
        """Ids of segments that carry on no other."""
        return [i for i in self.ids if i not in self.before] if self.previous else []

    def as_dict(self) -> dict[str, Any]:
        """As the manifest holds it."""
        return {
            "previous": self.previous,
            "next_id": self.next_id,
            "moved": round(self.moved, 6),
            "new": self.new,
            "gone": self.gone,
            "splits": [{"from": one, "into": several} for one, several in self.splits.items()],
            "merges": [{"from": several, "into": one} for one, several in self.merges.items()],
        }

    def summary(self) -> Iterator[str]:
        """Lines for whoever is about to publish."""
        if self.previous is None:
            return
        yield f"{self.moved:.1%} of the customers are in another segment than by {self.previous}"
        yield from (f"segment {i} is new" for i in self.new)
        yield from (f"segment {i} is gone" for i in self.gone)
        yield from (f"segment {one} came apart into {_listed(several)}" for one, several in self.splits.items())
        yield from (f"segments {_listed(several)} came together in {one}" for one, several in self.merges.items())


def matched(
    segmentation: Segmentation, X: Matrix, previous: Bundle | None, known: Matrix
) -> tuple[Segmentation, Matching]:
    """The segmentation of the customers X [n, n_features] with the ids of the segments that it carries on; `known` are
    the same customers as the bundle `previous` decides on them [n, n_known]."""
    if previous is None:
        return segmentation, Matching(list(range(segmentation.segments)), segmentation.segments)
    matching = match_segments(previous, known, segmentation.segment_of(X), segmentation.segments, segmentation.unusual)
    return segmentation.renumbered(matching.ids), matching


def match_segments(previous: Bundle, X: Matrix, segment: Ids, segments: int, unusual: int | None = None) -> Matching:
    """Matches the fitted segments to the previous ones, by customers as that takes them, who are in `segment` [n].

    Of all one-to-one matches the one that leaves most customers in their segment is taken (Hungarian method), and of
    its pairs those that are ALIKE. The segment of `unusual` customers carries on that of the bundle before.
    """
    manifest = previous.manifest
    before = previous.decide(X).segment
    known = {entry["id"]: entry for entry in manifest["segments"]}
    was_unusual = manifest.get("segmentation", {}).get("unusual")
    old = sorted({*known, *before.tolist()})
    common = np.array([[np.sum((segment == j) & (before == i)) for i in old] for j in range(segments)])
    pairs = dict(_alike(common, unusual, old.index(was_unusual) if was_unusual in old else None))
    next_id = int(manifest.get("identity", {}).get("next_id", max(old) + 1))
    ids: list[int] = []
    for j in range(segments):
        ids.append(old[pairs[j]] if j in pairs else next_id)
        next_id += j not in pairs
    labels = _labels(manifest.get("labels", {}), ids)
    return Matching(
        ids=ids,
        next_id=next_id,
        previous=previous.bundle_id,
        moved=float(np.mean(np.array(ids)[segment] != before)),
        gone=[i for n, i in enumerate(old) if i not in ids and (i in known or common[:, n].any())],
        splits={old[n]: [ids[j] for j in parts] for n, parts in _parted(common.T)},
        merges={ids[j]: [old[n] for n in parts] for j, parts in _parted(common)},
        before={i: {**known[i], "edited": "name" in labels["segments"].get(str(i), {})} for i in ids if i in known},
        labels=labels,
    )


def _labels(labels: Labels, ids: Sequence[int]) -> Labels:
    segments = {i: label for i, label in labels.get("segments", {}).items() if int(i) in ids}
    return {"segments": segments, "actions": labels.get("actions", {})}


def _alike(shared: Ids, unusual: int | None, was_unusual: int | None) -> Iterator[tuple[int, int]]:
    """Pairs (new, old) of rows and columns of `shared`, the customers that two segments have in common."""
    sizes = shared.sum(axis=1)[:, None] + shared.sum(axis=0)[None, :]
    usual = shared.copy()
    if unusual is not None:
        usual[unusual] = 0
    if was_unusual is not None:
        usual[:, was_unusual] = 0
    if unusual is not None and was_unusual is not None:
        yield unusual, was_unusual
    for new, old in zip(*linear_sum_assignment(-usual), strict=True):
        if 2 * usual[new, old] >= ALIKE * sizes[new, old] > 0:
            yield int(new), int(old)


def _parted(shared: Ids) -> Iterator[tuple[int, list[int]]]:
    """Rows of `shared` that are made of several columns: each at least PART of the row, and MOST of itself in it."""
    whole = np.maximum(shared.sum(axis=1), 1)
    parts = np.maximum(shared.sum(axis=0), 1)
    for row, counts in enumerate(shared):
        made_of = np.flatnonzero((counts >= PART * whole[row]) & (counts >= MOST * parts))
        if len(made_of) > 1:
            yield row, made_of.tolist()


def _listed(ids: Sequence[int]) -> str:
    return f"{', '.join(map(str, ids[:-1]))} and {ids[-1]}"


def load_previous(where: str) -> Bundle | None:
    """The bundle in a folder, or the live one of the bucket `s3://NAME`; with the user's labels.

    None where nothing was published to the bucket yet. Raises InputError where it cannot be read or run.
    """
    try:
        if where.startswith(S3):
            with connect(where.removeprefix(S3).strip("/")) as registry:
                live = registry.live().bundle_id
                return _labelled(registry.bundle(live), registry.labels(live)) if live else None
        folder = Path(where).parent if where.endswith(MANIFEST_FILE) else Path(where)
        labels = folder / LABELS_FILE
        return _labelled(Bundle.load(folder), parse_labels(labels.read_bytes() if labels.exists() else None))
    except BundleMismatch as mismatch:
        raise InputError(f"segments cannot be matched to those of {where}: {mismatch}") from mismatch


def _labelled(bundle: Bundle, labels: Labels) -> Bundle:
    bundle.manifest = labelled(bundle.manifest, labels)
    return bundle
