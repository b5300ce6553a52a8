"""What an estimator looks at, put together from a study's trials and its dataset."""

from dataclasses import replace

import numpy as np

from memtail_core.data import Dataset, neighbours
from memtail_core.estimation import Memorization
from memtail_core.estimation.calibrated import leave_one_out_scores
from memtail_core.estimation.counted import COUNTED
from memtail_core.estimation.estimator import Context, Estimator, Observations, Signals
from memtail_core.running.trials import Trials
from memtail_core.study import Study

_NEIGHBOURS = 50
_COMPONENTS = 60


def observations(trials: Trials, dataset: Dataset, signals: Signals | None = None) -> Observations:
    """Put together what an estimator may look at; nothing is computed before it is asked for.

    Args:
        trials, dataset: of one study.
        signals: of the study's recorded trials, by their numbers.
    """
    return Observations(
        subset=trials.subset,
        correct=trials.train_correct,
        n=trials.n,
        labels=dataset.y_train,
        values=trials.train_values,
        find_context=(lambda: context(dataset)) if dataset.is_shown else None,
        signals=None if signals is None else signals.among(trials.trials),
    )


def context(dataset: Dataset) -> Context:
    """Compute what is known of the training examples without any trial.

    The 50 nearest others by the first 60 principal components, and what a kernel machine predicts
    without each. Inputs of different units are standardized.
    """
    inputs = neighbours.vectors(dataset)
    if not dataset.modality.has_one_unit:
        inputs = neighbours.standardized(inputs)
    near = neighbours.nearest(neighbours.principal(inputs, _COMPONENTS), _NEIGHBOURS)
    kernel_scores = leave_one_out_scores(inputs, dataset.y_train)
    return Context(near.index, near.distance.astype(np.float64), kernel_scores)


def estimate(study: Study, seen: Observations, estimator: Estimator = COUNTED) -> Memorization:
    """Estimate the training examples' memorization; it is missing of those that are no candidates.

    An estimator may infer an example's memorization from others. But candidates are chosen for what
    they are, so that nothing follows from them about the rest.
    """
    scores = estimator.memorization(seen)
    if not study.is_targeted:
        return scores
    other = np.ones(seen.n, bool)
    other[study.candidates] = False
    names = ("memorization", "standard_error", "ci_low", "ci_high")
    return replace(
        scores, **{name: np.where(other, np.nan, getattr(scores, name)) for name in names}
    )
