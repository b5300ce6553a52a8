"""Training examples whose labels are known to be wrong, and how well scores find them."""

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Dataset
from memtail_core.data.chosen_examples import chosen_examples
from memtail_core.errors import EstimationError
from memtail_core.estimation.roc import auc_interval, auc_of_columns
from memtail_core.experiments.judge.result import Detection

_KEYS = ("wrong", "mislabeled", "flipped", "flips")


def wrong_labels(path: str, dataset: Dataset) -> NDArray[np.bool_]:
    """Read which training examples have wrong labels, bool [n].

    The file is one that :func:`.chosen_examples.chosen_examples` reads; an ``.npz`` has them as
    ``wrong``, ``mislabeled``, ``flipped`` or ``flips``.

    Raises:
        DatasetError: the file is not readable, or what it names is no training example.
        EstimationError: it names none or all of them.
    """
    wrong, n = chosen_examples(path, dataset, _KEYS), len(dataset.y_train)
    if not 0 < wrong.sum() < n:
        raise EstimationError(f"'{path}' names {wrong.sum():,} of {n:,} training examples as wrong")
    return wrong


def detection(by: str, score: NDArray[np.float64], wrong: NDArray[np.bool_]) -> Detection:
    """Say how well a score of the training examples, [n], finds the wrong labels."""
    auroc = float(auc_of_columns(score[:, None], wrong[:, None])[0])
    low, high = auc_interval(auroc, int(wrong.sum()), int((~wrong).sum()))
    return Detection(by=by, auroc=auroc, low=low, high=high)
