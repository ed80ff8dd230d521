"""Segments that are no use by themselves."""

import numpy as np

from training.base.config import Config
from training.segmentation.clustering import Fit, Prototypes
from training.segmentation.judging import Judges

CENTRES = np.array([[0.0], [10.0], [13.0], [40.0]], np.float32)
FEW = 5


def judges(worth_of_the_few: float = 1.0) -> Judges:
    """A thousand customers, of whom FEW lie at 13, between 10 and 40."""
    of = np.repeat([0, 1, 2, 3], [500, 300, FEW, 200])
    points = CENTRES[of] + np.random.default_rng(1).normal(0, 0.1, (len(of), 1)).astype(np.float32)
    return Judges.of(points, np.where(of == 2, worth_of_the_few, np.random.default_rng(2).random(len(of))), Config())


def without_small(by: Judges, prototypes: Prototypes) -> Prototypes:
    """What is left, which puts everybody where it is said that they are."""
    fit, segment = by.without_small(Fit(prototypes))
    assert segment.tolist() == fit.prototypes.segment_of(by.points).tolist()
    return fit.prototypes


def test_a_segment_of_few_is_one_with_its_nearest() -> None:
    joined = without_small(judges(), Prototypes(CENTRES, np.arange(4)))
    assert joined.owner.tolist() == [0, 1, 1, 2]
    assert joined.points.ravel().tolist() == [0, 10, 13, 40]


def test_a_segment_of_few_who_matter_stays() -> None:
    kept = without_small(judges(worth_of_the_few=100.0), Prototypes(CENTRES, np.arange(4)))
    assert kept.owner.tolist() == [0, 1, 2, 3]


def test_too_few_unusual_customers_are_of_the_segment_they_are_nearest_to() -> None:
    some = Prototypes(np.delete(CENTRES, 2, axis=0), np.arange(3), eps=2.0)
    joined = without_small(judges(), some)
    assert (joined.unusual, joined.segments) == (None, 3)


def test_how_many_of_the_best_are_unusual_is_told() -> None:
    by = judges(worth_of_the_few=100.0)
    some = Prototypes(np.delete(CENTRES, 2, axis=0), np.arange(3), eps=2.0)
    judged = by.judge("dbscan", "", Fit(some), some.segment_of(by.points), 1.0)
    assert judged.best_unusual > judged.noise == FEW / 1005


def test_everybody_is_one_segment_where_nothing_tells_them_apart() -> None:
    one = judges().one_segment()
    assert (one.segments, one.smallest, one.largest) == (1, 1.0, 1.0)
    assert np.isnan(one.silhouette)
