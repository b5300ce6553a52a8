"""What an estimator looks at, put together from a study's trials and its dataset."""

from memtail_core.analysis.calibrated_scores import without_trials
from memtail_core.data import Dataset
from memtail_core.estimation import Memorization
from memtail_core.estimation.counted import COUNTED
from memtail_core.estimation.estimator import Context, Estimator, Observations
from memtail_core.running.trials import Trials


def observations(trials: Trials, dataset: Dataset) -> Observations:
    """Put together what an estimator may look at; nothing is computed before it is asked for."""
    return Observations(
        subset=trials.subset,
        correct=trials.train_correct,
        n=trials.n,
        labels=dataset.y_train,
        values=trials.train_margin,
        find_context=lambda: context(dataset),
    )


def context(dataset: Dataset) -> Context:
    """Find the neighbours of each training example, and ask a kernel machine."""
    (neighbours, distances), kernel_scores = without_trials(dataset)
    return Context(neighbours, distances, kernel_scores)


def estimate(trials: Trials, dataset: Dataset, estimator: Estimator = COUNTED) -> Memorization:
    """Estimate the training examples' memorization from these trials."""
    return estimator.memorization(observations(trials, dataset))
