"""Cumulative sample loss: an example's loss, summed over the epochs of a training.

    CSL_i = Σ over epochs e of −log p_{y_i}(x_i; θ_e)

Ravikumar et al., "Towards memorization estimation: fast, formal and free" (2025), bound
memorization by it: what is learned late, or forgotten often, has lost much by the end.
"""

from collections.abc import Sequence

from memtail_core.approximations.levelling import Floats, mean_over
from memtail_core.approximations.run import CURVES, Run
from memtail_core.data import Dataset


class CumulativeLoss:
    """Mean over epochs and runs of the loss, in nats."""

    name = "cumulative-loss"
    source = "CSL, Ravikumar et al. 2025"
    trains = True
    reads: tuple[str, ...] = (CURVES,)
    ends_linear = False

    def scores(self, dataset: Dataset, runs: Sequence[Run]) -> Floats:
        """See :class:`.Method`."""
        del dataset
        return mean_over(runs, lambda run: run.curves.loss.mean(0))
