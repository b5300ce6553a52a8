"""The scores of methods for every example and for the strongest pairs, as tables."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from memtail_core.approximations.evaluation import Cost, timed
from memtail_core.approximations.method import Floats, Indices
from memtail_core.approximations.pair_evaluation import strongest
from memtail_core.approximations.registry import Chosen
from memtail_core.approximations.run import Run
from memtail_core.data import Dataset

MOST_PAIRS = 10_000  # per method


@dataclass(frozen=True, eq=False)
class Approximated:
    """The results of methods.

    Attributes:
        scores: by method, float64 [n].
        pairs: by method, training examples, test examples and scores [P] of the strongest pairs of
            one class, strongest first.
        costs: by method.
    """

    scores: dict[str, Floats]
    pairs: dict[str, tuple[Indices, Indices, NDArray[np.float32]]]
    costs: dict[str, Cost]

    def scores_table(self, dataset: Dataset) -> pa.Table:
        """One row per training example, one column per method; ``-`` in names becomes ``_``."""
        n = len(dataset.y_train)
        columns = {"index": pa.array(np.arange(n)), "label": pa.array(dataset.y_train)}
        columns |= {k.replace("-", "_"): pa.array(v) for k, v in self.scores.items()}
        columns["class"] = pa.array(np.array(dataset.classes, dtype=object)[dataset.y_train])
        columns["name"] = pa.array([dataset.train_name(i) for i in range(n)])
        return pa.table(columns)

    def pairs_table(self, dataset: Dataset) -> pa.Table:
        """One row per method and pair."""
        parts = [
            pa.table(
                {
                    "method": pa.array([name] * len(train), pa.string()),
                    "train_index": train,
                    "test_index": test,
                    "score": scores,
                    "label": dataset.y_train[train],
                    "train_name": pa.array([dataset.train_name(i) for i in train], pa.string()),
                    "test_name": pa.array([dataset.test_name(i) for i in test], pa.string()),
                }
            )
            for name, (train, test, scores) in self.pairs.items()
        ]
        return pa.concat_tables(parts)


def approximated(
    chosen: Chosen, dataset: Dataset, runs: Sequence[Run], most_pairs: int = MOST_PAIRS
) -> Approximated:
    """Compute the scores of every method; for influence, those of the strongest pairs."""
    result = Approximated({}, {}, {})
    for method in chosen.methods:
        result.scores[method.name], result.costs[method.name] = timed(
            method,
            runs,
            lambda m=method: m.scores(dataset, runs),  # type: ignore[misc]
        )
    for other in chosen.of_influence:
        result.pairs[other.name], result.costs[other.name] = timed(
            other,
            runs,
            lambda m=other: strongest(  # type: ignore[misc]
                m.between(dataset, runs), dataset, most_pairs
            ),
        )
    return result
