"""The steps from features to a prediction: a model's margin and its calibrated link."""

import numpy as np
import onnxmltools
from onnx import GraphProto, helper
from onnxmltools.convert.common.data_types import FloatTensorType as XgboostFloats
from xgboost import XGBRegressor

from training.graph import prepare_steps, step, steps_of
from training.models import Model

CONVERTER_OPSET = 15
"""The newest that onnxmltools writes; tree nodes are the same ever since."""
PROBABILITY = """
(float[n, 1] x) => (float[n] y) <float slope, float offset, int64[1] last = {1}> {
    margin = Squeeze(x, last)
    scaled = Mul(margin, slope)
    calibrated = Add(scaled, offset)
    y = Sigmoid(calibrated)
}"""
AMOUNT = PROBABILITY.replace("Sigmoid", "Exp")


def model_steps(output: str, model: Model, n_features: int) -> list[GraphProto]:
    """The model of one output; its margin is the tensor `<output>/margin` [n, 1]."""
    name, margin = output.removesuffix("_probability").removeprefix("expected_"), f"{output}/margin"
    if isinstance(model.estimator, XGBRegressor):
        steps = [_trees(model.estimator, f"{name}/trees", margin, n_features)]
    else:
        steps, prepared = prepare_steps(name, model.estimator, n_features)
        linear = model.estimator[-1]
        node = helper.make_node(
            "LinearRegressor",
            [prepared],
            [margin],
            f"{name}/linear",
            domain="ai.onnx.ml",
            coefficients=np.ravel(linear.coef_).astype(np.float32),
            intercepts=np.ravel(linear.intercept_).astype(np.float32),
        )
        steps.append(steps_of([node]))
    text = PROBABILITY if model.kind == "probability" else AMOUNT
    calibration = {"slope": np.float32(model.slope), "offset": np.float32(model.offset)}
    return [*steps, step(text, f"{name}/calibrate", {"x": margin, "y": output}, calibration)]


def _trees(model: XGBRegressor, name: str, output: str, n_features: int) -> GraphProto:
    inputs = [("features", XgboostFloats([None, n_features]))]
    converted = onnxmltools.convert_xgboost(model, initial_types=inputs, target_opset=CONVERTER_OPSET).graph
    (node,) = (node for node in converted.node if node.op_type == "TreeEnsembleRegressor")
    # The converter leaves the intercept on the scale of the prediction; the trees add up on the scale of the margin.
    mean = float(np.ravel(model.intercept_)[0])
    intercept = np.log(mean / (1 - mean)) if model.objective == "binary:logistic" else np.log(mean)
    kept = [attribute for attribute in node.attribute if attribute.name != "base_values"]
    node.ClearField("attribute")
    node.attribute.extend([*kept, helper.make_attribute("base_values", [float(intercept)])])
    node.name, node.output[0] = name, output
    return steps_of([node])
