"""Do scores find the training examples that nearly equal a test example?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from memtail_core.data import Dataset
from memtail_core.data.near_duplicates import in_test_set
from memtail_core.errors import EstimationError
from memtail_core.experiments.judge.result import Recall

AMONG = (1, 10)  # highest scores


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Pairs of a training and a test example that are near-duplicates and have one label.

    Attributes:
        train, test: int64 [P], the pairs.
    """

    train: NDArray[np.int64]
    test: NDArray[np.int64]

    @property
    def tests(self) -> NDArray[np.int64]:
        """The test examples, each once, ascending."""
        return np.unique(self.test)


def duplicates(dataset: Dataset) -> Duplicates:
    """Find the near-duplicates; one with another label lowers a prediction, and is left out.

    Raises:
        EstimationError: there are none.
    """
    nearest = in_test_set(dataset)
    is_alike = nearest.is_duplicate & (dataset.y_train == dataset.y_test[nearest.partner])
    train = np.flatnonzero(is_alike)
    if not len(train):
        raise EstimationError(
            "no training example nearly equals a test example of its class: leave --duplicates out"
        )
    return Duplicates(train, nearest.partner[train])


def recalls(
    pairs: Duplicates, tests: NDArray[np.int64], highest: NDArray[np.int64]
) -> list[Recall]:
    """Say for how many test examples a near-duplicate is among the highest scores.

    Args:
        pairs: the near-duplicates.
        tests: int64, ascending, the columns of ``highest``, :attr:`Duplicates.tests` among them.
        highest: int64 [k, tests], training examples, the highest first.
    """
    found = np.zeros(highest.shape, bool)
    for train, test in zip(pairs.train, pairs.test, strict=True):
        column = np.searchsorted(tests, test)
        found[:, column] |= highest[:, column] == train
    found = found[:, np.isin(tests, pairs.test)]
    made = []
    for k in AMONG:
        hits: NDArray[np.bool_] = np.any(found[:k], axis=0)
        interval = binomtest(int(hits.sum()), len(hits)).proportion_ci(method="wilson")
        made.append(
            Recall(
                among=k,
                share=float(hits.mean()),
                low=float(interval.low),
                high=float(interval.high),
            )
        )
    return made
