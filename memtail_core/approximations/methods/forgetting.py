"""Forgetting events: how often a network that got an example right gets it wrong an epoch later.

Toneva et al., "An empirical study of example forgetting during deep neural network learning"
(2019). An example that is never right cannot be forgotten. As in the paper it ranks first: it gets
one event more than the epochs allow.
"""

import numpy as np
from numpy.typing import NDArray

from memtail_core.approximations.method import Floats
from memtail_core.approximations.per_run import PerRunMethod
from memtail_core.approximations.run import Run
from memtail_core.data import Dataset


class Forgetting(PerRunMethod):
    """The number of forgetting events, averaged over runs."""

    name = "forgetting"
    source = "Toneva et al. 2019"

    def of_run(self, run: Run, dataset: Dataset) -> Floats:
        """See :class:`.PerRunMethod`."""
        del dataset
        return forgetting_events(run.curves.correct).astype(np.float64)


def forgetting_events(correct: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count the events, int64 [n], in correctness over epochs, bool [E, n]; E if never right."""
    events = (correct[:-1] & ~correct[1:]).sum(0)
    return np.where(correct.any(0), events, len(correct))
