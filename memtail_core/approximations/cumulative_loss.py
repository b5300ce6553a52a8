"""Cumulative sample loss: an example's loss, summed over the epochs of a training.

    CSL_i = Σ over epochs e of −log p_{y_i}(x_i; θ_e)

Ravikumar, Soufleri & Roy, "Improved forward-forward … cumulative sample loss" (2024) relate it to
memorization; what is learned late and forgotten often has lost much by the end.
"""

from collections.abc import Sequence

from memtail_core.approximations.levelling import Floats, mean_over
from memtail_core.approximations.run import CURVES, Run
from memtail_core.data import Dataset


class CumulativeLoss:
    """Mean over epochs and runs of the loss, in nats."""

    name = "cumulative-loss"
    source = "Ravikumar et al. 2024"
    trains = True
    reads: tuple[str, ...] = (CURVES,)
    ends_linear = False

    def scores(self, dataset: Dataset, runs: Sequence[Run]) -> Floats:
        """See :class:`.Method`."""
        del dataset
        return mean_over(runs, lambda run: run.curves.loss.mean(0))
