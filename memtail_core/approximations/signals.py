"""What recorded trainings tell the calibrated estimator: the ranks of examples, run by run."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from memtail_core.approximations.method import Floats, KnowsItself
from memtail_core.approximations.methods.combination import Combination
from memtail_core.approximations.methods.input_curvature import InputCurvature
from memtail_core.approximations.registry import Chosen
from memtail_core.approximations.run import Run
from memtail_core.data import Dataset
from memtail_core.estimation.estimator import Signals

_LEFT_OUT = (Combination, InputCurvature)  # made of the others; costs more than a training


def signals_of(chosen: Chosen, dataset: Dataset, runs: Sequence[Run]) -> Signals:
    """Score every example by each method from each run alone, as ranks between 0 and 1.

    Of methods of influence it is how an example acts on itself.

    Args:
        chosen: the methods that apply to the networks; F of them score examples.
        dataset: the data.
        runs: the first R models of the study, recorded.
    """
    scores = [
        *(m.scores for m in chosen.methods if m.trains and not isinstance(m, _LEFT_OUT)),
        *(m.itself for m in chosen.of_influence if isinstance(m, KnowsItself)),
    ]
    value = [[_ranks(score(dataset, [run])) for score in scores] for run in runs]
    return Signals(
        trial=np.arange(len(runs), dtype=np.int64),
        value=np.asarray(value, np.float32).transpose(0, 2, 1),
    )


def _ranks(scores: Floats) -> Floats:
    ranks: Floats = (rankdata(scores) - 0.5) / len(scores)
    return ranks
