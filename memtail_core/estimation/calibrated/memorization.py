"""Memorization from few trials: each trial is foretold from the others, and that is learned from.

1. Leave a trial out. From the others: each example's rates and margins on both sides, its
   neighbours', a kernel machine's opinion. Learn from these features which examples the left-out
   trial gets right, on each side: the trials are their own teacher.
2. Predict with all trials' features; each example by models that learned from other examples.
3. Draw the unbiased rates to the predictions as far as left-out trials say (``shrinkage``).
4. Leave several trials out at once: how far estimates are from what those then do is how sure the
   estimates are (``uncertainty``).

docs/calibration.md has what was measured.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.calibrated.features import Known
from memtail_core.estimation.calibrated.neighbourhood import Neighbourhood
from memtail_core.estimation.calibrated.predictions import Foretold, foretell, rounds
from memtail_core.estimation.calibrated.shrinkage import shrunk, strength
from memtail_core.estimation.calibrated.sums import Observed, Tally
from memtail_core.estimation.calibrated.uncertainty import (
    UNKNOWN,
    Reliability,
    difference,
    reliability,
)
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
    clues: Floats | None = None,
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
        clues: float64 [n, d], whatever else is known of each example without the trials, such as
            ``kernel_machine.leave_one_out_scores``.
        seed: deals the examples into folds.
    """
    rng = np.random.default_rng(seed)
    n = inside.shape[1]
    at = np.asarray(label, np.int64)
    known = Known(
        label=at,
        neighbourhood=None if neighbours is None else Neighbourhood.of(*neighbours, at),
        clues=np.zeros((n, 0)) if clues is None else np.asarray(clues, np.float64),
        fold=rng.permutation(np.arange(n) % _FOLDS),
    )
    trials = Observed.of(inside, correct, margin)
    total = trials.trials(range(len(trials)))
    if len(trials) == 1:
        held_in, held_out = known.margins(total)
        nothing = np.full(n, np.inf)
        return _difference(
            _Side(total.held_in, held_in.correct, held_in.correct, nothing, UNKNOWN),
            _Side(total.held_out, held_out.correct, held_out.correct, nothing, UNKNOWN),
        )
    left = [trials.trials(each) for each in rounds(len(trials), rng)]
    foretold = foretell(trials, known, total, left, rng)
    return _difference(
        _side(foretold[0], total.held_in, [each.held_in for each in left]),
        _side(foretold[1], total.held_out, [each.held_out for each in left]),
    )


@dataclass(frozen=True, eq=False)
class _Side:
    """A side's estimate: the tally, what is foretold, the estimate, and how sure it is."""

    tally: Tally
    prediction: Floats
    estimate: Floats
    strength: Floats
    reliability: Reliability


def _side(foretold: Foretold, tally: Tally, left: list[Tally]) -> _Side:
    s = strength(foretold.taught, foretold.correct, foretold.n, foretold.happened)
    estimate = shrunk(foretold.full, tally.correct, tally.n, s.of(foretold.full))
    seen = []
    for prediction, out in zip(foretold.rounds, left, strict=True):
        rest = tally - out
        seen.append(
            (shrunk(prediction, rest.correct, rest.n, s.of(prediction)), rest.n, out.correct, out.n)
        )
    if not seen:
        return _Side(tally, foretold.full, estimate, s.of(foretold.full), UNKNOWN)
    sure = reliability(*(np.concatenate(each) for each in zip(*seen, strict=True)))
    return _Side(tally, foretold.full, estimate, s.of(foretold.full), sure)


def _difference(held_in: _Side, held_out: _Side) -> CalibratedMemorization:
    sides = (held_in, held_out)
    (low_in, high_in), (low_out, high_out) = (
        side.reliability.interval(side.estimate, side.tally.n) for side in sides
    )
    low, high = difference(
        (held_in.estimate, held_out.estimate), (low_in, low_out), (high_in, high_out)
    )
    variances = [side.reliability.variance(side.estimate, side.tally.n) for side in sides]
    weights = [side.tally.n / (side.tally.n + side.strength) for side in sides]
    return CalibratedMemorization(
        memorization=held_in.estimate - held_out.estimate,
        standard_error=np.sqrt(variances[0] + variances[1]),
        ci_low=low,
        ci_high=high,
        n_in=held_in.tally.n.astype(np.int64),
        n_out=held_out.tally.n.astype(np.int64),
        accuracy_in=held_in.estimate,
        accuracy_out=held_out.estimate,
        prediction=held_in.prediction - held_out.prediction,
        weight=(weights[0] + weights[1]) / 2,
    )
