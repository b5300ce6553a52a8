"""Forgetting events: how often a network that got an example right gets it wrong an epoch later.

Toneva et al., "An empirical study of example forgetting during deep neural network learning"
(2019). An example that is never right cannot be forgotten and is given one event more than the
epochs allow, as there: it comes first.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from memtail_core.approximations.levelling import Floats, mean_over
from memtail_core.approximations.run import CURVES, Run
from memtail_core.data import Dataset


def forgetting_events(correct: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count them, int64 [n], over epochs of correctness, bool [E, n]; E if it is never right."""
    events = (correct[:-1] & ~correct[1:]).sum(0)
    return np.where(correct.any(0), events, len(correct))


class Forgetting:
    """Mean over runs of the number of forgetting events."""

    name = "forgetting"
    source = "Toneva et al. 2019"
    trains = True
    reads: tuple[str, ...] = (CURVES,)
    ends_linear = False

    def scores(self, dataset: Dataset, runs: Sequence[Run]) -> Floats:
        """See :class:`.Method`."""
        del dataset
        return mean_over(runs, lambda run: forgetting_events(run.curves.correct).astype(np.float64))
