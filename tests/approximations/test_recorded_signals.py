"""What recorded runs tell the calibrated estimator."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from memtail_core.approximations import Run, named, signals_of
from memtail_core.data import Dataset


def test_every_run_ranks_the_examples_by_each_method(dataset: Dataset, runs: Sequence[Run]) -> None:
    chosen = named(["confidence", "linearised-retraining", "gradient-norm"])
    found = signals_of(chosen, dataset, runs[:2])
    assert found.trial.tolist() == [0, 1]
    assert found.value.shape == (2, len(dataset.y_train), 3)
    assert found.value.dtype == np.float32
    scores = [*(m.scores for m in chosen.methods), chosen.of_influence[0].itself]  # type: ignore[attr-defined]
    for r, run in enumerate(runs[:2]):
        for f, score in enumerate(scores):
            ranks = (rankdata(score(dataset, [run])) - 0.5) / len(dataset.y_train)
            np.testing.assert_array_equal(found.value[r, :, f], ranks.astype(np.float32))


def test_what_is_known_without_a_run_or_from_the_others_is_no_signal(
    dataset: Dataset, runs: Sequence[Run]
) -> None:
    names = ["confidence", "input-neighbours", "combination", "input-curvature"]
    names += ["representation-similarity"]  # says nothing of an example itself
    assert signals_of(named(names), dataset, runs[:1]).value.shape[2] == 1
