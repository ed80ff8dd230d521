"""Each algorithm against what it should do, and prototypes against a slow search."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.cluster import DBSCAN
from sklearn.metrics import adjusted_rand_score

from tests.training.segmentation.conftest import chosen
from training.data.preparation import Matrix
from training.segmentation.clustering import ALGORITHMS, Prototypes, Setting
from training.segmentation.segments import Segmentation

if TYPE_CHECKING:
    pass


def test_dbscan_puts_everyone_where_the_library_and_a_slow_search_do(customers: Matrix) -> None:
    points = np.nan_to_num(customers[:, :4]) + np.float32(0)
    setting = Setting("", 0, 8, 0.9)
    (fit,) = next(a for a in ALGORITHMS if a.name == "dbscan").fit(points, [setting], 0)
    fitted = DBSCAN(eps=setting.eps, min_samples=setting.neighbours).fit(points)
    segment = fit.prototypes.segment_of(points)
    core = fitted.core_sample_indices_
    assert fit.prototypes.segments >= 4
    np.testing.assert_array_equal(segment[core], fitted.labels_[core])
    np.testing.assert_array_equal(segment == fit.prototypes.unusual, fitted.labels_ == -1)
    for point in np.random.default_rng(2).uniform(-3, 8, (300, 4)).astype(np.float32):
        distances = [float(np.sqrt(((point - points[i]).astype(np.float64) ** 2).sum())) for i in core]
        nearest = int(np.argmin(distances))
        wanted = fitted.labels_[core[nearest]] if distances[nearest] <= setting.eps else fit.prototypes.unusual
        assert fit.prototypes.segment_of(point[None])[0] == wanted


def test_the_stand_in_for_ward_is_as_faithful_as_it_says(fitted: Segmentation, customers: Matrix) -> None:
    segmentation = chosen(fitted, customers, clustering="ward", segments=4)
    points = segmentation.components(customers)
    labels = fcluster(linkage(points, "ward"), 4, "maxclust")
    assert segmentation.chosen.fidelity > 0.9
    assert adjusted_rand_score(labels, segmentation.segment_of(customers)) > 0.9


@given(
    arrays(np.float32, (7, 2), elements=st.integers(-4, 4).map(float)),
    st.lists(st.integers(0, 2), min_size=7, max_size=7),
)
def test_the_distance_to_a_segment_is_that_to_its_nearest_prototype(points: Matrix, owner: list[int]) -> None:
    owners = np.unique(np.sort(owner), return_inverse=True)[1].astype(np.int64)
    distances = Prototypes(points, owners, eps=2.0).distances(points + 1)
    for row, point in zip(distances, points + 1, strict=True):
        for segment in range(owners.max() + 1):
            nearest = min(np.hypot(*(point - points[i])) for i in np.flatnonzero(owners == segment))
            assert row[segment] == pytest.approx(nearest, rel=1e-6)
        assert row[-1] == 2.0


@given(st.permutations(range(4)), st.booleans())
def test_prototypes_by_other_ids_decide_the_same(ids: list[int], apart: bool) -> None:
    random = np.random.default_rng(3)
    points = random.normal(size=(60, 2)).astype(np.float32)
    prototypes = Prototypes(points[:9], np.repeat([0, 1, 2], 3) if apart else np.repeat([0, 1, 2, 3], [3, 2, 2, 2]))
    prototypes = replace(prototypes, eps=0.7) if apart else prototypes
    named = [2 * i + 1 for i in ids]
    renamed = prototypes.renumbered(named)
    np.testing.assert_array_equal(renamed.segment_of(points), np.array(named)[prototypes.segment_of(points)])
    np.testing.assert_allclose(renamed.distances(points)[:, named], prototypes.distances(points))
    assert renamed.segments == prototypes.segments == 4
    assert (np.diff(renamed.owner) >= 0).all()
