"""A prediction model: a margin from the features, then a calibration that makes it a probability or an amount."""

from dataclasses import dataclass

from training.data.preparation import Matrix
from training.prediction.calibration import Calibration, Kind, Vector
from training.prediction.candidates import Estimator

__all__ = ["Kind", "Model", "Vector"]


@dataclass(frozen=True)
class Model:
    """prediction = calibration(margin(features))."""

    name: str
    kind: Kind
    estimator: Estimator
    calibration: Calibration

    def margin(self, X: Matrix) -> Vector:
        """What is not calibrated yet [n]."""
        return self.estimator.margin(X)

    def predict(self, X: Matrix) -> Vector:
        """Probabilities, or amounts in the data's currency [n]."""
        return self.calibration(self.margin(X))
