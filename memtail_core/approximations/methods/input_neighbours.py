"""Label disagreement among nearest neighbours in the input space; it needs no training."""

from collections.abc import Sequence

import numpy as np

from memtail_core.approximations.label_disagreement import disagreement
from memtail_core.approximations.method import Floats
from memtail_core.approximations.run import Run
from memtail_core.data import Dataset
from memtail_core.training.gradient.resident_data import moments


class InputNeighbours:
    """Disagreement among the inputs, each channel or column standardized."""

    name = "input-neighbours"
    source = "nearest neighbours"
    trains = False
    reads: tuple[str, ...] = ()
    ends_linear = False

    def scores(self, dataset: Dataset, runs: Sequence[Run]) -> Floats:
        """See :class:`.Method`."""
        del runs
        mean, deviation = moments(dataset.x_train)
        scale = np.where(deviation == 0, 1, deviation).astype(np.float32)
        x = (dataset.x_train.astype(np.float32) - mean.astype(np.float32)) / scale
        return disagreement(x.reshape(len(x), -1), dataset.y_train)
