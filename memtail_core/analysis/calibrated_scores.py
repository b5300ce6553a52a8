"""What is known of a dataset's training examples without any trial."""

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Dataset
from memtail_core.estimation.calibrated import leave_one_out_scores

_NEIGHBOURS = 50
_COMPONENTS = 60

Neighbours = tuple[NDArray[np.int64], NDArray[np.float64]]


def without_trials(dataset: Dataset) -> tuple[Neighbours, NDArray[np.float64]]:
    """What is known of the training examples before any trial: neighbours, a kernel machine's view.

    The 50 nearest by the first 60 principal components, and ``leave_one_out_scores``; a table's
    columns are standardized.
    """
    inputs = dataset.x_train.reshape(len(dataset.x_train), -1).astype(np.float32)
    if dataset.kind == "features":
        spread = inputs.std(axis=0)
        inputs = (inputs - inputs.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return _nearest(inputs), leave_one_out_scores(inputs, dataset.y_train)


def _nearest(inputs: NDArray[np.float32]) -> Neighbours:
    from sklearn.decomposition import PCA
    from sklearn.neighbors import NearestNeighbors

    points = inputs
    if min(inputs.shape) > _COMPONENTS:
        points = PCA(_COMPONENTS, svd_solver="randomized", random_state=0).fit_transform(inputs)
    k = min(_NEIGHBOURS, len(inputs) - 1)
    search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(points)
    distance, index = search.kneighbors()  # of themselves: leaves each one out
    return index, distance
