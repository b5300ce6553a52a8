"""The base of all network recipes: SGD's options with the engine and its autotuning."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from memtail_core.data import Dataset
from memtail_core.training.engine import UNTUNED, Tuning
from memtail_core.training.gradient.options import GradientOptions

if TYPE_CHECKING:
    from memtail_core.training.gradient.engine import GradientEngine


class GradientRecipe(GradientOptions):
    """Base of all network recipes; a subclass builds the network."""

    def engine(self, device: str, tuning: Tuning = UNTUNED) -> "GradientEngine":
        """See :class:`~memtail_core.training.gradient.engine.GradientEngine`."""
        from memtail_core.training.gradient.engine import GradientEngine

        return GradientEngine(self, device, tuning)

    def tuned(
        self, dataset: Dataset, subset_size: int, device: str, stacks: Sequence[int]
    ) -> Tuning:
        """See :func:`~memtail_core.training.gradient.autotuning.autotuned`."""
        from memtail_core.training.gradient.autotuning import autotuned

        return autotuned(self, dataset, subset_size, device, stacks)
