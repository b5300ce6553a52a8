"""Memorization from few trials: learn from the trials themselves which examples models get right.

1. Leave a trial out. Compute features of every example from the other trials: its rates and margins
   on both sides (held in, held out), its neighbours', the score of a kernel machine. Train models
   that predict from these features which examples the left-out trial gets right, on each side.
2. Predict with the features of all trials, and out of fold: each example by models that were
   trained on other examples.
3. Shrink the unbiased rates towards the predictions, as much as left-out trials say
   (``shrinkage``).
4. Leave several trials out at once. How far estimates are from the outcomes of these trials says
   how wide their intervals have to be (``uncertainty``).

docs/calibration.md has the measurements.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.calibrated.features import ExampleFeatures
from memtail_core.estimation.calibrated.neighbourhood import Neighbourhood
from memtail_core.estimation.calibrated.predictions import (
    Predictions,
    predict_out_of_fold,
    rounds,
)
from memtail_core.estimation.calibrated.shrinkage import fit_prior_strength, shrink
from memtail_core.estimation.calibrated.sums import OrderedTrials, Sums
from memtail_core.estimation.calibrated.uncertainty import (
    DEFAULT,
    Posterior,
    fit_posterior,
    interval_of_difference,
)
from memtail_core.estimation.estimator import Signals
from memtail_core.estimation.memorization import Memorization

Floats = NDArray[np.float64]

_FOLDS = 5


@dataclass(frozen=True, eq=False)
class CalibratedMemorization(Memorization):
    """Estimates for n training examples, missing nowhere: also of those never in or never out.

    ``accuracy_in`` and ``accuracy_out`` are estimates too, and ``standard_error`` is the square
    root of the expected squared error.

    Attributes:
        prediction: float64 [n], memorization by what the features say alone.
        weight: float64 [n], the share of the unbiased rates, the mean of both sides.
    """

    prediction: Floats
    weight: Floats


def calibrated_memorization(
    inside: NDArray[np.bool_],
    correct: NDArray[np.bool_],
    label: NDArray[np.integer],
    *,
    margin: NDArray[np.floating] | None = None,
    neighbours: tuple[NDArray[np.integer], NDArray[np.floating]] | None = None,
    extra_features: Floats | None = None,
    signals: Signals | None = None,
    seed: int = 0,
) -> CalibratedMemorization:
    """Estimate memorization from any number of trials, one and more.

    The same trials in another order give the same bits.

    Args:
        inside: bool [T, n], which examples each trial trained on.
        correct: bool [T, n], which it got right.
        label: int [n], 0 … C − 1.
        margin: float [T, n], log p_y − log(1 − p_y), where the recipe gives it.
        neighbours: int [n, k], the nearest other training examples of each, the nearest first, and
            float [n, k], how far they are.
        extra_features: float64 [n, d], whatever else is known of each example without the trials,
            such as ``kernel_machine.leave_one_out_scores``.
        signals: what some of the trials show besides, by their rows; one trial alone makes no use
            of them. ``approximations.signals_of`` computes them.
        seed: of the random folds, of the trials that are left out, and of the models.
    """
    rng = np.random.default_rng(seed)
    n = inside.shape[1]
    labels = np.asarray(label, np.int64)
    features = ExampleFeatures(
        label=labels,
        neighbourhood=None if neighbours is None else Neighbourhood.of(*neighbours, labels),
        extra_features=np.zeros((n, 0))
        if extra_features is None
        else np.asarray(extra_features, np.float64),
        fold=rng.permutation(np.arange(n) % _FOLDS),
    )
    trials = OrderedTrials.of(inside, correct, margin, signals)
    total = trials.trials(range(len(trials)))
    if len(trials) == 1:
        held_in, held_out = features.margins(total)
        no_weight = np.full(n, np.inf)
        return _difference(
            _Side(total.held_in, held_in.correct, held_in.correct, no_weight, DEFAULT),
            _Side(total.held_out, held_out.correct, held_out.correct, no_weight, DEFAULT),
        )
    left = [trials.trials(each) for each in rounds(len(trials), rng)]
    predicted = predict_out_of_fold(trials, features, total, left, rng)
    return _difference(
        _side(predicted[0], total.held_in, [each.held_in for each in left]),
        _side(predicted[1], total.held_out, [each.held_out for each in left]),
    )


@dataclass(frozen=True, eq=False)
class _Side:
    """One side's estimate, held in or held out, and what it was made of."""

    sums: Sums
    prediction: Floats
    estimate: Floats
    strength: Floats
    posterior: Posterior


def _side(predicted: Predictions, sums: Sums, left: list[Sums]) -> _Side:
    s = fit_prior_strength(
        predicted.left_out, predicted.correct, predicted.n, predicted.was_correct
    )
    estimate = shrink(predicted.full, sums.correct, sums.n, s.of(predicted.full))
    left_out = []
    for prediction, out in zip(predicted.rounds, left, strict=True):
        rest = sums - out
        left_out.append(
            (shrink(prediction, rest.correct, rest.n, s.of(prediction)), rest.n, out.correct, out.n)
        )
    if not left_out:
        return _Side(sums, predicted.full, estimate, s.of(predicted.full), DEFAULT)
    posterior = fit_posterior(*(np.concatenate(each) for each in zip(*left_out, strict=True)))
    return _Side(sums, predicted.full, estimate, s.of(predicted.full), posterior)


def _difference(held_in: _Side, held_out: _Side) -> CalibratedMemorization:
    sides = (held_in, held_out)
    (low_in, high_in), (low_out, high_out) = (
        side.posterior.interval(side.estimate, side.sums.n) for side in sides
    )
    low, high = interval_of_difference(
        (held_in.estimate, held_out.estimate), (low_in, low_out), (high_in, high_out)
    )
    variances = [side.posterior.variance(side.estimate, side.sums.n) for side in sides]
    weights = [side.sums.n / (side.sums.n + side.strength) for side in sides]
    return CalibratedMemorization(
        memorization=held_in.estimate - held_out.estimate,
        standard_error=np.sqrt(variances[0] + variances[1]),
        ci_low=low,
        ci_high=high,
        n_in=held_in.sums.n.astype(np.int64),
        n_out=held_out.sums.n.astype(np.int64),
        accuracy_in=held_in.estimate,
        accuracy_out=held_out.estimate,
        prediction=held_in.prediction - held_out.prediction,
        weight=(weights[0] + weights[1]) / 2,
    )
