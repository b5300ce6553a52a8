"""What is known of a dataset's training examples without any trial."""

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Dataset, neighbours
from memtail_core.estimation.calibrated import leave_one_out_scores

_NEIGHBOURS = 50
_COMPONENTS = 60

Neighbours = tuple[NDArray[np.int64], NDArray[np.float64]]


def without_trials(dataset: Dataset) -> tuple[Neighbours, NDArray[np.float64]]:
    """What is known of the training examples before any trial: neighbours, a kernel machine's view.

    The 50 nearest by the first 60 principal components, and ``leave_one_out_scores``; a table's
    columns are standardized.
    """
    inputs = neighbours.vectors(dataset)
    if not dataset.modality.has_one_unit:
        inputs = neighbours.standardized(inputs)
    near = neighbours.nearest(neighbours.principal(inputs, _COMPONENTS), _NEIGHBOURS)
    clues = leave_one_out_scores(inputs, dataset.y_train)
    return (near.index, near.distance.astype(np.float64)), clues
