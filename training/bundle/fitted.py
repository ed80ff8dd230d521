"""All that was fitted on a shop, before it becomes a bundle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.data.preparation import Matrix
from training.prediction.models import Model
from training.prediction.predictions import FittedTarget
from training.segmentation.segments import Segmentation


@dataclass(frozen=True)
class Fitted:
    """The customers of a shop, their segments, and the models of its targets."""

    X: Matrix
    """Everyone's features at `as_of`, float32 [n, n_features]."""
    segmentation: Segmentation
    targets: Sequence[FittedTarget]

    @property
    def models(self) -> Mapping[str, Model]:
        """The models by the bundle's outputs; targets that have none are left out."""
        return {fitted.target.output: fitted.model for fitted in self.targets if fitted.model}

    @property
    def rows(self) -> list[Matrix]:
        """All rows that something was fitted on, each matrix [n, n_features], the customers' first."""
        return [self.X, *(fitted.fitted_on for fitted in self.targets if fitted.fitted_on is not None)]
