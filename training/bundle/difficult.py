"""Rows made to be difficult for an export: what a shop may send one day, and where a decision turns.

Random rows seldom lie where float32 and float64 part. These do: at every split of every tree, and on both sides of the
borders between segments.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from training.data.preparation import Matrix
from training.segmentation.segments import Segmentation

MOST_SPLITS = 50_000
"""Splits that rows are made for, at most, drawn by chance where trees have more: memory grows with them."""
PAIRS = 1_000
"""Pairs of customers between whom borders are looked for."""
HALVINGS = 16
"""Rows on the way to each border, each half as far from it as the one before."""
HUGE = np.finfo(np.float32).max

type Bounds = dict[int, tuple[float, float]]
"""By feature, from where and to below where its values lie."""


def difficult_rows(X: Matrix, segmentation: Segmentation, model: ModelProto, seed: int) -> Matrix:
    """All of them, made from the customers X [n, n_features] for the exported `model` [m, n_features]."""
    return np.concatenate(
        [
            hostile_rows(X, seed),
            clip_rows(X, model, seed),
            split_rows(X, model, seed),
            border_rows(X, segmentation, seed),
        ]
    )


def hostile_rows(X: Matrix, seed: int) -> Matrix:
    """Rows that a shop may send one day: empty, all undefined, huge, single features missing or extreme."""
    random = np.random.default_rng(seed)
    n = X.shape[1]
    constant = [np.full((1, n), value, np.float32) for value in (0, np.nan, 1e9, -1e9, HUGE, -HUGE)]
    some = X[random.integers(len(X), size=n)]
    one_missing = some.copy()
    one_huge = some.copy()
    only_one = np.full((n, n), np.nan, np.float32)
    np.fill_diagonal(one_missing, np.nan)
    np.fill_diagonal(one_huge, HUGE)
    np.fill_diagonal(only_one, np.diag(some))
    return np.concatenate([*constant, one_missing, one_huge, only_one])


def clip_rows(X: Matrix, model: ModelProto, seed: int) -> Matrix:
    """Rows of X [n, n_features], one value where a clipped range ends, exactly and a float32 step to either side."""
    feature, value = clip_ends(model)
    values = np.concatenate([value, _next(value, np.inf), _next(value, -np.inf)])
    rows = X[np.random.default_rng(seed).integers(len(X), size=len(values))]
    rows[np.arange(len(rows)), np.tile(feature, 3)] = values
    return rows


def clip_ends(model: ModelProto) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The features [m] and values [m], as they come in, at which the graph's clipped ranges end, each pair once."""
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    pairs: set[tuple[int, float]] = set()
    for name in [name for name in tensors if name.endswith(("/clip/low", "/clip/high"))]:
        logged = tensors[f"{name.split('/')[0]}/log/mask"]
        ends = tensors[name].copy()
        ends[logged] = np.sign(ends[logged]) * np.expm1(np.abs(ends[logged]))
        pairs.update(enumerate(ends.tolist()))
    features, values = zip(*sorted(pairs), strict=True)
    return np.array(features, np.int64), np.array(values, np.float32)


def split_rows(X: Matrix, model: ModelProto, seed: int) -> Matrix:
    """Four rows for every split of every tree, each a row of X [n, n_features] that is changed until it comes to the
    split: with the split's value exactly at the threshold, a float32 step to either side, and undefined."""
    every_split = [
        split for node in model.graph.node if node.op_type.startswith("TreeEnsemble") for split in splits(node)
    ]
    random = np.random.default_rng(seed)
    chosen = [every_split[i] for i in np.sort(random.permutation(len(every_split))[:MOST_SPLITS]).tolist()]
    rows = X[random.integers(len(X), size=len(chosen))]
    on_the_way = [(i, f, low, high) for i, (_, _, way) in enumerate(chosen) for f, (low, high) in way.items()]
    if on_the_way:
        at, feature, low, high = map(np.array, zip(*on_the_way, strict=True))
        value = rows[at, feature]
        inside = (value >= low) & (value < high)
        # As far as it has to be moved and no farther: to an edge of the way, which is another split's threshold.
        edge = np.where(np.isfinite(low), low, _next(high.astype(np.float32), -np.inf))
        rows[at, feature] = np.where(inside, value, edge)
    threshold = np.array([threshold for _, threshold, _ in chosen], np.float32)
    values = [threshold, _next(threshold, np.inf), _next(threshold, -np.inf), np.full_like(threshold, np.nan)]
    rows = np.tile(rows, (len(values), 1))
    split_by = np.tile([feature for feature, _, _ in chosen], len(values)).astype(int)
    rows[np.arange(len(rows)), split_by] = np.concatenate(values)
    # A split at minus infinity sends nothing but undefined values to one side; no feature is infinite.
    return np.clip(rows, -HUGE, HUGE)


def splits(node: NodeProto) -> Iterator[tuple[int, float, Bounds]]:
    """Of every split of the trees in a graph's `node`: its feature, its threshold, and within which bounds the features
    lie in whatever comes to it."""
    tree = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    place = {pair: i for i, pair in enumerate(zip(tree["nodes_treeids"], tree["nodes_nodeids"], strict=True))}
    ways: list[tuple[int, Bounds]] = [(place[number, 0], {}) for number in dict.fromkeys(tree["nodes_treeids"])]
    while ways:
        i, way = ways.pop()
        if tree["nodes_modes"][i] == b"LEAF":
            continue
        feature, threshold = tree["nodes_featureids"][i], tree["nodes_values"][i]
        yield feature, threshold, way
        low, high = way.get(feature, (-np.inf, np.inf))
        number = tree["nodes_treeids"][i]
        below = way | {feature: (low, min(high, threshold))}
        above = way | {feature: (max(low, threshold), high)}
        ways.append((place[number, tree["nodes_truenodeids"][i]], below))
        ways.append((place[number, tree["nodes_falsenodeids"][i]], above))


def border_rows(X: Matrix, segmentation: Segmentation, seed: int) -> Matrix:
    """Rows between customers X [n, n_features] of different segments, runners-up or micro-segments, nearer and nearer
    to where one becomes the other."""
    random = np.random.default_rng(seed)
    start, end = (X[random.integers(len(X), size=PAIRS)] for _ in range(2))
    # Between a value and nothing there is no way.
    end = np.where(np.isnan(start) | np.isnan(end), start, end)
    here = _decided(segmentation, start)
    differs = (here != _decided(segmentation, end)).any(axis=1)
    start, end, here = start[differs], end[differs], here[differs]
    share = np.zeros((len(start), 1), np.float32)
    rows = []
    for step in 0.5 ** np.arange(1, HALVINGS + 1, dtype=np.float32):
        rows.append(start + (share + step) * (end - start))
        same = (here == _decided(segmentation, rows[-1])).all(axis=1) if len(start) else np.zeros(0, bool)
        share[same] += step
    return np.concatenate(rows)


def _decided(segmentation: Segmentation, X: Matrix) -> NDArray[np.int64]:
    """The micro-segment of each row, its segment and the one after that [n, 2 or 3]."""
    points = segmentation.components(X)
    distances = segmentation.chosen.prototypes.distances(points)
    micro, _ = segmentation.micro.of(points, distances.argmin(axis=1))
    return np.column_stack([micro, distances.argsort(axis=1)[:, :2]])


def _next(value: NDArray[np.float32], towards: float) -> NDArray[np.float32]:
    return np.nextafter(value, np.float32(towards))
