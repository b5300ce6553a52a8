"""All signals in one score, learned from the trainings themselves: no reference is needed.

Each run holds out some examples, and its errors on them are what memorization is made of: mem_i is
how often networks are wrong on i when it is held out, less how often when it is not. So from R ≥ 2
runs, regressors learn both errors of run r from what the other runs say of the example; they are
cross-fitted over examples, so that no prediction has seen its own example's errors. One run has
nobody to teach it: held-out examples show how they are misjudged, but in the very curves that would
have to predict it. There, and where runs hold nothing out, the signals' ranks are averaged.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingRegressor

from memtail_core.approximations.levelling import Floats
from memtail_core.approximations.method import Method
from memtail_core.approximations.run import Run
from memtail_core.data import Dataset

_FOLDS = 5
_SEED = 0
_FEWEST = 20  # examples held out a run, to learn from


class Combination:
    """The learned combination of several methods; of one run, the mean of their ranks."""

    name = "combination"
    source = "memtail"
    trains = True

    def __init__(self, of: Sequence[Method]) -> None:
        """``of``: what is combined."""
        self._of = of
        self.reads: tuple[str, ...] = tuple(dict.fromkeys(p for each in of for p in each.reads))
        self.ends_linear = any(each.ends_linear for each in of)

    def scores(self, dataset: Dataset, runs: Sequence[Run]) -> Floats:
        """See :class:`.Method`."""
        runs = sorted(runs, key=lambda run: run.key)  # trees depend on the order, by rounding
        ranks = np.stack([self._ranks(dataset, run) for run in runs])  # [R, n, F]
        held_out = np.stack([~run.subset for run in runs])
        if len(runs) < 2 or held_out.sum(1).min() < _FEWEST:
            return shaped(ranks.mean((0, 2)), runs)
        wrong = np.stack([~run.curves.correct[-1] for run in runs])
        return learned(ranks, held_out, wrong)

    def _ranks(self, dataset: Dataset, run: Run) -> Floats:
        """Each method's ranks, from 0 to 1: [n, F]."""
        found = [method.scores(dataset, [run]) for method in self._of]
        return np.stack([(rankdata(each) - 0.5) / len(each) for each in found], axis=1)


def shaped(order: Floats, runs: Sequence[Run]) -> Floats:
    """Give scores the distribution that errors have, so that they are on the scale of memorization.

    That of 1 − p_y of the examples held out, in the trained network; where none are, of its mean
    over the epochs. It changes no ranks.
    """
    errors = []
    for run in runs:
        wrong = 1 - run.curves.probability
        errors.append(wrong.mean(0) if run.subset.all() else wrong[-1][~run.subset])
    return np.asarray(np.quantile(np.concatenate(errors), (rankdata(order) - 0.5) / len(order)))


def learned(ranks: Floats, held_out: NDArray[np.bool_], wrong: NDArray[np.bool_]) -> Floats:
    """Predict P[wrong | held out] − P[wrong | trained on], float64 [n].

    Args:
        ranks: [R, n, F], what each run says of each example.
        held_out, wrong: bool [R, n], whether the run held it out, and misjudged it.
    """
    fold = np.random.default_rng(_SEED).permutation(ranks.shape[1]) % _FOLDS
    return _error(ranks, held_out, wrong, fold) - _error(ranks, ~held_out, wrong, fold)


def _error(
    ranks: Floats, which: NDArray[np.bool_], wrong: NDArray[np.bool_], fold: NDArray[np.int64]
) -> Floats:
    """How often an example is misjudged in runs like those of ``which``, float64 [n]."""
    others = (ranks.sum(0) - ranks) / (len(ranks) - 1)  # what the other runs say, on average
    found = np.empty(ranks.shape[1])
    for number in range(_FOLDS):
        taught = which & (fold != number)
        model = HistGradientBoostingRegressor(
            learning_rate=0.05,
            max_iter=100,
            max_leaf_nodes=8,
            min_samples_leaf=20,
            monotonic_cst=[1] * ranks.shape[2],
            random_state=_SEED,
            early_stopping=False,
        )
        model.fit(others[taught], wrong[taught].astype(np.float64))
        asked = fold == number
        found[asked] = np.mean([model.predict(said[asked]) for said in others], axis=0)
    return found
