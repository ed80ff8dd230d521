"""The bundle decides as scikit-learn and XGBoost do."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest

from shared.models.bundle import Decisions
from training.base.config import Config
from training.bundle import parity
from training.bundle.difficult import difficult_rows
from training.bundle.export import bundle, content_hash, model_version
from training.data.preparation import Matrix
from training.prediction.calibration import Calibration, Kind, Vector, isotonic, platt, scale
from training.prediction.candidates import BLEND, CANDIDATES, Linear, Task, fit_one
from training.prediction.models import Model
from training.segmentation.segments import Segmentation, fit_segments

CONFIG = Config(threads=1, trees=20, forest_trees=10, bootstraps=2, most_segments=4, minimum_stability=0.0)
METADATA = {"model_version": "20240101"}


@pytest.fixture(scope="module")
def customers() -> Matrix:
    """Counts, amounts with long tails, shares, a constant and a feature that nobody has; a tenth undefined."""
    random = np.random.default_rng(3)
    n = 600
    tails = random.gamma(0.5, 400, (n, 5))
    shares = random.random((n, 5))
    tails[: n // 2] *= 6
    shares[n // 3 :, 2] /= 3
    X = np.column_stack([tails, shares, np.full(n, 4.0)]).astype(np.float32)
    X[random.random(X.shape) < 0.1] = np.nan
    return np.column_stack([X, np.full(n, np.nan, np.float32)])


@pytest.fixture(scope="module")
def segmentation(customers: Matrix) -> Segmentation:
    return fit_segments(customers, CONFIG)


BOOSTED = ("xgboost", "two-part")
PAIRS = [(name, fit) for name in (*CANDIDATES, BLEND) for fit in (platt, isotonic)]


@pytest.fixture(scope="module", params=PAIRS, ids=lambda pair: f"{pair[0]}-{pair[1].__name__}")
def models(request: pytest.FixtureRequest, customers: Matrix) -> dict[str, Model]:
    """A probability and an amount by one kind of model, the probability by one kind of calibration."""
    name, fit = request.param
    random = np.random.default_rng(4)
    known = np.nan_to_num(customers)
    churned = (known[:, 0] + random.normal(0, 300, len(customers)) > 300).astype(float)
    spent = np.where(churned > 0, 0.0, known[:, 1])
    probability = "xgboost" if name == "two-part" else name
    amounts = {"expected_ltv": model(name, "amount", customers, spent, scale)}
    return {"churn_probability": model(probability, "probability", customers, churned, fit), **amounts}


def model(name: str, kind: Kind, X: Matrix, y: Vector, calibration: Callable[..., Calibration]) -> Model:
    weight = np.ones(len(y))
    estimator = fit_one(f"{name}, {CONFIG.trees} trees" if name in BOOSTED else name, Task(kind), X, y, weight, CONFIG)
    return Model(name, kind, estimator, calibration(estimator.margin(X), y, weight))


def decide(exported: onnx.ModelProto, rows: Matrix) -> Decisions:
    import onnxruntime

    session = onnxruntime.InferenceSession(exported.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    return Decisions(**dict(zip(names, session.run(names, {"features": rows}), strict=True)))


def test_onnx_runtime_agrees_on_training_rows_and_difficult_ones(
    customers: Matrix, segmentation: Segmentation, models: dict[str, Model]
) -> None:
    exported = bundle(segmentation, models, customers.shape[1], METADATA)
    rows = np.concatenate([customers, difficult_rows(customers, segmentation, exported, seed=1)])
    compared = parity.compare(parity.reference(segmentation, models, rows), decide(exported, rows))
    assert compared.failures() == []
    assert compared.flips == 0
    assert set(compared.differences) == {"segment_distance", "runner_up_distance", *models}


def test_one_row_is_decided_as_it_is_in_a_batch(
    customers: Matrix, segmentation: Segmentation, models: dict[str, Model]
) -> None:
    exported = bundle(segmentation, models, customers.shape[1], METADATA)
    whole = decide(exported, customers)
    one = decide(exported, customers[7:8])
    assert one.segment[0] == whole.segment[7]
    assert one.expected_ltv is not None and whole.expected_ltv is not None
    assert one.expected_ltv[0] == pytest.approx(whole.expected_ltv[7], rel=1e-6)


def test_a_weight_changed_anywhere_is_noticed(
    customers: Matrix, segmentation: Segmentation, models: dict[str, Model]
) -> None:
    exported = bundle(segmentation, models, customers.shape[1], METADATA)
    answers = parity.reference(segmentation, models, customers)
    for name in ("segment/nearest/prototypes", "segment/pca/transform_matrix", "ltv/calibrate/slope"):
        tampered = onnx.ModelProto()
        tampered.CopyFrom(exported)
        (weight,) = (tensor for tensor in tampered.graph.initializer if tensor.name == name)
        values = onnx.numpy_helper.to_array(weight).copy()
        values.flat[0] += 0.5
        weight.CopyFrom(onnx.numpy_helper.from_array(values, name))
        assert parity.compare(answers, decide(tampered, customers)).failures(), name
        assert content_hash(tampered) != content_hash(exported)


def test_every_step_can_be_read_back_by_its_name(
    customers: Matrix, segmentation: Segmentation, models: dict[str, Model]
) -> None:
    exported = bundle(segmentation, models, customers.shape[1], METADATA)
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in exported.graph.initializer}
    np.testing.assert_array_equal(values["segment/nearest/prototypes"], segmentation.chosen.prototypes.points)
    np.testing.assert_array_equal(values["segment/nearest/owner"], segmentation.chosen.prototypes.owner)
    np.testing.assert_allclose(values["segment/pca/transform_matrix"], segmentation.pca.components_.T, 1e-6)
    np.testing.assert_array_equal(values["segment/log/mask"], segmentation.prepare["log"].mask_)
    assert {"Imputer", "Scaler"} <= {node.op_type for node in exported.graph.node}
    margins = {name for node in exported.graph.node for name in node.output if name.endswith("/margin")}
    assert margins >= {f"{output}/margin" for output in models}
    names = {node.name for node in exported.graph.node}
    assert names >= {f"ltv/{'linear' if isinstance(models['expected_ltv'].estimator, Linear) else 'trees'}"}
    assert model_version(exported).startswith("20240101-")


def test_micro_segments_lie_inside_their_segment(customers: Matrix, segmentation: Segmentation) -> None:
    micro, _ = segmentation.micro_segments(customers)
    np.testing.assert_array_equal(segmentation.micro.owner[micro], segmentation.segment_of(customers))
