"""The steps from features to a segment, its runner-up and the micro-segment inside it."""

import numpy as np
from onnx import GraphProto

from training.bundle.graph import converted, prepare_steps, renamed, step
from training.segmentation.clustering import Prototypes
from training.segmentation.segments import Segmentation

NEAREST = """
(float[n, d] x) => (int64[n] segment, float[n] segment_distance, int64[n] runner_up, float[n] runner_up_distance)
<float[p, d] prototypes, int64[p] owner, int64[1] between = {1}, int64[1] dimension = {2}, float far = {3e38}> {
    point = Unsqueeze(x, between)
    gap = Sub(point, prototypes)
    distance = ReduceL2<keepdims = 0>(gap, dimension)
    nearest = ArgMin<axis = 1, keepdims = 0>(distance)
    nearest_distance = ReduceMin<keepdims = 0>(distance, between)
    nearest_owner = Gather(owner, nearest)
    own = Unsqueeze(nearest_owner, between)
    same = Equal(own, owner)
    other_distance = Where(same, far, distance)
    other = ArgMin<axis = 1, keepdims = 0>(other_distance)
    DECIDE
}"""
ONE_SEGMENT = """
    segment = Identity(nearest_owner)
    segment_distance = Identity(nearest_distance)
    runner_up = Identity(nearest_owner)
    runner_up_distance = Identity(nearest_distance)"""
"""Where there is no other segment, it is its own runner-up, and margins are 0."""
BY_NEAREST = """
    segment = Identity(nearest_owner)
    segment_distance = Identity(nearest_distance)
    runner_up = Gather(owner, other)
    runner_up_distance = ReduceMin<keepdims = 0>(other_distance, between)"""
WITHIN_EPS = """
    second_owner = Gather(owner, other)
    second_distance = ReduceMin<keepdims = 0>(other_distance, between)
    usual = LessOrEqual(nearest_distance, eps)
    segment = Where(usual, nearest_owner, unusual)
    segment_distance = Where(usual, nearest_distance, eps)
    runner_up = Where(usual, second_owner, nearest_owner)
    runner_up_distance = Where(usual, second_distance, nearest_distance)"""
"""Unusual customers are at distance `eps` from their segment; their runner-up is the segment nearest to them."""
NEAREST_INSIDE = """
(float[n, d] x, int64[n] segment) => (int64[n] micro_segment)
<float[m, d] centroids, int64[m] owner, int64[1] between = {1}, int64[1] dimension = {2}, float far = {3e38}> {
    point = Unsqueeze(x, between)
    gap = Sub(point, centroids)
    distance = ReduceL2<keepdims = 0>(gap, dimension)
    own = Unsqueeze(segment, between)
    inside = Equal(own, owner)
    eligible = Where(inside, distance, far)
    micro_segment = ArgMin<axis = 1, keepdims = 0>(eligible)
}"""


def segment_steps(segmentation: Segmentation, n_features: int) -> list[GraphProto]:
    """All that the segmentation decides."""
    steps, prepared = prepare_steps("segment", segmentation.prepare, n_features)
    pca = converted(segmentation.pca, n_features)
    finer = {"centroids": segmentation.micro.centroids, "owner": segmentation.micro.owner}
    return [
        *steps,
        renamed(pca, "segment/pca", {"x": prepared, "variable": "segment/point"}),
        _nearest(segmentation.chosen.prototypes),
        step(NEAREST_INSIDE, "segment/micro", {"x": "segment/point"}, finer),
    ]


def _nearest(prototypes: Prototypes) -> GraphProto:
    values = {"prototypes": prototypes.points, "owner": prototypes.owner}
    text = NEAREST.replace("DECIDE", ONE_SEGMENT if prototypes.segments == 1 else BY_NEAREST)
    if prototypes.unusual is not None:
        text = NEAREST.replace("DECIDE", WITHIN_EPS).replace("float far", "float eps, int64 unusual, float far")
        values |= {"eps": np.float32(prototypes.eps), "unusual": np.int64(prototypes.unusual)}
    return step(text, "segment/nearest", {"x": "segment/point"}, values)
