"""The recipe ``linear``: multinomial logistic regression, all models of a shard at once."""

from math import prod
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from memtail_core.data import Dataset
from memtail_core.errors import StudyError
from memtail_core.training.engine import UNTUNED, Tuning
from memtail_core.training.recipe import Recipe

if TYPE_CHECKING:
    from memtail_core.training.linear.engine import LinearEngine


class Linear(Recipe):
    """Softmax of a linear map, the last layer of a network alone.

    Each model minimises the mean cross-entropy over its subset + (l2 / 2) ‖W‖². The solution is
    unique: it depends neither on a seed nor, within the tolerance, on the other models. Images are
    flattened.
    """

    recipe: str = "linear"
    l2: Annotated[float, Field(gt=0)] = 1e-3
    tolerance: Annotated[float, Field(gt=0, lt=1)] = 1e-4
    standardize: bool = True

    def engine(self, device: str, tuning: Tuning = UNTUNED) -> "LinearEngine":
        """See :class:`.LinearEngine`; there is nothing to tune."""
        from memtail_core.training.linear.engine import LinearEngine

        del tuning
        return LinearEngine(self, self.l2, self.tolerance, self.standardize, device)

    def check(self, dataset: Dataset) -> None:
        """The data must be numbers."""
        if dataset.feed.divisor is None:
            raise StudyError(
                f"[training] recipe = '{self.recipe}' is for numbers; these data are "
                f"{dataset.modality.name}: use '{dataset.modality.default_recipe}'"
            )

    def model_bytes(self, dataset: Dataset) -> int:
        """Bytes of solving one group of models, without the data."""
        from memtail_core.training.linear.regressions import working_bytes

        d = prod(dataset.shape) + 1
        return working_bytes(len(dataset.y_train), d, len(dataset.classes))
