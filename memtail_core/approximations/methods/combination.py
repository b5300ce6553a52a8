"""All signals in one score, learned from the trainings themselves, without a reference.

Each run holds out some examples, and memorization is made of its errors on them: mem_i is how often
networks are wrong on i when it is held out, minus how often when it is not. So with R ≥ 2 runs,
regressors predict both errors of run r from the signals of the other runs. They are cross-fitted
over examples, so that no prediction has seen the errors of its own example. A single run cannot be
learned from: its held-out examples show errors, but in the very curves that would predict them.
Then, and where runs hold nothing out, the ranks of the signals are averaged.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingRegressor

from memtail_core.approximations.method import Floats, Method
from memtail_core.approximations.methods.area_under_margin import AreaUnderMargin
from memtail_core.approximations.methods.confidence import Confidence
from memtail_core.approximations.methods.cumulative_loss import CumulativeLoss
from memtail_core.approximations.methods.feature_neighbours import FeatureNeighbours
from memtail_core.approximations.methods.input_neighbours import InputNeighbours
from memtail_core.approximations.methods.last_layer_gradient import LastLayerGradient
from memtail_core.approximations.run import Run
from memtail_core.data import Dataset

_SIGNALS: tuple[Method, ...] = (  # cheap ones that grow with memorization over the whole range
    InputNeighbours(),
    CumulativeLoss(),
    Confidence(),
    AreaUnderMargin(),
    LastLayerGradient(),
    FeatureNeighbours(),
)
_FOLDS = 5
_SEED = 0
_FEWEST = 20  # examples that a run must hold out to learn from it


class Combination:
    """The learned combination of several methods; with one run, the mean of their ranks."""

    name = "combination"
    source = "memtail"
    trains = True
    reads: tuple[str, ...] = tuple(dict.fromkeys(p for each in _SIGNALS for p in each.reads))
    ends_linear = True

    def scores(self, dataset: Dataset, runs: Sequence[Run]) -> Floats:
        """See :class:`.Method`."""
        runs = sorted(runs, key=lambda run: run.key)  # their order would change the rounding
        ranks = np.stack([_ranks(dataset, run) for run in runs])  # [R, n, F]
        held_out = np.stack([~run.subset for run in runs])
        if len(runs) < 2 or held_out.sum(1).min() < _FEWEST:
            return shaped(ranks.mean((0, 2)), runs)
        wrong = np.stack([~run.curves.correct[-1] for run in runs])
        return learned(ranks, held_out, wrong)


def _ranks(dataset: Dataset, run: Run) -> Floats:
    """The ranks by each signal, from 0 to 1: [n, F]."""
    scores = [method.scores(dataset, [run]) for method in _SIGNALS]
    return np.stack([(rankdata(each) - 0.5) / len(each) for each in scores], axis=1)


def shaped(order: Floats, runs: Sequence[Run]) -> Floats:
    """Give scores the distribution of errors, the scale of memorization, without changing ranks.

    The errors are 1 − p_y of the held-out examples in the trained network; without held-out
    examples, the mean of 1 − p_y over the epochs.
    """
    errors = []
    for run in runs:
        wrong = 1 - run.curves.probability
        errors.append(wrong.mean(0) if run.subset.all() else wrong[-1][~run.subset])
    return np.asarray(np.quantile(np.concatenate(errors), (rankdata(order) - 0.5) / len(order)))


def learned(ranks: Floats, held_out: NDArray[np.bool_], wrong: NDArray[np.bool_]) -> Floats:
    """Predict P[wrong | held out] − P[wrong | trained on], float64 [n].

    Args:
        ranks: [R, n, F], the ranks of each example by the signals of each run.
        held_out, wrong: bool [R, n], whether the run held the example out, and is wrong on it.
    """
    fold = np.random.default_rng(_SEED).permutation(ranks.shape[1]) % _FOLDS
    return _error(ranks, held_out, wrong, fold) - _error(ranks, ~held_out, wrong, fold)


def _error(
    ranks: Floats, which: NDArray[np.bool_], wrong: NDArray[np.bool_], fold: NDArray[np.int64]
) -> Floats:
    """How often runs like those of ``which`` are wrong on each example, float64 [n]."""
    others = (ranks.sum(0) - ranks) / (len(ranks) - 1)  # the mean of the other runs
    error = np.empty(ranks.shape[1])
    for number in range(_FOLDS):
        training = which & (fold != number)
        model = HistGradientBoostingRegressor(
            learning_rate=0.05,
            max_iter=100,
            max_leaf_nodes=8,
            min_samples_leaf=20,
            monotonic_cst=[1] * ranks.shape[2],
            random_state=_SEED,
            early_stopping=False,
        )
        model.fit(others[training], wrong[training].astype(np.float64))
        within = fold == number
        error[within] = np.mean([model.predict(each[within]) for each in others], axis=0)
    return error
