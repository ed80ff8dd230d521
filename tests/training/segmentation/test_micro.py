"""Micro-segments lie inside segments and hold a minimum of customers."""

import numpy as np

from tests.training.segmentation.conftest import BASE
from training.data.preparation import Matrix
from training.segmentation.segments import Segmentation


def test_every_micro_segment_lies_in_its_segment_and_holds_the_minimum(
    segmentation: Segmentation, customers: Matrix
) -> None:
    micro, _ = segmentation.micro_segments(customers)
    segment = segmentation.segment_of(customers)
    sizes = np.bincount(micro)
    np.testing.assert_array_equal(segmentation.micro.owner[micro], segment)
    undivided = np.bincount(segmentation.micro.owner)[segmentation.micro.owner] == 1
    assert (undivided | (sizes >= BASE.micro_segment_customers)).all()
    assert len(sizes) > segmentation.segments
