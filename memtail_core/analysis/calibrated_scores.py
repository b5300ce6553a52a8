"""A study's calibrated estimates: its trials and what is known of its examples, put together."""

import numpy as np
from numpy.typing import NDArray

from memtail_core import catalogue
from memtail_core.analysis.analysis import refuse_experiments
from memtail_core.data import Dataset
from memtail_core.errors import EstimationError
from memtail_core.estimation.calibration import Calibrated, calibrated, left_out
from memtail_core.running import loading
from memtail_core.running.trials import Trials
from memtail_core.store import ObjectStore
from memtail_core.study import Study

_NEIGHBOURS = 50
_COMPONENTS = 60

Neighbours = tuple[NDArray[np.int64], NDArray[np.float64]]


def calibrate_stored(store: ObjectStore, study: Study) -> Calibrated:
    """Estimate from all that is stored of a study.

    Raises:
        EstimationError: there are no trials, or they are an experiment's.
    """
    refuse_experiments(study)
    found, _ = loading.load(store, study, values=True)
    if len(found) == 0:
        raise EstimationError(f"{study.id} has no trained model yet: start it with memtail run")
    dataset = catalogue.load_dataset(store, study)
    return calibrate(found, dataset, *without_trials(dataset))


def calibrate(
    found: Trials, dataset: Dataset, neighbours: Neighbours, clues: NDArray[np.float64]
) -> Calibrated:
    """Estimate from these trials."""
    inside, correct = (
        np.unpackbits(bits, axis=1, count=found.n).astype(np.bool_)
        for bits in (found.subset, found.train_correct)
    )
    return calibrated(
        inside,
        correct,
        dataset.y_train,
        margin=found.train_values,
        neighbours=neighbours,
        clues=clues,
    )


def without_trials(dataset: Dataset) -> tuple[Neighbours, NDArray[np.float64]]:
    """What is known of the training examples before any trial: neighbours, a kernel machine's view.

    The 50 nearest by the first 60 principal components, and ``left_out``; a table's columns are
    standardized.
    """
    inputs = dataset.x_train.reshape(len(dataset.x_train), -1).astype(np.float32)
    if dataset.kind == "features":
        spread = inputs.std(axis=0)
        inputs = (inputs - inputs.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return _nearest(inputs), left_out(inputs, dataset.y_train)


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
