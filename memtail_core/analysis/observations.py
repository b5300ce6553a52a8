"""What an estimator looks at, put together from a study's trials and its dataset."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Dataset, neighbours
from memtail_core.estimation import Memorization
from memtail_core.estimation.calibrated import kernel_machine, leave_one_out_scores
from memtail_core.estimation.counted import COUNTED
from memtail_core.estimation.estimator import Context, Estimator, Observations
from memtail_core.running.trials import Trials
from memtail_core.study import Study

_NEIGHBOURS = 50
_COMPONENTS = 60
_MOST_SCORES = 100_000_000


def observations(trials: Trials, dataset: Dataset) -> Observations:
    """Put together what an estimator may look at; nothing is computed before it is asked for."""
    return Observations(
        subset=trials.subset,
        correct=trials.train_correct,
        n=trials.n,
        labels=dataset.y_train,
        values=trials.train_values,
        find_context=(lambda: context(dataset)) if dataset.is_shown else None,
    )


def context(dataset: Dataset) -> Context:
    """Compute what is known of the training examples without any trial.

    The 50 nearest others by the first 60 principal components, and what a kernel machine predicts
    without each. Inputs of different units are standardized.
    """
    inputs = _inputs(dataset)
    near = neighbours.nearest(neighbours.principal(inputs, _COMPONENTS), _NEIGHBOURS)
    kernel_scores = leave_one_out_scores(inputs, dataset.y_train)
    return Context(near.index, near.distance.astype(np.float64), kernel_scores)


def class_scores(dataset: Dataset) -> NDArray[np.float32] | None:
    """Score every class of each training example by a kernel machine that left it out.

    float32 [n, C]; None where the inputs are not known, or too many.
    """
    n_scores = len(dataset.y_train) * len(dataset.classes)
    if not dataset.is_shown or n_scores > _MOST_SCORES:
        return None
    of_known, _ = kernel_machine.class_scores(_inputs(dataset), dataset.y_train)
    scores = np.full((len(of_known), len(dataset.classes)), -1, np.float32)
    scores[:, np.unique(dataset.y_train)] = of_known
    return scores


def _inputs(dataset: Dataset) -> NDArray[np.float32]:
    inputs = neighbours.vectors(dataset)
    return inputs if dataset.modality.has_one_unit else neighbours.standardized(inputs)


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
