"""The steps from features to a segment, its runner-up and the micro-segment inside it."""

import numpy as np
from onnx import GraphProto

from training.graph import converted, prepare_steps, renamed, step
from training.segments import Segmentation

NEAREST = """
(float[n, d] x) => (int64[n] segment, float[n] segment_distance, int64[n] runner_up, float[n] runner_up_distance)
<float[k, d] centroids, int64[1] between = {1}, int64[1] dimension = {2}, int64[1] two = {2},
 int64 first = {0}, int64 second = {1}> {
    point = Unsqueeze(x, between)
    gap = Sub(point, centroids)
    distance = ReduceL2<keepdims = 0>(gap, dimension)
    near_distance, near = TopK<largest = 0>(distance, two)
    segment = Gather<axis = 1>(near, first)
    segment_distance = Gather<axis = 1>(near_distance, first)
    runner_up = Gather<axis = 1>(near, second)
    runner_up_distance = Gather<axis = 1>(near_distance, second)
}"""
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
    centroids = segmentation.chosen.kmeans.cluster_centers_.astype(np.float32)
    finer = {"centroids": segmentation.micro_centroids, "owner": segmentation.micro_owner}
    return [
        *steps,
        renamed(pca, "segment/pca", {"x": prepared, "variable": "segment/point"}),
        step(NEAREST, "segment/nearest", {"x": "segment/point"}, {"centroids": centroids}),
        step(NEAREST_INSIDE, "segment/micro", {"x": "segment/point"}, finer),
    ]
